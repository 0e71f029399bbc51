"""How soon movement alerts find a change, and how many are false: `make bench-alerts`, writes docs/alerts.md and .png.

In: simulated customers whose changes are dated, among many in whom nothing changes, of a shop that is closed on Sundays
and sells more in December. Out: false alarms a 1,000 customer-nights, days until each kind of change is found, and the
same for a rule of half the purchases and for silence alone; and a bank, whose customers change what they leave with it.
It runs the function of the night itself
(`assets.movements.night.advance`), day by day.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from assets.movements.life import is_down, is_open
from assets.movements.night import Budget, advance
from assets.movements.state import METRICS, NEW, State
from benchmarks.measure import machine

DOCS = Path(__file__).resolve().parents[1] / "docs"
SEED = 20250101
N_DAYS = 910
#: From this day on false alarms are counted, and changes happen.
COUNTED_FROM = 400
CHANGES_UNTIL = 700
OPEN_DAYS = 90
#: Customers in whom nothing changes: usual gap in days, shape (1: Poisson, more: regular, less: clumpy), how many.
QUIET = ((3, 1.0, 700), (7, 1.0, 700), (14, 1.0, 700), (30, 1.0, 700), (7, 3.0, 700), (7, 0.6, 700))
CHANGED_GAPS = (3, 7, 14)
#: The stop of a regular is of somebody with this shape; all other changes are of customers who come at random.
REGULAR_SHAPE = 3.0
CHANGES = ("stop", "stop of a regular", "half the pace", "fading", "half the amount")
N_CHANGED = 150
#: Medians of a CUSUM tuned to the true pace at one false alarm in 1,000 nights: what is aimed at, times 1.15.
AIMS = {("stop", 3): 14, ("stop", 7): 30, ("stop", 14): 49}
AIMS |= {("half the pace", 3): 44, ("half the pace", 7): 79, ("half the pace", 14): 106}
BUDGETS = (0.5, 1.0, 2.0)
SILENCES = (14, 21, 30, 45, 60, 90, 120)
DROPS = (0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
FADE_DAYS = 60.0


@dataclass(frozen=True)
class World:
    """bought: (days, customers), whether the customer bought. amounts: the same, in money. change: kind a customer or
    "", gap: usual gap, at: day of the change (0 for none); (customers,)."""

    bought: np.ndarray
    amounts: np.ndarray
    change: np.ndarray
    gap: np.ndarray
    at: np.ndarray

    @property
    def quiet(self) -> np.ndarray:
        return self.change == ""


def calendar() -> np.ndarray:
    """How many usual days each day is worth: none on Sundays, half more in December, one on average."""
    days = np.arange(N_DAYS)
    weight = np.where(days % 7 == 6, 0.0, np.where(days % 365 >= 334, 1.5, 1.0))
    return weight / weight.mean()


def world(rng: np.random.Generator) -> World:
    groups = [(gap, shape, n, "") for gap, shape, n in QUIET]
    groups += [
        (gap, REGULAR_SHAPE if change == "stop of a regular" else 1.0, N_CHANGED, change)
        for gap in CHANGED_GAPS
        for change in CHANGES
    ]
    ends = np.cumsum(calendar())
    bought, amounts, changes, gaps, ats = [], [], [], [], []
    for gap, shape, n, change in groups:
        at = rng.integers(COUNTED_FROM, CHANGES_UNTIL, n) if change else np.zeros(n, int)
        came = purchases(rng, gap, shape, n, change, ends, ends[at] if change else np.full(n, np.inf))
        level = np.exp(rng.normal(3.0, 0.5, n) + rng.normal(0.0, 0.5, (N_DAYS, n)))
        if change == "half the amount":
            level = np.where(np.arange(N_DAYS)[:, None] > at, level / 2, level)
        bought.append(came)
        amounts.append(level)
        changes += [change] * n
        gaps += [gap] * n
        ats.append(at)
    return World(np.hstack(bought), np.hstack(amounts), np.array(changes), np.array(gaps), np.concatenate(ats))


def purchases(
    rng: np.random.Generator, gap: float, shape: float, n: int, change: str, ends: np.ndarray, at: np.ndarray
) -> np.ndarray:
    """(days, n): who bought when. Times run in business days; from `at` on the own clock is slower, or stands."""
    came = np.zeros((N_DAYS, n), bool)
    own = rng.gamma(shape, gap / shape, n) * rng.uniform(size=n)
    while True:
        after = np.maximum(own - at, 0.0)
        time = own
        if change in ("stop", "stop of a regular"):
            time = np.where(after > 0, np.inf, own)
        elif change == "half the pace":
            time = own + after
        elif change == "fading":
            left = np.maximum(1 - after / FADE_DAYS, 1e-12)
            time = np.where(after > 0, at - FADE_DAYS * np.log(left), own)
            time = np.where(after >= FADE_DAYS, np.inf, time)
        inside = time < ends[-1]
        if not inside.any():
            return came
        came[np.searchsorted(ends, time[inside], side="right"), np.flatnonzero(inside)] = True
        own = own + rng.gamma(shape, gap / shape, n)


@dataclass
class Outcome:
    """false: new alerts a 1,000 customer-nights of those in whom nothing changed. expected: what the lists stated.
    delay: (customers,) days from the change to the first night with an alert; nan: had one already; inf: never."""

    false: float
    expected: float
    delay: np.ndarray


#: Customers of the bank in whom nothing changes, and of each kind of change, in number.
N_BANK_QUIET = 3000
N_BANK_CHANGED = 200
BANK_CHANGES = ("salary stop", "sweep", "drawdown")


@dataclass(frozen=True)
class BankWorld:
    """world: the purchases; balances: (days, customers) at the end of the day, nan where the bank delivers none."""

    world: World
    balances: np.ndarray


def bank_world(rng: np.random.Generator) -> BankWorld:
    """Salary on the own day of the month, on the Friday before where that is a weekend; the account drains until the
    next. Who stops gets no salary any more and spends what is left; a sweep takes all but a little within three days
    of each salary; a drawdown leaves half of everything. Purchases, weekly at random, go on as they were."""
    changes = np.array([""] * N_BANK_QUIET + [change for change in BANK_CHANGES for _ in range(N_BANK_CHANGED)])
    n = len(changes)
    at = np.where(changes != "", rng.integers(COUNTED_FROM, CHANGES_UNTIL, n), 0)
    ends = np.cumsum(calendar())
    bought = purchases(rng, 7.0, 1.0, n, "", ends, np.full(n, np.inf))
    amounts = np.exp(rng.normal(3.0, 0.5, n) + rng.normal(0.0, 0.5, (N_DAYS, n)))
    salary, due = np.exp(rng.normal(7.8, 0.4, n)), rng.integers(1, 29, n)
    kept = rng.uniform(0.2, 0.6, n)
    dates = np.datetime64("2022-01-01") + np.arange(N_DAYS)
    months = dates.astype("datetime64[M]").astype(int)
    balances = np.empty((N_DAYS, n))
    pay = np.empty((months.max() - months.min() + 2, n), np.int64)
    for month in range(len(pay)):
        on = (np.datetime64(int(months.min()) + month, "M").astype("datetime64[D]") - dates[0]).astype(int) + due - 1
        weekday = (on + 5) % 7  # 2022-01-01 was a Saturday; 0 is Monday
        pay[month] = on - np.maximum(weekday - 4, 0) + (rng.uniform(size=n) < 0.05)
    for month in range(len(pay) - 1):
        first, until = pay[month], pay[month + 1]
        top = salary * (1 + kept) * np.exp(rng.normal(0, 0.08, n))
        bottom = salary * kept * np.exp(rng.normal(0, 0.25, n))
        for step in range(40):
            day = first + step
            inside = (day < until) & (day >= 0) & (day < N_DAYS)
            share = step / np.maximum(until - first - 1, 1)
            value = top * (bottom / top) ** share
            gone = (changes == "salary stop") & (first >= at)
            value = np.where(gone, salary * 0.1 * np.exp(-0.02 * (day - at)), value)
            value = np.where((changes == "sweep") & (first >= at) & (step >= 3), 0.03 * salary, value)
            value = np.where((changes == "drawdown") & (first >= at), value / 2, value)
            balances[day[inside], np.flatnonzero(inside)] = value[inside]
    before = np.arange(N_DAYS)[:, None] < pay[0]
    balances = np.where(before, (salary * kept)[None, :], balances)
    # The bank delivers a balance where it moved: one day in three, at random, and each day that a salary came.
    delivered = rng.uniform(size=balances.shape) < 1 / 3
    delivered[1:] |= balances[1:] > balances[:-1] * 1.05
    world_ = World(bought, amounts, changes, np.full(n, 30), at)
    return BankWorld(world_, np.where(delivered, balances, np.nan))


@dataclass(frozen=True)
class BankOutcome:
    """outcome: false alarms of all tests together, and the delay of flow alerts. of_flows: the part that flow tests
    raise. stated, found: share of false alarms among all new losses of the counted nights, as stated and true."""

    outcome: Outcome
    of_flows: float
    stated: float
    found: float


def run_bank(b: BankWorld, per_1000: float) -> BankOutcome:
    w = b.world
    state = State.empty(0)
    state.grow_to(len(w.at))
    budget = Budget(per_1000, per_1000, OPEN_DAYS, has_flows=True)
    delay = np.full(len(w.at), np.inf)
    false, of_flows, watched = 0, 0, 0
    new, new_false, stated = 0, 0, 0.0
    for day in range(N_DAYS):
        who = np.flatnonzero(w.bought[day])
        held = np.flatnonzero(~np.isnan(b.balances[day]))
        advance(state, who, w.amounts[day, who], budget, (held, b.balances[day, held]))
        c = state.columns
        _note(w, delay, is_open(c["balance_status"]), state.day)
        if state.day <= COUNTED_FROM:
            continue
        watched += int(np.count_nonzero((c["n_gaps"] >= 3) & w.quiet))
        stated += per_1000 / 1000 * state.n_watched
        unchanged = w.quiet | (state.day <= w.at)
        for metric in METRICS:
            is_new = (c[f"{metric}_status"] == NEW) & is_down(c[f"{metric}_test"])
            false += int(np.count_nonzero(is_new & w.quiet))
            of_flows += int(np.count_nonzero(is_new & w.quiet)) if metric == "balance" else 0
            new += int(np.count_nonzero(is_new))
            # Of who changed, purchases went on as they were: an alert about them is false.
            new_false += int(np.count_nonzero(is_new & (unchanged | (metric != "balance"))))
    outcome = Outcome(1000 * false / watched, per_1000, delay)
    return BankOutcome(outcome, 1000 * of_flows / watched, stated / new, new_false / new)


def bank_report(b: BankWorld, runs: dict[float, BankOutcome]) -> list[str]:
    quiet = np.count_nonzero(b.world.quiet)
    lines = [
        "",
        "## A bank",
        "",
        f"{quiet:,} simulated customers of a bank in whom nothing changes ({quiet * (N_DAYS - COUNTED_FROM):,}",
        f"customer-nights), and {N_BANK_CHANGED} each whose salary stops, who sweep, or who keep half, from a",
        "known day on. All tests run, of purchases and of flows, under one budget. Salaries have their own day of the",
        "month and come before weekends; a balance arrives one day in three. Delays run from the change, which shows",
        "at the next salary, half a month later in the median. The share of false alarms is of all new losses in these",
        "nights.",
        "",
        "| accepted false alarms | measured | of these by flows | "
        + " | ".join(f"{change}: median days, found" for change in BANK_CHANGES)
        + " | share false: stated, true |",
        "|---|---|---|" + "---|" * len(BANK_CHANGES) + "---|",
    ]
    for per, run in runs.items():
        cells = []
        for change in BANK_CHANGES:
            delay = run.outcome.delay[b.world.change == change]
            delay = delay[~np.isnan(delay)]
            cells.append(f"{_days(float(np.median(delay)))}, {100 * np.mean(np.isfinite(delay)):.0f} %")
        lines.append(
            f"| {per:g} | {run.outcome.false:.2f} | {run.of_flows:.2f} | {' | '.join(cells)} |"
            f" {100 * run.stated:.0f} %, {100 * run.found:.0f} % |"
        )
    return lines


def run_alerts(w: World, per_1000: float) -> Outcome:
    """The product's own function, night by night."""
    state = State.empty(0)
    state.grow_to(len(w.at))
    budget = Budget(per_1000, per_1000, OPEN_DAYS)
    delay = np.full(len(w.at), np.inf)
    false, watched = 0, 0
    for day in range(N_DAYS):
        who = np.flatnonzero(w.bought[day])
        advance(state, who, w.amounts[day, who], budget)
        c = state.columns
        alerts = [
            is_open(c[f"{m}_status"]) & is_down(c[f"{m}_test"]) & (c[f"{m}_status"] >= NEW)
            for m in ("orders", "order_value")
        ]
        _note(w, delay, np.where(w.change == "half the amount", alerts[1], alerts[0]), state.day)
        if state.day > COUNTED_FROM:
            watched += int(np.count_nonzero((c["n_gaps"] >= 3) & ~is_open(c["orders_status"]) & w.quiet))
            for metric in ("orders", "order_value"):
                is_new = (c[f"{metric}_status"] == NEW) & is_down(c[f"{metric}_test"])
                false += int(np.count_nonzero(is_new & w.quiet))
    return Outcome(1000 * false / watched, per_1000, delay)


