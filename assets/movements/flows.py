"""Flows of a bank's accounts: salary that is late, money that leaves soon after, an account that is emptied or sinks.

In: a `State` and the balances of a day. Out: the state with alerts of the metric `balance`. Each cycle from salary to
salary gives four numbers, and each is held against the customer's own earlier ones: the chance of one as low (or a gap
as long) is the exact tail of Student's prediction for the next of n logs.
"""

import numpy as np
from scipy import special

from assets.movements.life import end_alert, is_open, open_alert
from assets.movements.state import (
    CLOSED,
    DID_NOT_RETURN,
    DRAWDOWN,
    NEVER,
    NEW_USUAL,
    NO_SALARY,
    NONE,
    OPEN,
    OUTFLOW,
    RECOVERED,
    SALARY_CAME,
    SWEPT,
    UNIT,
    USUAL_AGAIN,
    WORSENED,
    State,
)

#: Share of the budget of false alarms of losses that each test has, of customers whose salary is known. With those of
#: purchases they add up to more than one, for the reasons of `night.SHARES_DOWN`; docs/alerts.md has what comes out.
SHARES = {NO_SALARY: 0.2, OUTFLOW: 0.2, SWEPT: 0.15, DRAWDOWN: 0.15}
#: What the tests of purchases keep of theirs, of the same customers.
SHARE_OF_PURCHASES = 0.6
#: The number of a cycle that each test of a balance looks at.
NUMBERS = {OUTFLOW: "early", SWEPT: "low", DRAWDOWN: "peak"}
#: Cycles below which nothing is usual.
MIN_CYCLES = 6
#: A rise of at least so much of the usual salary is one.
SALARY_SHARE = 0.5
#: Days from one salary to the next: a shorter gap is a second payment of the same cycle.
MIN_CYCLE_DAYS = 10
#: Days in which money leaves "soon".
SOON_DAYS = 7
#: Smallest spread of logs: a day of a month's gap, a twentieth of a balance. Nobody is as exact as equal months look.
LEAST_SPREAD = {"salary_gap": 0.035, "early": 0.05, "low": 0.05, "peak": 0.05}
#: Balances below this share of the salary count as so much: of an empty account there is no log.
LEAST_BALANCE = 0.01
#: Half of what is learned is forgotten in so many days.
HALF_LIFE = 365.0
#: Customers that a day is taken to have had as usual, so that chance among few is no change of all.
PEERS_PRIOR = 20.0


def is_watched(c: dict[str, np.ndarray]) -> np.ndarray:
    """Customers with a usual salary: what comes in is known of enough cycles."""
    return c["salary_gap_n"] >= MIN_CYCLES


def take_balances(state: State, who: np.ndarray, balances: np.ndarray, per_1000: float, max_open_days: int) -> None:
    """Take the balances at the end of the day before `state.day`, and look at everybody.

    who: numbers of customers with a new balance, rising and each once. balances: all their accounts together.
    per_1000: accepted false alarms of losses. Nobody's salary is missing while nobody's balances arrive."""
    c = state.columns
    day = state.day - 1
    started = c["last_day"][who] > NEVER
    who, balances = who[started], balances[started]
    rise = np.where(c["money_day"][who] > NEVER, balances - c["money_now"][who], 0.0)
    since = day - c["salary_day"][who]
    paid = (rise > 0) & (rise >= SALARY_SHARE * c["salary_usual"][who]) & (since >= MIN_CYCLE_DAYS)
    _end_cycle(state, who[paid], rise[paid], balances[paid], day, per_1000)
    _lower(state, who[~paid], balances[~paid], day, per_1000)
    c["money_now"][who] = balances
    c["money_day"][who] = day
    _miss_salaries(state, per_1000)
    _close_old(state, max_open_days)


