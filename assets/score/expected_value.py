"""Expected margins of scored customers, and the day of the next purchase of everybody who ever purchased.

In: features, probabilities, margins of a batch of customers, the value model of the active model. Out: columns of
`score.expected_value`. The date moves with the silence every night, although the model is the same for a month.
"""

from datetime import date

import numpy as np
import pyarrow as pa

from assets.model.retention_model import MARGIN_DECIMALS
from assets.model.value_model import PUBLISHED_DAYS, ValueModel

_MONEY = (
    "expected_margin_horizon",
    "expected_margin_horizon_low",
    "expected_margin_horizon_high",
    "expected_margin_year",
    "expected_margin_year_low",
    "expected_margin_year_high",
    "value_at_risk_year",
)
_NO_ORDER = tuple(f"no_order_within_{days}d" for days in PUBLISHED_DAYS)
#: Days of the year that the margins of the year are about.
YEAR_DAYS = 365
#: Days are published with this many decimals.
DAYS_DECIMALS = 6
VALUE_SCHEMA = (
    *((name, pa.float64()) for name in (*_MONEY, *_NO_ORDER)),
    ("expected_gap_days", pa.float64()),
    ("overdue_ratio", pa.float64()),
    ("expected_next_order_days", pa.float64()),
    ("expected_next_order_on", pa.date32()),
    ("expected_next_order_low_on", pa.date32()),
    ("expected_next_order_high_on", pa.date32()),
)


def value_columns(
    matrix: np.ndarray,
    churn_probability: np.ndarray,
    margin_if_retained: np.ndarray,
    as_of: date,
    model: ValueModel,
    income_a_day: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Columns of `VALUE_SCHEMA` for n customers, (n,) each. Money is NaN where the customer is not scored (NaN
    probability), the gap where there never was a purchase, the next purchase where none is to be expected.

    matrix: (n, len(FEATURES)). churn_probability: as published; margin_if_retained: that of what is bought alone.
    income_a_day: (n,) what a bank earns beside it, NaN where nothing.
    """
    scored = np.isfinite(churn_probability)
    money = {name: np.full(len(matrix), np.nan) for name in _MONEY}
    if scored.any():
        churn = churn_probability[scored]
        value = model.expect(matrix[scored], churn, margin_if_retained[scored])
        amounts = (
            value.horizon,
            value.horizon_low,
            value.horizon_high,
            value.year,
            value.year_low,
            value.year_high,
            value.year_at_risk,
        )
        for name, found in zip(_MONEY, amounts, strict=True):
            money[name][scored] = found
        if income_a_day is not None:
            income = np.nan_to_num(income_a_day[scored])
            for name, added in income_parts(money, scored, churn, income, int(model.card["horizon_days"])).items():
                money[name][scored] = (money[name][scored] + added).round(MARGIN_DECIMALS)
    order = model.next_purchase(matrix, churn_probability)
    return {
        **money,
        **dict(zip(_NO_ORDER, order.none_within.T, strict=True)),
        "expected_gap_days": order.usual_gap.round(DAYS_DECIMALS),
        "overdue_ratio": order.overdue.round(DAYS_DECIMALS),
        "expected_next_order_days": order.expected,
        "expected_next_order_on": _days_from(as_of, order.expected),
        "expected_next_order_low_on": _days_from(as_of, order.low),
        "expected_next_order_high_on": _days_from(as_of, order.high),
    }


def income_parts(
    money: dict[str, np.ndarray], scored: np.ndarray, churn: np.ndarray, income_a_day: np.ndarray, horizon_days: int
) -> dict[str, np.ndarray]:
    """What income on balances adds to each of `_MONEY`, (n scored,): as it was of late, every day for as long as the
    customer stays. Whoever leaves takes the balance along. The chance to stay for a year is that by which the model
    divides the margin of the year into what is expected and what is at risk; where there is none, that of the horizon.
    """
    year, at_risk = money["expected_margin_year"][scored], money["value_at_risk_year"][scored]
    both = year + at_risk
    stays = np.where(both > 0, year / np.where(both > 0, both, 1.0), 1 - churn)
    over_horizon, over_year = (1 - churn) * income_a_day * horizon_days, stays * income_a_day * YEAR_DAYS
    return {
        **{name: over_horizon if "horizon" in name else over_year for name in _MONEY},
        "value_at_risk_year": (1 - stays) * income_a_day * YEAR_DAYS,
    }


def _days_from(as_of: date, wait: np.ndarray) -> np.ndarray:
    """So many whole days after a day, NaT where unknown."""
    known = np.isfinite(wait)
    days = np.where(known, wait, 0.0).astype("timedelta64[D]")
    return np.where(known, np.datetime64(as_of, "D") + days, np.datetime64("NaT", "D")).astype("datetime64[D]")
