"""What which ranking of customers would have earned at the test cutoffs of the churn model.

In: judged cutoffs, the economics of a contact. Out: rows of `train.profit_curve` and, for the expected maximum profit,
of `train.value_performance`. The arithmetic of a campaign is in `profit`.
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from assets.model.value_model import simple_value
from assets.shared.params import Params
from assets.train.judged import JudgedCutoff
from assets.train.value import profit
from assets.train.value.performance import Measured
from assets.train.value.profit import RANKINGS, Economics

#: Shares of the active customers at which a curve is given.
SHARES = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)


def economics(params: Params) -> Economics:
    return Economics(
        params.profit_contact_cost, params.profit_offer_cost, params.profit_accept_alpha, params.profit_accept_beta
    )


def own_value(test: JudgedCutoff, params: Params) -> np.ndarray:
    """What a churner who is kept is worth: the margin of a year at the customer's own pace before the cutoff. What
    somebody who left would have given is never seen: it is the same for every ranking, and no model speaks in it."""
    return simple_value(test.matrix, params.value_horizon_days, params.value_margin_share, params.churn_horizon_days)


def rankings(test: JudgedCutoff, value: np.ndarray, terms: Economics) -> dict[str, np.ndarray]:
    """Score by ranking of `profit.RANKINGS` at one test cutoff, highest first to be contacted."""
    p, retained = test.churn_probability, test.margin_if_retained
    return {
        "expected_profit": profit.expected_profit(p, value, terms),
        "value_at_risk": p * retained,
        "persuadable_margin": p * (1 - p) * retained,
        "risk_only": p,
        "random": np.zeros(len(p)),
    }


def curve_rows(judged: Sequence[JudgedCutoff], params: Params, terms: Economics) -> list[dict[str, Any]]:
    """Realised profit of contacting the active customers of each test cutoff by each ranking, and their sum over the
    cutoffs (cutoff_date None). The stop point is where the expected profit of the next customer is no longer
    positive."""
    rows: list[dict[str, Any]] = []
    totals: dict[tuple[str, float | None], np.ndarray] = {}
    for test in (t for t in judged if t.is_active.any()):
        inside = test.is_active
        value = own_value(test, params)
        earned = profit.realised_profit(test.is_churned[inside], value[inside], terms)
        spent = _spend(test.is_churned[inside], terms)
        n = int(inside.sum())
        for name, score in rankings(test, value, terms).items():
            score = score[inside]
            shares: list[float | None] = [*SHARES]
            if name == "expected_profit":
                shares.append(None)
            for share in shares:
                at = share if share is not None else float((score > 0).mean())
                found = np.array(
                    [
                        n,
                        n * at,
                        *(float(profit.profit_curve(score, money, np.array([at]))[0]) for money in (spent, earned)),
                    ]
                )
                totals[name, share] = totals.get((name, share), 0.0) + found
                rows.append(_curve_row(test.cutoff, name, share, found))
    rows += [_curve_row(None, name, share, found) for (name, share), found in totals.items()]
    _mark_best(rows)
    return rows


def _curve_row(cutoff: date | None, name: str, share: float | None, found: np.ndarray) -> dict[str, Any]:
    n, contacted, spent, earned = found.tolist()
    return {
        "cutoff_date": cutoff,
        "ranking": name,
        "contacted_share": share if share is not None else contacted / n,
        "is_stop_point": share is None,
        "n_customers": int(n),
        "n_contacted": float(contacted),
        "spend": spent,
        "profit": earned,
        "is_best": False,
    }


def _mark_best(rows: list[dict[str, Any]]) -> None:
    """The share at which each ranking earned most at each cutoff; the smallest of equals, none where all lose."""
    best: dict[tuple, dict[str, Any]] = {}
    for row in rows:
        key = row["cutoff_date"], row["ranking"]
        if row["profit"] > 0 and (key not in best or row["profit"] > best[key]["profit"]):
            best[key] = row
    for row in best.values():
        row["is_best"] = True


def _spend(is_churned: np.ndarray, terms: Economics) -> np.ndarray:
    y = np.asarray(is_churned, dtype=float)
    return terms.contact_cost + terms.offer_cost * (1 - y + y * terms.accepted)


def emp_rows(judged: Sequence[JudgedCutoff], params: Params, terms: Economics) -> list[dict[str, Any]]:
    """Rows of value_performance with target profit: the expected maximum profit an active customer, with the
    customers' own values (`emp`) and with their mean for all (`emp_one_value`), and the share to contact."""
    measured: dict[str, dict[date, dict[str, float]]] = {name: {} for name in RANKINGS}
    counts: dict[date, int] = {}
    for test in (t for t in judged if t.is_active.any()):
        inside, value = test.is_active, own_value(test, params)
        counts[test.cutoff] = int(inside.sum())
        for name, score in rankings(test, value, terms).items():
            y, s, v = test.is_churned[inside], score[inside], value[inside]
            emp, share = profit.expected_maximum_profit(y, s, v, terms)
            measured[name][test.cutoff] = {
                "emp": emp,
                "emp_contacted_share": share,
                "emp_one_value": profit.expected_maximum_profit(y, s, float(v.mean()), terms)[0],
            }
    horizon = params.churn_horizon_days
    return [
        row
        for name, by_cutoff in measured.items()
        for row in Measured("profit", horizon, name, name == "expected_profit", by_cutoff, counts).rows()
    ]