def run_rule(w: World, fires: np.ndarray) -> Outcome:
    """A rule that holds or not for each customer each night, `fires` (days, customers); new where it did not before."""
    delay = np.full(len(w.at), np.inf)
    for day in range(COUNTED_FROM, N_DAYS):
        _note(w, delay, fires[day], day)
    is_new = fires[COUNTED_FROM + 1 :] & ~fires[COUNTED_FROM:-1]
    nights = np.count_nonzero(~fires[COUNTED_FROM + 1 :][:, w.quiet])
    return Outcome(1000 * np.count_nonzero(is_new[:, w.quiet]) / nights, np.nan, delay)


def _note(w: World, delay: np.ndarray, alerted: np.ndarray, day: int) -> None:
    """Put down who is found for the first time; who was found on the day of the change cannot be."""
    delay[alerted & (w.at == day)] = np.nan
    found = alerted & (day > w.at) & ~w.quiet & np.isinf(delay)
    delay[found] = (day - w.at)[found]


def silences(w: World) -> np.ndarray:
    """(days, customers): days since the last purchase, that morning."""
    last = np.where(w.bought, np.arange(N_DAYS)[:, None], -1)
    last = np.maximum.accumulate(last, axis=0)
    silent = np.arange(1, N_DAYS + 1)[:, None] - last
    return np.vstack([np.full((1, len(w.at)), 0), silent[:-1]])


