"""How an alert opens and ends, for every test.

In: columns of a state and numbers of customers. Out: the same columns, in place. When a test fires stands elsewhere.
"""

import numpy as np

from assets.movements.state import DRAWDOWN, NEW, NO_SALARY, OUTFLOW, SILENCE, SLOWER, SMALLER, SWEPT, WORSENED

LOSSES = (SILENCE, SLOWER, SMALLER, NO_SALARY, OUTFLOW, SWEPT, DRAWDOWN)


def is_open(status: np.ndarray) -> np.ndarray:
    return (status >= NEW) & (status <= WORSENED)


def is_down(test: np.ndarray) -> np.ndarray:
    """Of losses: all tests but faster and larger."""
    return np.isin(test, LOSSES)


def open_alert(c: dict[str, np.ndarray], metric: str, who: np.ndarray, test: int, day: int) -> None:
    c[f"{metric}_status"][who] = NEW
    c[f"{metric}_test"][who] = test
    c[f"{metric}_first_seen"][who] = day
    c[f"{metric}_closed_because"][who] = 0


def end_alert(c: dict[str, np.ndarray], metric: str, who: np.ndarray, status: int, reason: int) -> None:
    c[f"{metric}_status"][who] = status
    c[f"{metric}_closed_because"][who] = reason