def _end_cycle(
    state: State, who: np.ndarray, salary: np.ndarray, balances: np.ndarray, day: int, per_1000: float
) -> None:
    """A salary came: learn the cycle that it ends, and begin the next with the balance of the day."""
    c = state.columns
    if not len(who):
        return
    before = c["salary_day"][who] > NEVER
    calm = ~is_open(c["balance_status"][who])
    gap = np.where(before, day - c["salary_day"][who], 30.0).astype(np.float64)
    _recover(c, who, NO_SALARY, np.ones(len(who), bool), SALARY_CAME)
    floor = np.maximum(LEAST_BALANCE * c["salary_usual"][who], 1.0)
    for name in ("early", "low"):
        value = np.log(np.maximum(c[f"cycle_{name}"][who], floor))
        test = OUTFLOW if name == "early" else SWEPT
        usual = _tail(c, name, who, value) > 0.2
        _recover(c, who, test, before & usual, USUAL_AGAIN)
        learned = before & (c["cycle_is_seen"][who] == 1) & calm
        _learn(c, name, who[learned], value[learned], gap[learned])
    # Two salaries that did not come, and came again, are no gap to learn.
    plain = before & ((c["salary_gap_n"][who] < MIN_CYCLES) | (gap < 1.6 * np.exp(c["salary_gap_mean"][who])))
    _learn(c, "salary_gap", who[plain], np.log(gap[plain]), gap[plain])
    c["salary_day"][who] = day
    weight = 1 / np.minimum(c["salary_gap_n"][who] + 1, 6.0)
    c["salary_usual"][who] += (salary - c["salary_usual"][who]) * weight
    for name in ("early", "low"):
        c[f"cycle_{name}"][who] = balances
    c["cycle_is_seen"][who] = 0

    value = np.log(np.maximum(balances, np.maximum(LEAST_BALANCE * c["salary_usual"][who], 1.0)))
    known = c["peak_n"][who] >= MIN_CYCLES
    rest = np.where(known, value - c["peak_mean"][who], 0.0)
    peers = float(np.rint(rest / UNIT).astype(np.int64).sum()) * UNIT / (np.count_nonzero(known) + PEERS_PRIOR)
    value = value - peers
    tail = _tail(c, "peak", who, value)
    _recover(c, who, DRAWDOWN, tail > 0.2, USUAL_AGAIN)
    fired = tail <= _chance(c, who, DRAWDOWN, per_1000)
    _fire(state, who[fired], DRAWDOWN, balances[fired], peers)
    calm &= ~is_open(c["balance_status"][who])
    _learn(c, "peak", who[calm], value[calm], gap[calm])


def _lower(state: State, who: np.ndarray, balances: np.ndarray, day: int, per_1000: float) -> None:
    """A balance that is no salary: the lowest of the cycle so far. The lowest of a cycle is below a limit as soon as
    one balance is, so each counts when it comes."""
    c = state.columns
    known = c["salary_day"][who] > NEVER
    who, balances = who[known], balances[known]
    soon = day - c["salary_day"][who] <= SOON_DAYS
    c["cycle_is_seen"][who] = 1
    c["cycle_low"][who] = np.minimum(c["cycle_low"][who], balances)
    c["cycle_early"][who] = np.where(soon, np.minimum(c["cycle_early"][who], balances), c["cycle_early"][who])
    floor = np.maximum(LEAST_BALANCE * c["salary_usual"][who], 1.0)
    for test, tested in ((OUTFLOW, soon), (SWEPT, ~soon)):
        value = np.log(np.maximum(c[f"cycle_{NUMBERS[test]}"][who], floor))
        fired = tested & (_tail(c, NUMBERS[test], who, value) <= _chance(c, who, test, per_1000))
        _fire(state, who[fired], test, balances[fired], 0.0)


def _miss_salaries(state: State, per_1000: float) -> None:
    """Whose salary is later than is usual for them, by the newest day of which balances came. The gap of whole days
    is at least one day more than what is seen; the tail in its middle is its mid-p."""
    c = state.columns
    who = np.flatnonzero(is_watched(c))
    if not len(who):
        return
    late = (c["money_day"].max() + 1 - c["salary_day"][who]).astype(np.float64)
    tail = _tail(c, "salary_gap", who, -np.log(np.maximum(late, 1.0)), sign=-1.0)
    status = c["balance_status"][who]
    fired = (tail <= _chance(c, who, NO_SALARY, per_1000)) & (c["salary_usual"][who] > 0)
    _fire(state, who[fired], NO_SALARY, np.zeros(np.count_nonzero(fired)), 0.0)
    missing = c["balance_test"][who] == NO_SALARY
    cycles = late / np.exp(c["salary_gap_mean"][who])
    c["balance_status"][who[missing & (status == OPEN) & (cycles >= 2)]] = WORSENED
    missing &= is_open(c["balance_status"][who])
    owed = c["salary_usual"][who[missing]] * np.floor(cycles[missing] + 0.5)
    c["balance_usual"][who[missing]] = owed
    c["balance_expected"][who[missing]] = owed
    c["balance_money"][who[missing]] = -owed


