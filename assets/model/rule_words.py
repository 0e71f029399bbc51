"""The simple rules in words: of one customer in English and Chinese, and as a whole for the model's card.

In: a rule and a number of days. Out: text. The arithmetic is in `simple_rules`.
"""

import numpy as np

from assets.model.simple_rules import ChurnRule, ContractRule

Rule = ChurnRule | ContractRule

_NO_END = "contracts without an end"


def say_rule(rule: Rule, days: float) -> str:
    """What the rule says of a customer with this number of days, for example `customers silent for 21 to 28 days: 41 %
    made no purchase in the next 30 days` or `contracts that cover 1 to 29 more days: 12 % had no contract left 30 days
    later`."""
    return _say_contract(rule, days) if isinstance(rule, ContractRule) else _say_silence(rule, days)


def say_rule_in_chinese(rule: Rule, days: float) -> str:
    """As `say_rule`, in Chinese."""
    return _say_contract_zh(rule, days) if isinstance(rule, ContractRule) else _say_silence_zh(rule, days)


def describe_rule(rule: Rule) -> str:
    """The whole rule, one line a step."""
    if not rule.steps:
        return _describe_unlearned(rule)
    places = [(_place_of_step(rule, i), step) for i, step in enumerate(rule.steps)]
    if isinstance(rule, ContractRule) and rule.open_end is not None:
        places.append((_NO_END, rule.open_end))
    return "\n".join(
        f"{where.capitalize()}: {100 * step.rate:.1f} % ({step.n_churned:,} of {step.n_customers:,} cases)"
        for where, step in places
    )


def _describe_unlearned(rule: Rule) -> str:
    if isinstance(rule, ContractRule):
        return (
            "No outcome is known yet. One contract in two is taken not to go on, its end evenly spread over the "
            f"days that it covers; within the next {rule.horizon_days} days where it covers less."
        )
    return (
        f"No outcome is known yet. A silence of r days is taken to last another {rule.horizon_days} days "
        f"with probability r / (r + {rule.horizon_days})."
    )


def _say_silence(rule: ChurnRule, silent_days: float) -> str:
    if not rule.steps:
        return (
            f"no outcome is known yet, so a silence of {int(silent_days)} days is taken to last another "
            f"{rule.horizon_days} days with chance {int(silent_days)} in {int(silent_days) + rule.horizon_days}"
        )
    index = _step_index(rule, silent_days)
    rate = f"{100 * rule.steps[index].rate:.0f} %"
    return f"{_place_of_step(rule, index)}: {rate} made no purchase in the next {rule.horizon_days} days"


def _say_silence_zh(rule: ChurnRule, silent_days: float) -> str:
    if not rule.steps:
        days = int(silent_days)
        return (
            f"尚无已知结果，因此按 {days} 天的沉默再持续 {rule.horizon_days} 天的机会为 "
            f"{days}/{days + rule.horizon_days} 估计"
        )
    index = _step_index(rule, silent_days)
    rate = f"{100 * rule.steps[index].rate:.0f} %"
    return f"{_span_zh(rule, index)}未购买的客户中，{rate} 在接下来 {rule.horizon_days} 天内没有购买"


def _say_contract(rule: ContractRule, days_left: float) -> str:
    if not rule.steps:
        p = float(rule.probability(np.array([days_left]))[0])
        return (
            f"no outcome is known yet, so one contract in two is taken not to go on, which gives {100 * p:.0f} % "
            f"without a contract {rule.horizon_days} days later"
        )
    where, step = _NO_END, rule.open_end
    if step is None or not np.isnan(days_left):
        index = _step_index(rule, days_left)
        where, step = _place_of_step(rule, index), rule.steps[index]
    return f"{where}: {100 * step.rate:.0f} % had no contract left {rule.horizon_days} days later"


def _say_contract_zh(rule: ContractRule, days_left: float) -> str:
    if not rule.steps:
        p = float(rule.probability(np.array([days_left]))[0])
        return f"尚无已知结果，因此按半数合同不再延续估计，{rule.horizon_days} 天后无合同的机会为 {100 * p:.0f} %"
    span, step = "合同没有到期日的客户", rule.open_end
    if step is None or not np.isnan(days_left):
        index = _step_index(rule, days_left)
        span, step = f"合同还剩 {_span_zh(rule, index)}的客户", rule.steps[index]
    return f"{span}中，{100 * step.rate:.0f} % 在 {rule.horizon_days} 天后已无合同"


def _step_index(rule: Rule, days: float) -> int:
    return int(rule.step_of(np.array([days]))[0])


def _place_of_step(rule: Rule, index: int) -> str:
    """Whom a step is about."""
    low, high = rule.days_of(index)
    if isinstance(rule, ContractRule):
        if high is None:
            return f"contracts that cover {_days(low)} or more"
        return f"contracts that cover {low} to {high} more days" if high > low else f"contracts that cover {_days(low)}"
    if high is None:
        return f"customers silent for {low} days or more"
    return f"customers silent for {low} to {high} days" if high > low else f"customers silent for {_days(low)}"


def _span_zh(rule: Rule, index: int) -> str:
    low, high = rule.days_of(index)
    return f"{low} 天以上" if high is None else f"{low} 至 {high} 天" if high > low else f"{low} 天"


def _days(n: int) -> str:
    return "1 day" if n == 1 else f"{n} days"
