"""One day more: what the purchases of a day, and the silence of all others, do to every customer's state.

In: a `State` and the purchases of the day. Out: the state of the next morning. The same function runs a night, a
rebuild from the whole history, and the benchmark.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

from assets.movements import flows, limits
from assets.movements.life import end_alert, is_down, is_open, open_alert
from assets.movements.state import (
    BOUGHT_AGAIN,
    CLOSED,
    DID_NOT_RETURN,
    FASTER,
    LARGER,
    METRICS,
    NEVER,
    NEW,
    NEW_USUAL,
    NONE,
    OPEN,
    RECOVERED,
    SILENCE,
    SLOWER,
    SMALLER,
    TAILS,
    UNIT,
    USUAL_AGAIN,
    WORSENED,
    State,
)

#: How the budget of false alarms is divided: the share of each test. Stops are what a desk calls about. They add up to
#: more than one, because tests of one customer overlap and limits are met at nights, not at moments; docs/alerts.md
#: measures what comes out together.
SHARES_DOWN = {"silence": 0.7, "slower": 0.3, "smaller": 0.2}
SHARES_UP = {"faster": 0.7, "larger": 0.7}
#: What a drift is tuned to: half and double the pace, and a change of the log amount by so many standard deviations.
HALF, DOUBLE = 0.5, 2.0
AMOUNT_SHIFT = 0.8
#: One amount counts at most as so many standard deviations: a single large order is no drift.
AMOUNT_CAP = 3.0
#: Gaps and amounts below which a customer has no usual yet.
MIN_GAPS = 3
MIN_AMOUNTS = 4
#: Shortest gap, in usual days.
LEAST_GAP = 0.1
#: Usual gaps, in days, between which the tail of gaps is counted together.
BANDS = np.array([5.0, 10.0, 20.0])
#: Rare gaps that the foreseen tail counts for.
TAIL_PRIOR = 100.0
#: A gap of whole days stands for all within half a day of it: where in the day the tail is counted.
PARTS_OF_A_DAY = (-0.4, -0.2, 0.0, 0.2, 0.4)
#: Value of the CUSUM of a slower pace from which gaps are kept apart, until it has fallen again.
SUSPECT = 1.0
#: Half of what is learned is forgotten in so many days: a customer's usual is that of about the last year.
HALF_LIFE = 365.0
#: Gaps and amounts that the peers count for beside the customer's own: pace, shape, spread of amounts.
PACE_PRIOR = 1.0
SHAPE_PRIOR = 12.0
SPREAD_PRIOR = 12.0
#: Purchases of all that a day is taken to have had as usual, so that chance in a small business is no season.
CLOCK_PRIOR = 10.0
#: Days in which half of a lasting change of the whole business has become its usual pace.
PACE_HALF_LIFE = 180.0
#: Days from the first on for which every day counts as one: too few have a usual pace to compare a day with.
WARM_DAYS = 56
#: A chance per purchase is never taken larger: an alert must mean something for those who come once a year, too.
MAX_CHANCE = 0.2


@dataclass(frozen=True)
class Budget:
    """False alarms that are accepted: new ones per 1,000 customer-nights, of losses and of gains; after how many nights
    an open alert is closed because it is the new usual; and whether balances are of a bank's accounts."""

    down: float
    up: float
    max_open_days: int
    has_flows: bool = False


NOBODY = (np.empty(0, np.int64), np.empty(0, np.float64))