def _fire(state: State, who: np.ndarray, test: int, recent: np.ndarray, peers: float) -> None:
    """Open an alert where none is; a second test that fires makes an open one worse."""
    c = state.columns
    status = c["balance_status"][who]
    c["balance_status"][who[(status == OPEN) & (c["balance_test"][who] != test)]] = WORSENED
    free = status == NONE
    who, recent = who[free], recent[free]
    open_alert(c, "balance", who, test, state.day)
    usual = np.exp(c[f"{NUMBERS[test]}_mean"][who]) if test in NUMBERS else c["salary_usual"][who]
    c["balance_changed_on"][who] = c["salary_day"][who]
    c["balance_recent"][who] = recent
    c["balance_usual"][who] = usual
    c["balance_expected"][who] = usual * np.exp(peers)
    c["balance_money"][who] = recent - usual * np.exp(peers)


def _recover(c: dict[str, np.ndarray], who: np.ndarray, test: int, usual: np.ndarray, reason: int) -> None:
    over = usual & is_open(c["balance_status"][who]) & (c["balance_test"][who] == test)
    end_alert(c, "balance", who[over], RECOVERED, reason)


def _close_old(state: State, max_open_days: int) -> None:
    """What has lasted so long is the new usual, and is learned from the next cycle on."""
    c = state.columns
    old = is_open(c["balance_status"]) & (state.day - c["balance_first_seen"] >= max_open_days)
    gone = old & (c["balance_test"] == NO_SALARY)
    end_alert(c, "balance", np.flatnonzero(gone), CLOSED, DID_NOT_RETURN)
    end_alert(c, "balance", np.flatnonzero(old & ~gone), CLOSED, NEW_USUAL)
    for name in ("salary_gap", "early", "low", "peak"):
        c[f"{name}_n"][old] = 0.0
        c[f"{name}_squares"][old] = 0.0
    c["salary_usual"][gone] = 0.0


def _chance(c: dict[str, np.ndarray], who: np.ndarray, test: int, per_1000: float) -> np.ndarray:
    """False alarms a night, as a chance a cycle; never where no salary is usual."""
    cycle = np.exp(c["salary_gap_mean"][who])
    return np.where(is_watched(c)[who], np.minimum(SHARES[test] * per_1000 / 1000 * cycle, 0.1), -1.0)


def _tail(c: dict[str, np.ndarray], name: str, who: np.ndarray, value: np.ndarray, sign: float = 1.0) -> np.ndarray:
    """Chance of a next log as low as `value`; 1 where too few are known. sign -1: of the negative logs."""
    n = c[f"{name}_n"][who]
    freedom = np.maximum(n - 1, 1.0)
    spread = np.sqrt(np.maximum(c[f"{name}_squares"][who] / freedom, LEAST_SPREAD[name] ** 2))
    t = (value - sign * c[f"{name}_mean"][who]) / (spread * np.sqrt(1 + 1 / np.maximum(n, 1.0)))
    return np.where(n >= MIN_CYCLES, special.stdtr(freedom, t), 1.0)


def _learn(c: dict[str, np.ndarray], name: str, who: np.ndarray, value: np.ndarray, days: np.ndarray) -> None:
    """One more log (Welford), older ones weighing less by the days that passed."""
    keep = 0.5 ** (days / HALF_LIFE)
    n = c[f"{name}_n"][who] * keep
    off = np.where(n > 0, value - c[f"{name}_mean"][who], 0.0)
    c[f"{name}_mean"][who] = np.where(n > 0, c[f"{name}_mean"][who] + off / (n + 1), value)
    c[f"{name}_squares"][who] = c[f"{name}_squares"][who] * keep + off * off * n / (n + 1)
    c[f"{name}_n"][who] = n + 1