def falls(w: World) -> np.ndarray:
    """(days, customers): purchases of the last 30 days over the mean of the three windows of 30 days before."""
    total = np.vstack([np.zeros((1, len(w.at))), np.cumsum(w.bought, axis=0)])[:-1]
    share = np.ones_like(total)
    for day in range(120, N_DAYS):
        usual = (total[day - 30] - total[day - 120]) / 3
        share[day] = (total[day] - total[day - 30]) / np.maximum(usual, 1.0)
    return share


def medians(w: World, outcome: Outcome, change: str, gap: int) -> tuple[float, float]:
    """Median delay, and the share found within five usual gaps."""
    delay = outcome.delay[(w.change == change) & (w.gap == gap)]
    delay = delay[~np.isnan(delay)]
    return float(np.median(delay)), float(np.mean(delay <= 5 * gap))


def main() -> None:
    w = world(np.random.default_rng(SEED))
    bank = bank_world(np.random.default_rng(SEED))
    of_bank = {per: run_bank(bank, per) for per in BUDGETS}
    ours = {per: run_alerts(w, per) for per in BUDGETS}
    silent, share = silences(w), falls(w)
    by_silence = {days: run_rule(w, silent >= days) for days in SILENCES}
    by_fall = {drop: run_rule(w, share <= drop) for drop in DROPS}
    (DOCS / "alerts.md").write_text(report(w, ours, by_silence, by_fall, bank_report(bank, of_bank)), encoding="utf-8")
    draw(w, ours, by_silence, by_fall)