def advance(
    state: State,
    customers: np.ndarray,
    amounts: np.ndarray,
    budget: Budget,
    balances: tuple[np.ndarray, np.ndarray] = NOBODY,
) -> None:
    """Take the purchases of `state.day` and go on to the next morning, in place.

    customers: numbers of those who bought, rising and each once. amounts: their net sales of the day; not above 0
    counts as a visit without an amount. balances: numbers of those with a new balance that day, and all their accounts
    together at its end.
    """
    c = state.columns
    day = state.day
    for metric in METRICS:
        status = c[f"{metric}_status"]
        ended = status >= RECOVERED
        status[ended] = NONE
        status[status == NEW] = OPEN
    state.n_watched = int(np.count_nonzero(is_watched(state)))
    known = (c["last_day"] > NEVER) & (c["is_asleep"] == 0) & ~is_open(c["orders_status"])
    state.clock, morning = state.clock + _pace_of_the_day(state, known, customers), state.clock
    state.day = day + 1
    for name in TAILS:
        state.pool[name] = int(np.rint(state.pool[name] * 0.5 ** (1 / PACE_HALF_LIFE)))
    if len(customers):
        _take_amounts(state, customers, amounts, budget)
        _take_gaps(state, customers, morning, day, budget)
    _take_silence(state, budget)
    _measure_orders(state)
    _measure_amounts(state)
    _close_old(state, budget)
    if budget.has_flows:
        flows.take_balances(state, *balances, budget.down, budget.max_open_days)


def is_watched(state: State) -> np.ndarray:
    """Customers who could get an alert tomorrow: they have a usual pace, or salary, and no open alert of it."""
    c = state.columns
    by_purchases = (c["n_gaps"] >= MIN_GAPS) & (c["is_asleep"] == 0) & ~is_open(c["orders_status"])
    return by_purchases | (flows.is_watched(c) & ~is_open(c["balance_status"]))


def open_days(clock: float, last_clock: np.ndarray) -> np.ndarray:
    """Days between purchases: half a day less than between their dates, because purchases of one day are one. Gaps of
    whole days then keep the shape of the process behind them, also where people buy nearly every day."""
    return np.maximum(clock - last_clock - 0.5, LEAST_GAP)


def _mean_log(gap: np.ndarray) -> np.ndarray:
    """Mean of the log over the day that a gap of whole days stands for: of the shortest gaps the log of the middle
    would say too much, and all would look more regular than they are."""
    low, high = np.maximum(gap - 0.5, 0.0), gap + 0.5
    return (special.xlogy(high, high) - special.xlogy(low, low)) / (high - low) - 1


def _pace_of_the_day(state: State, known: np.ndarray, customers: np.ndarray) -> float:
    """How many usual days the day was for the business: purchases of those known over what is usual for them. A
    closed day is nearly none, a season more than one."""
    c = state.columns
    peers_gap = np.exp(state.pooled("log_gap", np.log(30.0), 1.0))
    # Time since the last purchase counts, too: else who has just bought decides, and who has left is still expected.
    time = c["gap_total"] + open_days(state.clock, c["last_clock"]) + 0.5 * (c["n_gaps"] + 1)
    usual = np.where(known, (c["n_gaps"] + PACE_PRIOR) / (time + PACE_PRIOR * peers_gap), 0.0)
    expected = float(np.rint(usual / UNIT).astype(np.int64).sum()) * UNIT
    came = float(np.count_nonzero(known[customers]))
    state.age += 1
    if state.age <= WARM_DAYS:
        return 1.0
    pace = (came + CLOCK_PRIOR) / (expected + CLOCK_PRIOR)
    state.usual_pace += (pace - state.usual_pace) * (1 - 0.5 ** (1 / PACE_HALF_LIFE))
    return pace / state.usual_pace


