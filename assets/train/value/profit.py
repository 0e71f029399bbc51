"""What a retention campaign would have earned at each budget, by who is contacted first; and where to stop.

In: outcomes and scores of one test cutoff, the economics of a contact. Out: profits, curves, the expected maximum
profit. Pure numpy; knows no model and no table.

The campaign is that of Verbraken, Verbeke and Baesens (2013, "A Novel Profit Maximizing Metric for Measuring
Classification Performance of Customer Churn Prediction Models", IEEE TKDE 25:5): everybody contacted costs f; somebody
who would have left takes the offer with chance gamma, costs d and is worth the value V; somebody who would have stayed
takes the offer and costs d. Here V is each customer's own.
"""

from dataclasses import asdict, dataclass

import numpy as np

#: Rankings that are compared, by name.
RANKINGS = (
    "expected_profit",
    "value_at_risk",
    "persuadable_margin",
    "risk_only",
    "random",
)


@dataclass(frozen=True)
class Economics:
    """contact_cost: money a contact. offer_cost: money where the offer is taken. alpha, beta: the chance that a churner
    takes the offer is Beta(alpha, beta)."""

    contact_cost: float = 1.0
    offer_cost: float = 10.0
    alpha: float = 6.0
    beta: float = 14.0

    @property
    def accepted(self) -> float:
        """Mean chance that a churner takes the offer and stays."""
        return self.alpha / (self.alpha + self.beta)

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


def realised_profit(is_churned: np.ndarray, value: np.ndarray, terms: Economics) -> np.ndarray:
    """Profit of contacting each customer, given what happened, at the mean chance of acceptance. Money."""
    y, v = np.asarray(is_churned, dtype=float), np.asarray(value, dtype=float)
    return y * terms.accepted * (v - terms.offer_cost) - (1 - y) * terms.offer_cost - terms.contact_cost


def expected_profit(churn_probability: np.ndarray, value: np.ndarray, terms: Economics) -> np.ndarray:
    """The same, expected before it happened."""
    return realised_profit(churn_probability, value, terms)


def cumulative_profit(score: np.ndarray, profit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Customers contacted (0 to n) and the profit of contacting them, highest score first, at the borders between
    groups of equal score; in between a straight line, for equal scores come in any order."""
    _, group, counts = np.unique(-np.asarray(score, dtype=float), return_inverse=True, return_counts=True)
    sums = np.bincount(group, weights=np.asarray(profit, dtype=float), minlength=len(counts))
    return np.r_[0.0, np.cumsum(counts)], np.r_[0.0, np.cumsum(sums)]


def profit_curve(score: np.ndarray, profit: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Profit of contacting the given shares (0 to 1) of the customers, highest score first."""
    contacted, earned = cumulative_profit(score, profit)
    return np.interp(np.asarray(shares, dtype=float) * contacted[-1], contacted, earned)


def expected_maximum_profit(
    is_churned: np.ndarray, score: np.ndarray, value: np.ndarray | float, terms: Economics
) -> tuple[float, float]:
    """Expected maximum profit a customer (EMP) and the share to contact, highest score first; value: one or each own.

    For each number k of customers contacted the profit is a straight line in gamma, gamma A_k - B_k; the best k for
    each gamma is the upper envelope of these lines, and its mean over Beta(alpha, beta) is exact piece by piece by the
    regularised incomplete beta function. With one value for all it is Verbraken's EMPC. (nan, nan) without customers.
    """
    from scipy.special import betainc

    y = np.asarray(is_churned, dtype=float)
    v = np.broadcast_to(np.asarray(value, dtype=float), y.shape)
    if len(y) == 0:
        return float("nan"), float("nan")
    contacted, saved = cumulative_profit(score, y * (v - terms.offer_cost))
    _, spent = cumulative_profit(score, terms.contact_cost + (1 - y) * terms.offer_cost)
    best, borders = _upper_envelope(saved, -spent)
    mass = np.diff(betainc(terms.alpha, terms.beta, borders))
    mean = terms.accepted * np.diff(betainc(terms.alpha + 1, terms.beta, borders))
    emp = float((saved[best] * mean - spent[best] * mass).sum() / len(y))
    return emp, float((contacted[best] * mass).sum() / len(y))


def _upper_envelope(slopes: np.ndarray, heights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Lines `slope x + height` that are highest somewhere on [0, 1], in their order there, and the borders between
    them, 0 and 1 included. Of lines that are equally high the one contacting fewer (the earlier) is kept."""
    # Among equal slopes only the highest line can matter; among equals the first.
    order = np.lexsort((np.arange(len(slopes)), -heights, slopes))
    order = order[np.r_[True, np.diff(slopes[order]) > 0]]
    hull: list[int] = []
    crossings: list[float] = []
    for line in order.tolist():
        crossing = -np.inf
        while hull:
            below = hull[-1]
            crossing = (heights[below] - heights[line]) / (slopes[line] - slopes[below])
            if crossing > crossings[-1]:
                break
            hull.pop()
            crossings.pop()
            crossing = -np.inf
        hull.append(line)
        crossings.append(crossing)
    starts = np.clip(np.array(crossings), 0.0, 1.0)
    borders = np.r_[starts, 1.0]
    kept = np.diff(borders) > 0
    return np.array(hull)[kept], np.r_[borders[:-1][kept], 1.0]
