"""Learn the simple rule: the churn rate as a rising function of the days since the last purchase.

In: silences and outcomes. Out: a `ChurnRule` (its application lives in `assets.shared.simple_rules`).
"""

import numpy as np

from assets.shared.simple_rules import ChurnRule, RuleStep

#: Fewest labelled customers for a learned rule, and in each of its steps.
MIN_ROWS = 50
#: No more steps than this: the rule is published in words.
MAX_STEPS = 20


def learn_rule(silent_days: np.ndarray, is_churned: np.ndarray, horizon_days: int) -> ChurnRule:
    """The rule learned from outcomes, or the one without parameters when fewer than `MIN_ROWS` are known.

    Silences are cut into bins of equal mass (whole days, at least MIN_ROWS rows) and neighbours are pooled until
    the rates rise (pool adjacent violators, isotonic regression). Rates are (churned + 1/2) / (n + 1), so that no
    step claims certainty.
    """
    silent, churned = np.asarray(silent_days, dtype=float), np.asarray(is_churned, dtype=bool)
    known = ~np.isnan(silent)
    silent, churned = silent[known], churned[known]
    if len(silent) < MIN_ROWS:
        return ChurnRule(horizon_days)
    days, where = np.unique(np.floor(silent).astype(int), return_inverse=True)
    n_by_day = np.bincount(where)
    churned_by_day = np.bincount(where, weights=churned).astype(int)

    smallest = max(MIN_ROWS, len(silent) // MAX_STEPS)
    blocks: list[list[int]] = []  # from_days, n, n_churned
    is_full = True
    for day, n, k in zip(days.tolist(), n_by_day.tolist(), churned_by_day.tolist(), strict=True):
        if is_full:
            blocks.append([day, 0, 0])
        blocks[-1][1] += n
        blocks[-1][2] += k
        is_full = blocks[-1][1] >= smallest
    if not is_full and len(blocks) > 1:
        _merge_last(blocks)

    pooled: list[list[int]] = []
    for block in blocks:
        pooled.append(block)
        while len(pooled) > 1 and _rate(pooled[-2]) >= _rate(pooled[-1]):
            _merge_last(pooled)
    return ChurnRule(horizon_days, tuple(RuleStep(b[0], round(_rate(b), 6), b[1], b[2]) for b in pooled))


def _rate(block: list[int]) -> float:
    return (block[2] + 0.5) / (block[1] + 1)


def _merge_last(blocks: list[list[int]]) -> None:
    _, n, k = blocks.pop()
    blocks[-1][1] += n
    blocks[-1][2] += k