def report(w: World, ours: dict, by_silence: dict, by_fall: dict, bank: list[str]) -> str:
    near = min(by_silence, key=lambda days: abs(np.log(by_silence[days].false)))
    shown = {
        "movement alerts, budget 1": ours[1.0],
        "half the purchases of 30 days": by_fall[0.5],
        f"silence of {near} days": by_silence[near],
    }
    nights = np.count_nonzero(w.quiet) * (N_DAYS - COUNTED_FROM)
    lines = [
        "# How soon a change is found, and how many alerts are false",
        "",
        f"Written by `make bench-alerts` ({machine()}).",
        f"{np.count_nonzero(w.quiet):,} simulated customers in whom nothing changes ({nights:,} customer-nights;",
        "usual gaps of 3 to 30 days, regular, Poisson and clumpy) and",
        f"{np.count_nonzero(~w.quiet)} with a dated change, in a shop that is closed on Sundays and sells half more in",
        "December. The function of the night itself runs, day by day. Seed fixed. What is aimed at is 1.15 times the",
        "median of a CUSUM that knows the true pace, at the same rate of false alarms.",
        "",
        "| | " + " | ".join(shown) + " | aim |",
        "|---|" + "---|" * (len(shown) + 1),
        "| false alarms a 1,000 customer-nights | "
        + " | ".join(f"{o.false:.2f}" for o in shown.values())
        + " | 1.0 ± 0.2 |",
    ]
    for change in CHANGES:
        for gap in CHANGED_GAPS:
            cells = [_days(medians(w, o, change, gap)[0]) for o in shown.values()]
            aim = f"{1.15 * AIMS[change, gap]:.0f}" if (change, gap) in AIMS else ""
            lines.append(f"| {change}, usual gap {gap} days: median days | {' | '.join(cells)} | {aim} |")
    for change in ("stop", "stop of a regular"):
        for gap in CHANGED_GAPS:
            cells = [f"{100 * medians(w, o, change, gap)[1]:.0f} %" for o in shown.values()]
            aim = "95 %" if change == "stop of a regular" else ""
            lines.append(f"| {change}, usual gap {gap} days: found within five gaps | {' | '.join(cells)} | {aim} |")
    lines += [
        "",
        "![Delay against false alarms](alerts.png)",
        "",
        "| accepted false alarms | measured | "
        + " | ".join(f"stop at {gap} days, median" for gap in CHANGED_GAPS)
        + " |",
        "|---|---|" + "---|" * len(CHANGED_GAPS),
    ]
    for per, o in ours.items():
        stops = " | ".join(_days(medians(w, o, "stop", gap)[0]) for gap in CHANGED_GAPS)
        lines.append(f"| {per:g} | {o.false:.2f} | {stops} |")
    return "\n".join(lines + bank) + "\n" + NOTES


