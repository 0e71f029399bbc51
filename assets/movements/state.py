"""What is carried from one night to the next: a row a customer, an array a column.

In: nothing. Out: `State`, its columns and their starting values. `docs/decisions/0027` says why it looks like this.
"""

from dataclasses import dataclass, field

import numpy as np

#: A day that has not come: dates are days since 1970-01-01.
NEVER = -(10**6)

#: Statuses of an alert, by number.
STATUSES = ("none", "new", "open", "worsened", "recovered", "closed")
NONE, NEW, OPEN, WORSENED, RECOVERED, CLOSED = range(6)
#: Why an alert is no longer open, by number.
REASONS = (None, "bought_again", "usual_again", "did_not_return", "new_usual", "salary_came")
BOUGHT_AGAIN, USUAL_AGAIN, DID_NOT_RETURN, NEW_USUAL, SALARY_CAME = range(1, 6)
#: Tests that may open an alert, by number.
TESTS = (
    None, "silence", "slower", "faster", "smaller", "larger", "no_salary", "outflow", "swept", "drawdown",
)  # fmt: skip
SILENCE, SLOWER, FASTER, SMALLER, LARGER, NO_SALARY, OUTFLOW, SWEPT, DRAWDOWN = range(1, 10)
#: What may move: how often, how much, and what a bank's customers leave with it.
METRICS = ("orders", "order_value", "balance")

#: Metric by metric, the columns that describe the life of an alert, with their starting values.
LIFE = {
    "status": NONE,
    "test": 0,
    "first_seen": NEVER,
    "closed_because": 0,
    "changed_on": NEVER,  # since when the movement is, and over that time:
    "recent": 0.0,  # purchases, or the mean amount of one
    "usual": 0.0,  # what was usual for the customer
    "expected": 0.0,  # usual, had the customer gone with the others
    "money": 0.0,  # recent less expected, in money
}
#: The two CUSUMs of a metric, against the usual and in its favour: value, and day, clock, purchases, amounts and
#: what moved the logs of all customers' amounts since it left 0.
CUSUM = {"sum": 0.0, "since": NEVER, "since_clock": 0.0, "since_n": 0.0, "since_total": 0.0, "since_peers": 0.0}

#: Column to starting value. Integers are days, counts and codes; the rest are doubles.
COLUMNS: dict[str, int | float] = {
    "last_day": NEVER,  # day of the last purchase
    "last_clock": 0.0,  # the business's clock that morning
    "n_gaps": 0.0,  # gaps that the usual pace is learned from, older ones weighing less
    "gap_total": 0.0,  # their sum, in days of the business's clock
    "gap_logs": 0.0,  # and the sum of their logs
    "late_n_gaps": 0.0,  # the same since an alert was opened, kept apart from what is usual
    "late_gap_total": 0.0,
    "late_gap_logs": 0.0,
    "shape": 1.0,  # of the gaps, as of the last purchase
    "usual_gap": 0.0,  # mean gap that is usual, as of the last purchase
    "silence_limit": np.inf,  # silence from which it is an alert
    "slower_limit": np.inf,  # silence at which the CUSUM reaches its limit
    "is_asleep": 0,  # an alert was closed because the customer did not return
    "n_amounts": 0.0,
    "amount_logs": 0.0,
    "amount_squares": 0.0,  # sum of squares about the own mean
    "amount_total": 0.0,
    "late_n_amounts": 0.0,
    "late_amount_logs": 0.0,
    "late_amount_squares": 0.0,
    "late_amount_total": 0.0,
    **{
        f"{cusum}_{name}": value for cusum in ("slower", "faster", "smaller", "larger") for name, value in CUSUM.items()
    },
    "money_now": 0.0,  # all accounts together, as of the newest balance
    "money_day": NEVER,  # its day
    "salary_day": NEVER,  # day of the last salary: a cycle runs from one to the next
    "salary_usual": 0.0,  # mean of about the last six
    "cycle_early": 0.0,  # lowest balance of the cycle within the days that are soon after the salary
    "cycle_low": 0.0,  # lowest balance of the cycle
    "cycle_is_seen": 0,  # a balance came since the salary
    # Logs of the four numbers of a cycle: how many (older ones weigh less), mean, sum of squares about it.
    **{f"{name}_{what}": 0.0 for name in ("salary_gap", "early", "low", "peak") for what in ("n", "mean", "squares")},
    **{f"{metric}_{name}": value for metric in METRICS for name, value in LIFE.items()},
}
#: Sums over all customers, which no order of adding changes: kept as integers, in units of 2^-20.
UNIT = 2.0**-20
TAILS = tuple(f"tail_{what}_{band}" for what in ("n", "beyond", "logs") for band in range(4))
POOL = (
    *TAILS,
    "spread_sum",
    "spread_weight",
    "log_gap_sum",
    "log_gap_weight",
    "square_sum",
    "square_weight",
)


@dataclass
class State:
    """All customers as of the morning of `day`: `columns[name][i]` is of customer number i.

    clock: days of the business's clock so far. usual_pace: of late, what it runs at before it is set to one. age: days
    taken. n_watched: customers who could have got a new alert this morning. pool: sums over all customers, in `UNIT`.
    """

    day: int
    clock: float = 0.0
    usual_pace: float = 1.0
    age: int = 0
    n_watched: int = 0
    pool: dict[str, int] = field(default_factory=lambda: dict.fromkeys(POOL, 0))
    columns: dict[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def empty(cls, day: int) -> "State":
        return cls(day, columns={name: np.empty(0, dtype_of(name)) for name in COLUMNS})

    @property
    def n_customers(self) -> int:
        return len(self.columns["last_day"])

    def grow_to(self, n_customers: int) -> None:
        """Append customers of whom nothing is known."""
        missing = n_customers - self.n_customers
        if missing > 0:
            for name, start in COLUMNS.items():
                new: np.ndarray = np.full(missing, start, dtype_of(name))
                self.columns[name] = np.concatenate([self.columns[name], new])

    def pooled(self, name: str, start: float, weight: float) -> float:
        """Mean of `name` over all customers, drawn to `start` with a weight of so many."""
        total, n = self.pool[f"{name}_sum"] * UNIT, self.pool[f"{name}_weight"] * UNIT
        return (total + weight * start) / (n + weight)


def dtype_of(name: str) -> type:
    return np.int64 if isinstance(COLUMNS[name], int) else np.float64
