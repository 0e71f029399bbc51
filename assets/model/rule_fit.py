"""Learn the simple rule: the churn rate as a rising function of the days since the last purchase or, where leaving is
the end of a contract, as a falling one of the days that it still covers.

In: days and outcomes. Out: a `ChurnRule` or `ContractRule` (their application lives in `assets.model.simple_rules`).
"""

import numpy as np

from assets.model.simple_rules import ChurnRule, ContractRule, RuleStep
from assets.model.snapshots import Snapshots

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
    return ChurnRule(horizon_days, _rising_steps(silent, churned))


def learn_contract_rule(days_left: np.ndarray, is_churned: np.ndarray, horizon_days: int) -> ContractRule:
    """As `learn_rule`, from the days that contracts still cover (NaN: no end), with falling rates. No step spans
    the horizon where enough cases lie on both sides: whose contract ends within it decides now, the others later."""
    left, churned = np.asarray(days_left, dtype=float), np.asarray(is_churned, dtype=bool)
    if len(left) < MIN_ROWS:
        return ContractRule(horizon_days)
    is_open = np.isnan(left)
    open_end = None
    if is_open.sum() >= MIN_ROWS:
        open_end = _step(1, int(is_open.sum()), int(churned[is_open].sum()))
    if (~is_open).sum() < MIN_ROWS:
        return ContractRule(horizon_days, (_step(1, len(left), int(churned.sum())),), open_end)
    # Fewer days, higher rate: as the rule of silences on the days with their sign turned.
    rising = _rising_steps(-left[~is_open], churned[~is_open], border=1 - horizon_days)
    starts = [*(1 - step.from_days for step in rising[1:]), 1]
    falling = [RuleStep(start, s.rate, s.n_customers, s.n_churned) for start, s in zip(starts, rising, strict=True)]
    return ContractRule(horizon_days, tuple(reversed(falling)), open_end)


def learn_rule_from(rows: Snapshots, horizon_days: int, is_contractual: bool) -> ChurnRule | ContractRule:
    """The rule that fits what leaving means."""
    rule, learn = (ContractRule, learn_contract_rule) if is_contractual else (ChurnRule, learn_rule)
    return learn(rows.column(rule.feature), rows.is_churned, horizon_days)


def _rising_steps(values: np.ndarray, churned: np.ndarray, border: float = np.inf) -> tuple[RuleStep, ...]:
    """Steps of a rising rate; none of them holds days on both sides of `border` if each side has MIN_ROWS rows."""
    silent = values
    days, where = np.unique(np.floor(silent).astype(int), return_inverse=True)
    n_by_day = np.bincount(where)
    churned_by_day = np.bincount(where, weights=churned).astype(int)

    smallest = max(MIN_ROWS, len(silent) // MAX_STEPS)
    blocks: list[list[int]] = []  # from_days, n, n_churned
    is_full = True
    for day, n, k in zip(days.tolist(), n_by_day.tolist(), churned_by_day.tolist(), strict=True):
        # The first day from the border on starts a step of its own.
        if is_full or (blocks[-1][0] < border <= day and blocks[-1][1] >= MIN_ROWS):
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
    return tuple(_step(*block) for block in pooled)


def _step(from_days: int, n: int, n_churned: int) -> RuleStep:
    return RuleStep(from_days, round(_rate([from_days, n, n_churned]), 6), n, n_churned)


def _rate(block: list[int]) -> float:
    return (block[2] + 0.5) / (block[1] + 1)


def _merge_last(blocks: list[list[int]]) -> None:
    _, n, k = blocks.pop()
    blocks[-1][1] += n
    blocks[-1][2] += k
