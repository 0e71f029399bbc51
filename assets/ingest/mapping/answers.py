"""Answers of surveys: which of them lie on the scale on which they were asked.

In: the typed values of a row. Out: rules. A scale that is wrong would make detractors of everybody, so an answer beyond
it is refused with the remedy. What answers mean does not belong here (staging).
"""

from collections.abc import Collection

from assets.ingest.mapping.rules import Rule
from assets.shared.quoting import literal

#: The scale on which the net promoter score is defined.
RECOMMENDATION = (0, 10)

#: The scale of all other answers where neither a column nor a constant says one.
USUAL_SCALE = (1, 5)

#: The answers that have the row's scale.
SCALED = ("repurchase_intention", "trust", "satisfaction", "importance")


def answer_rules(columns: Collection[str]) -> list[Rule]:
    """Rules of the answers among the mapped `columns`."""
    low, high = (
        f"coalesce(typed_{name}, {usual})" if name in columns else str(usual)
        for name, usual in zip(("scale_low", "scale_high"), USUAL_SCALE, strict=True)
    )
    remedy = "; say which it was with scale_low and scale_high, such as `scale_high: {constant: 7}`"
    rules = [_beyond(name, low, high, remedy) for name in SCALED if name in columns]
    if {"scale_low", "scale_high"} & set(columns):
        rules = [
            Rule("scale_without_length", f"{low} >= {high}", literal("scale_low is not below scale_high")),
            *rules,
        ]
    if "recommendation" in columns:
        lowest, highest = map(str, RECOMMENDATION)
        rules.append(_beyond("recommendation", lowest, highest, "; it is asked from 0 to 10"))
    return rules


def _beyond(name: str, low: str, high: str, remedy: str) -> Rule:
    typed = f"typed_{name}"
    return Rule(
        f"{name}_off_the_scale",
        f"{typed} < {low} or {typed} > {high}",
        f"concat('{name} is not between ', {low}, ' and ', {high}, ': ', {typed}, {literal(remedy)})",
    )