def _take_gaps(state: State, who: np.ndarray, morning: float, day: int, budget: Budget) -> None:
    c = state.columns
    before = c["last_day"][who] > NEVER
    gap = np.where(before, open_days(morning, c["last_clock"][who]), np.nan)
    n, total, shape = c["n_gaps"][who], c["gap_total"][who], c["shape"][who]
    status, test = c["orders_status"][who], c["orders_test"][who]
    asleep = c["is_asleep"][who] == 1
    opened = is_open(status)
    silent = opened & (test == SILENCE)
    tested = before & (n >= MIN_GAPS) & ~asleep & ~silent
    usual_gap = c["usual_gap"][who]

    # The gap as a draw of the gamma distribution with mean one, given what was known before it.
    longer = np.full(len(who), 0.5)
    known, known_total = _pace_known(state, n, total, shape)
    judged = tested | silent
    longer[judged] = limits.gap_exceeds(gap[judged], shape[judged], known[judged], known_total[judged])
    tails = _tails(state, usual_gap)
    for part in PARTS_OF_A_DAY:
        at = np.maximum(gap[judged] + part, LEAST_GAP)
        seen = limits.gap_exceeds(at, shape[judged], known[judged], known_total[judged])
        _count_tail(state, usual_gap[judged], seen)
    longer = limits.realised_chance(longer, *tails)
    level = special.gammainccinv(shape, np.clip(longer, 1e-12, 1 - 1e-12)) / shape
    for name, ratio in (("slower", HALF), ("faster", DOUBLE)):
        step = limits.gap_step(level, shape, ratio)
        _step_cusum(c, name, who, tested, step, day, morning, np.zeros(len(who)))
        reset = silent | asleep
        _reset_cusum(c, name, who[reset], day, morning)

    # An alert ends: a silence with the purchase, a drift when its CUSUM is back at 0.
    end_alert(c, "orders", who[silent], RECOVERED, BOUGHT_AGAIN)
    c["is_asleep"][who] = 0
    slow = opened & (test == SLOWER) & (c["slower_sum"][who] <= 0)
    fast = opened & (test == FASTER) & (c["faster_sum"][who] <= 0)
    end_alert(c, "orders", who[slow | fast], RECOVERED, USUAL_AGAIN)

    # What is usual: learned from all gaps, for leaving out the longest would make everybody look quicker; apart while
    # an alert of a drift is open. A silence that was an alert counts up to twice its limit.
    learned = before & ~asleep
    gap = np.where(silent, np.minimum(gap, 2 * c["silence_limit"][who]), gap)
    forget = np.where(learned, 0.5 ** (np.where(learned, gap, 0.0) / HALF_LIFE), 1.0)
    drifting = learned & ((opened & ~silent & ~slow & ~fast) | (c["slower_sum"][who] > SUSPECT))
    plain = learned & ~drifting
    log_gap = _mean_log(np.where(learned, gap, 1.0))
    _pool_gaps(state, who, -1)
    ended = who[learned & ~drifting & (c["late_n_gaps"][who] > 0)]
    for column in ("n_gaps", "gap_total", "gap_logs"):
        c[column][ended] += c[f"late_{column}"][ended]
        c[f"late_{column}"][ended] = 0.0
    for column, value in (("n_gaps", 1.0), ("gap_total", gap), ("gap_logs", log_gap)):
        value = np.broadcast_to(value, gap.shape)
        c[column][who] = np.where(plain, c[column][who] * forget + value, c[column][who])
        c[f"late_{column}"][who] += np.where(drifting, value, 0.0)
    _pool_gaps(state, who, 1)

    c["last_day"][who] = day
    c["last_clock"][who] = morning
    set_limits(state, who, budget)

    # More often than usual: seen at purchases only.
    rate = SHARES_UP["faster"] * budget.up / 1000
    risen = (
        tested
        & (c["orders_status"][who] == NONE)
        & (c["faster_sum"][who] >= limits.gap_limit(_chance(rate, usual_gap), shape, DOUBLE))
    )
    open_alert(c, "orders", who[risen], FASTER, day + 1)