NOTES = """
A stop of somebody who comes at random every g days cannot be found within five gaps at one false alarm in 1,000 nights
where g is short: a chance gap of 5 g happens with e^-5, which is more often than the budget allows.

The rule of half the purchases is quick because it fires all the time: at its rate of false alarms most of what it finds
soon after a change is chance. Changes are told from chance by the picture: to the left and below is better.

Not measured here, because it does not exist yet: a category that stops.
"""


def _days(value: float) -> str:
    return f"{value:.0f}" if np.isfinite(value) else "never"


def draw(w: World, ours: dict, by_silence: dict, by_fall: dict) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(1, len(CHANGED_GAPS), figsize=(11, 3.6), sharey=True)
    series = (("movement alerts", ours), ("silence alone", by_silence), ("fall against 3 x 30 days", by_fall))
    for axis, gap in zip(axes, CHANGED_GAPS, strict=True):
        for name, outcomes in series:
            points = [(o.false, medians(w, o, "stop", gap)[0]) for o in outcomes.values()]
            points = sorted((x, y) for x, y in points if np.isfinite(y) and x > 0)
            axis.plot(*zip(*points, strict=True), marker="o", markersize=3, label=name)
        axis.axvline(1.0, color="grey", linewidth=0.8, linestyle=":")
        axis.set(xscale="log", title=f"stop, usual gap {gap} days", xlabel="false alarms / 1,000 customer-nights")
    axes[0].set_ylabel("median days until found")
    axes[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(DOCS / "alerts.png", dpi=90, metadata={"Software": None})


if __name__ == "__main__":
    main()