def _pace_known(state: State, n: np.ndarray, total: np.ndarray, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Posterior gamma(known, total) of the rate of gaps: own gaps, and `PACE_PRIOR` of the peers' usual length."""
    peers_gap = np.exp(state.pooled("log_gap", np.log(30.0), 1.0))
    return shape * (n + PACE_PRIOR), total + PACE_PRIOR * peers_gap


def _band(usual_gap: np.ndarray) -> np.ndarray:
    return np.searchsorted(BANDS, usual_gap, side="right")


def _tails(state: State, usual_gap: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of the band: how often a gap was as rare as `limits.TAIL`, and how much rarer then (1: as foreseen)."""
    n, beyond, logs = (
        np.array([state.pool[f"tail_{what}_{band}"] * UNIT for band in range(len(BANDS) + 1)])
        for what in ("n", "beyond", "logs")
    )
    prior = TAIL_PRIOR * len(PARTS_OF_A_DAY)
    share = (beyond + prior) / (n + prior / limits.TAIL)
    depth = (logs + prior) / (beyond + prior)
    band = _band(usual_gap)
    return share[band], depth[band]


def _count_tail(state: State, usual_gap: np.ndarray, longer: np.ndarray) -> None:
    """Count how rare the gaps were that ended: whoever comes back was no loss, so these are the false alarms."""
    band = _band(usual_gap)
    beyond = longer <= limits.TAIL
    logs = np.rint(np.log(limits.TAIL / np.where(beyond, np.maximum(longer, 1e-9), 1.0)) / UNIT).astype(np.int64)
    for number in range(len(BANDS) + 1):
        own = band == number
        state.pool[f"tail_n_{number}"] += round(int(own.sum()) / UNIT)
        state.pool[f"tail_beyond_{number}"] += round(int((own & beyond).sum()) / UNIT)
        state.pool[f"tail_logs_{number}"] += int(logs[own & beyond].sum())


def set_limits(state: State, who: np.ndarray, budget: Budget) -> None:
    """Shape, usual gap, and the silences at which tests fire, until the next purchase of `who`."""
    c = state.columns
    n, total = c["n_gaps"][who], c["gap_total"][who]
    safe = np.maximum(n, 1e-9)
    own = np.log(np.maximum(total, 1e-9) / safe) - c["gap_logs"][who] / safe
    peers = state.pooled("spread", 0.5772, 1.0)
    freedom = np.maximum(n - 1, 0.0)
    spread = (np.where(n > 0, own, 0.0) * n + SHAPE_PRIOR * peers) / (freedom + SHAPE_PRIOR)
    shape = limits.shape_of_spread(spread)
    known, known_total = _pace_known(state, n, total, shape)
    usual_gap = known_total / (n + PACE_PRIOR)
    c["shape"][who] = shape
    c["usual_gap"][who] = usual_gap
    has_usual = n >= MIN_GAPS
    kept = _kept_share(c, who)

    chance = _chance(SHARES_DOWN["silence"] * kept * budget.down / 1000, usual_gap)
    tails = _tails(state, usual_gap)
    at = limits.nominal_chance(chance, *tails)
    c["silence_limit"][who] = np.where(has_usual, limits.gap_exceeded_with(at, shape, known, known_total), np.inf)

    # The CUSUM as it would be if the customer bought now reaches its limit with a gap of `level` usual ones.
    chance = _chance(SHARES_DOWN["slower"] * kept * budget.down / 1000, usual_gap)
    limit = limits.gap_limit(chance, shape, HALF)
    level = ((limit - c["slower_sum"][who]) / shape - np.log(HALF)) / (1 - HALF)
    left = np.clip(special.gammaincc(shape, shape * np.maximum(level, 0.0)), 1e-12, 1 - 1e-12)
    at = limits.nominal_chance(left, *tails)
    c["slower_limit"][who] = np.where(has_usual, limits.gap_exceeded_with(at, shape, known, known_total), np.inf)


def _take_silence(state: State, budget: Budget) -> None:
    """Open an alert for everybody who is silent beyond a limit, and say where an open one has become worse."""
    c = state.columns
    silence = open_days(state.clock, c["last_clock"])
    status, test = c["orders_status"], c["orders_test"]
    has_usual = (c["n_gaps"] >= MIN_GAPS) & (c["is_asleep"] == 0)
    is_silent = has_usual & (silence >= c["silence_limit"])
    is_slower = has_usual & ~is_silent & (silence >= c["slower_limit"])
    fallen = is_open(status) & is_down(test)
    open_alert(c, "orders", np.flatnonzero((is_silent | is_slower) & ~fallen), SILENCE, state.day)
    only_slower = is_slower & ~fallen
    test[only_slower] = SLOWER
    worse = ((status == OPEN) & (test == SLOWER) & is_silent) | (
        (status == OPEN) & (test == SILENCE) & (silence >= 2 * c["silence_limit"])
    )
    status[worse] = WORSENED
    test[fallen & (test == SLOWER) & is_silent] = SILENCE


def _measure_orders(state: State) -> None:
    """What an open alert about the pace is worth: purchases since the change against the usual ones."""
    c = state.columns
    who = np.flatnonzero(is_open(c["orders_status"]))
    if not len(who):
        return
    test = c["orders_test"][who]
    silent, faster = test == SILENCE, test == FASTER
    since = np.where(faster, c["faster_since"][who], c["slower_since"][who])
    clock = np.where(faster, c["faster_since_clock"][who], c["slower_since_clock"][who])
    recent = np.where(faster, c["faster_since_n"][who], c["slower_since_n"][who])
    since, clock = np.where(silent, c["last_day"][who], since), np.where(silent, c["last_clock"][who], clock)
    recent = np.where(silent, 0.0, recent)
    pace = 1 / (c["usual_gap"][who] + 0.5)
    expected = (state.clock - clock) * pace
    c["orders_changed_on"][who] = since
    c["orders_recent"][who] = recent
    c["orders_usual"][who] = (state.day - since) * pace
    c["orders_expected"][who] = expected
    c["orders_money"][who] = (recent - expected) * c["amount_total"][who] / np.maximum(c["n_amounts"][who], 1.0)


def _measure_amounts(state: State) -> None:
    c = state.columns
    who = np.flatnonzero(is_open(c["order_value_status"]))
    if not len(who):
        return
    larger = c["order_value_test"][who] == LARGER
    since, n, total, peers = (
        np.where(larger, c[f"larger_{name}"][who], c[f"smaller_{name}"][who])
        for name in ("since", "since_n", "since_total", "since_peers")
    )
    n = np.maximum(n, 1.0)
    usual = c["amount_total"][who] / np.maximum(c["n_amounts"][who], 1.0)
    c["order_value_changed_on"][who] = since
    c["order_value_recent"][who] = total / n
    c["order_value_usual"][who] = usual
    c["order_value_expected"][who] = usual * np.exp(peers / n)
    c["order_value_money"][who] = total - usual * np.exp(peers / n) * n


def _close_old(state: State, budget: Budget) -> None:
    c = state.columns
    for metric in ("orders", "order_value"):
        old = is_open(c[f"{metric}_status"]) & (state.day - c[f"{metric}_first_seen"] >= budget.max_open_days)
        if not old.any():
            continue
        gone = old & (c[f"{metric}_test"] == SILENCE)
        c["is_asleep"][gone] = 1
        end_alert(c, metric, np.flatnonzero(gone), CLOSED, DID_NOT_RETURN)
        settled = np.flatnonzero(old & ~gone)
        end_alert(c, metric, settled, CLOSED, NEW_USUAL)
        if metric == "orders":
            _pool_gaps(state, settled, -1)
            for column in ("n_gaps", "gap_total", "gap_logs"):
                c[column][settled] = c[f"late_{column}"][settled]
                c[f"late_{column}"][settled] = 0.0
            _pool_gaps(state, settled, 1)
            for name in ("slower", "faster"):
                _reset_cusum(c, name, settled, state.day, state.clock)
            set_limits(state, settled, budget)
        else:
            _pool_amounts(state, settled, -1)
            for column in ("n_amounts", "amount_logs", "amount_squares", "amount_total"):
                c[column][settled] = c[f"late_{column}"][settled]
                c[f"late_{column}"][settled] = 0.0
            _pool_amounts(state, settled, 1)
            for name in ("smaller", "larger"):
                _reset_cusum(c, name, settled, state.day, state.clock)


def _take_amounts(state: State, who: np.ndarray, amounts: np.ndarray, budget: Budget) -> None:
    """Drift of the log of a day's sales against the own mean and spread, with what moved all customers that day taken
    out."""
    c = state.columns
    paid = amounts > 0
    who, amounts = who[paid], amounts[paid]
    if not len(who):
        return
    value = np.log(amounts)
    n, logs, squares = c["n_amounts"][who], c["amount_logs"][who], c["amount_squares"][who]
    safe = np.maximum(n, 1e-9)
    mean = logs / safe
    has_usual = n >= MIN_AMOUNTS
    rest = np.where(has_usual, value - mean, 0.0)
    peers = float(np.rint(rest / UNIT).astype(np.int64).sum()) * UNIT / (np.count_nonzero(has_usual) + 2 * CLOCK_PRIOR)
    value = value - peers
    status, test = c["order_value_status"][who], c["order_value_test"][who]
    opened = is_open(status)

    freedom = np.maximum(n - 1, 0.0) + SPREAD_PRIOR
    variance = (squares + SPREAD_PRIOR * state.pooled("square", 0.25, 1.0)) / freedom
    t = (value - mean) / np.sqrt(variance * (1 + 1 / np.maximum(n, 1.0)))
    z = np.clip(special.ndtri(np.clip(special.stdtr(freedom, t), 1e-9, 1 - 1e-9)), -AMOUNT_CAP, AMOUNT_CAP)
    for name, sign in (("smaller", -1.0), ("larger", 1.0)):
        step = AMOUNT_SHIFT * (sign * z - AMOUNT_SHIFT / 2)
        _step_cusum(c, name, who, has_usual, step, state.day - 1, state.clock, amounts, peers)
    small = opened & (test == SMALLER) & (c["smaller_sum"][who] <= 0)
    large = opened & (test == LARGER) & (c["larger_sum"][who] <= 0)
    back = small | large
    end_alert(c, "order_value", who[back], RECOVERED, USUAL_AGAIN)

    drifting = opened & ~back
    _pool_amounts(state, who, -1)
    _merge_amounts(c, who[back])
    _learn_amount(c, "", who[~drifting], value[~drifting], amounts[~drifting])
    _learn_amount(c, "late_", who[drifting], value[drifting], amounts[drifting])
    _pool_amounts(state, who, 1)

    usual_gap = c["usual_gap"][who]
    free = has_usual & (c["order_value_status"][who] == NONE) & (usual_gap > 0)
    for name, code, rate in (
        ("smaller", SMALLER, SHARES_DOWN["smaller"] * _kept_share(c, who) * budget.down / 1000),
        ("larger", LARGER, SHARES_UP["larger"] * budget.up / 1000),
    ):
        limit = limits.amount_limit(_chance(rate, usual_gap), AMOUNT_SHIFT, AMOUNT_CAP)
        crossed = free & (c[f"{name}_sum"][who] >= limit)
        open_alert(c, "order_value", who[crossed], code, state.day)


def _learn_amount(c: dict[str, np.ndarray], kind: str, who: np.ndarray, value: np.ndarray, amounts: np.ndarray) -> None:
    """One more amount (Welford), older ones weighing less as purchases go on."""
    keep = np.where(c["usual_gap"][who] > 0, 0.5 ** (c["usual_gap"][who] / HALF_LIFE), 1.0)
    n = c[f"{kind}n_amounts"][who] * keep
    logs = c[f"{kind}amount_logs"][who] * keep
    squares = c[f"{kind}amount_squares"][who] * keep
    off = np.where(n > 0, value - logs / np.maximum(n, 1e-9), 0.0)
    c[f"{kind}n_amounts"][who] = n + 1
    c[f"{kind}amount_logs"][who] = logs + value
    c[f"{kind}amount_squares"][who] = squares + off * off * n / (n + 1)
    c[f"{kind}amount_total"][who] = c[f"{kind}amount_total"][who] * keep + amounts


def _merge_amounts(c: dict[str, np.ndarray], who: np.ndarray) -> None:
    """What was learned apart while an alert was open becomes part of the usual (Chan's sum of two sets)."""
    n, late = c["n_amounts"][who], c["late_n_amounts"][who]
    apart = c["amount_logs"][who] / np.maximum(n, 1e-9) - c["late_amount_logs"][who] / np.maximum(late, 1e-9)
    between = np.where(late > 0, apart * apart * n * late / np.maximum(n + late, 1e-9), 0.0)
    c["amount_squares"][who] += c["late_amount_squares"][who] + between
    for column in ("n_amounts", "amount_logs", "amount_total"):
        c[column][who] += c[f"late_{column}"][who]
    for column in ("n_amounts", "amount_logs", "amount_squares", "amount_total"):
        c[f"late_{column}"][who] = 0.0


def _step_cusum(
    c: dict[str, np.ndarray],
    name: str,
    who: np.ndarray,
    tested: np.ndarray,
    step: np.ndarray,
    day: int,
    clock: float,
    amounts: np.ndarray,
    peers: float = 0.0,
) -> None:
    """max(0, sum + step) for those tested, and since when it has been above 0."""
    now = np.maximum(0.0, c[f"{name}_sum"][who] + np.where(tested, step, 0.0))
    at_zero = now <= 0
    c[f"{name}_sum"][who] = now
    c[f"{name}_since"][who] = np.where(at_zero, day, c[f"{name}_since"][who])
    c[f"{name}_since_clock"][who] = np.where(at_zero, clock, c[f"{name}_since_clock"][who])
    c[f"{name}_since_n"][who] = np.where(at_zero, 0.0, c[f"{name}_since_n"][who] + 1)
    c[f"{name}_since_total"][who] = np.where(at_zero, 0.0, c[f"{name}_since_total"][who] + amounts)
    c[f"{name}_since_peers"][who] = np.where(at_zero, 0.0, c[f"{name}_since_peers"][who] + peers)


def _reset_cusum(c: dict[str, np.ndarray], name: str, who: np.ndarray, day: int, clock: float) -> None:
    c[f"{name}_sum"][who] = 0.0
    c[f"{name}_since"][who] = day
    c[f"{name}_since_clock"][who] = clock
    c[f"{name}_since_n"][who] = 0.0
    c[f"{name}_since_total"][who] = 0.0
    c[f"{name}_since_peers"][who] = 0.0


def _kept_share(c: dict[str, np.ndarray], who: np.ndarray) -> np.ndarray:
    """Of the budget of losses: all of it but for those whose flows are watched, too."""
    return np.where(flows.is_watched(c)[who], flows.SHARE_OF_PURCHASES, 1.0)


def _chance(rate: float | np.ndarray, usual_gap: np.ndarray) -> np.ndarray:
    """False alarms a night, as a chance per purchase."""
    return np.clip(rate * usual_gap, 1e-9, MAX_CHANCE)


def _pool_gaps(state: State, who: np.ndarray, sign: int) -> None:
    """Take the part of `who` out of the peers' sums, or put it in."""
    c = state.columns
    n = c["n_gaps"][who]
    counts = n >= MIN_GAPS
    n = n[counts]
    total, logs = c["gap_total"][who][counts], c["gap_logs"][who][counts]
    _pool(state, "spread", sign, n * (np.log(total / n) - logs / n), n - 1)
    _pool(state, "log_gap", sign, np.log(total / n), np.ones(len(n)))


def _pool_amounts(state: State, who: np.ndarray, sign: int) -> None:
    c = state.columns
    n = c["n_amounts"][who]
    counts = n >= MIN_AMOUNTS
    _pool(state, "square", sign, c["amount_squares"][who][counts], n[counts] - 1)


def _pool(state: State, name: str, sign: int, values: np.ndarray, weights: np.ndarray) -> None:
    state.pool[f"{name}_sum"] += sign * int(np.rint(values / UNIT).astype(np.int64).sum())
    state.pool[f"{name}_weight"] += sign * int(np.rint(weights / UNIT).astype(np.int64).sum())
