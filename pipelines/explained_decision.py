"""Why a customer was or was not contacted on a date, in plain words, in English and Chinese.

In: the published history, a customer id and a date. Out: the decision of that night with its reason, what was
considered, what it rested on (the score with its reasons, the consent), as text for the person who asks. What was
published then is read, not computed again, so that the answer is what was decided.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

import duckdb

from assets.shared.commands import command
from assets.shared.errors import UserError
from assets.shared.published_history import shown_contents
from assets.shared.settings import Settings

Row = Mapping[str, Any]
Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")

#: Every sentence in both languages; values in braces are filled in.
WORDS: dict[str, dict[Language, str]] = {
    "title": {"en": "Decision about customer {customer} on {day}", "zh": "关于客户 {customer} 在 {day} 的决定"},
    "contact": {"en": "To be contacted: {action}, by {channel}", "zh": "联系：{action}，渠道 {channel}"},
    "holdout": {
        "en": "Not contacted, to measure what contacts achieve (chosen by chance)",
        "zh": "不联系：随机选入对照组，用于衡量联系的效果",
    },
    "not_contacted": {"en": "Not contacted", "zh": "不联系"},
    "why": {"en": "Why: {reason}", "zh": "原因：{reason}"},
    "considered": {
        "en": "Considered: {action}, by {channel}: {verdict}",
        "zh": "曾考虑：{action}，渠道 {channel}：{verdict}",
    },
    "planned": {"en": "planned", "zh": "列入计划"},
    "held_out": {"en": "held out", "zh": "列入对照组"},
    "score": {
        "en": "Based on: a computed likelihood of {probability} not to buy within {days} days",
        "zh": "依据：计算得出的 {days} 天内不再购买的可能性为 {probability}",
    },
    "score_reason": {"en": "  because: {reason}", "zh": "  理由：{reason}"},
    "no_score": {"en": "No likelihood to leave was computed: {reason}", "zh": "未计算流失可能性：{reason}"},
    "recorded": {
        "en": "Consent: what the customer had said of this channel and purpose",
        "zh": "同意：以客户对该渠道和用途的表示为准",
    },
    "since": {
        "en": "  said on {since}, lawful basis as the source wrote it: {basis}",
        "zh": "  表示日期 {since}，数据源记录的法律依据：{basis}",
    },
    "assumed": {
        "en": "Consent: assumed, because no source of this business delivers consents",
        "zh": "同意：按设定假定同意，因为本业务没有数据源提供同意记录",
    },
    "not_needed": {"en": "Consent: none is needed for service", "zh": "同意：服务类联系不需要同意"},
    "none": {
        "en": "Consent: none was given, so this channel may not be used",
        "zh": "同意：未获得同意，因此不得使用该渠道",
    },
    "run": {"en": "Published by run {run}", "zh": "由运行 {run} 发布"},
}


@dataclass(frozen=True)
class Decision:
    """What was published of one customer on one date. score: None where the night published no scores. options: rows of
    `retention_actions`, planned ones first."""

    row: Row
    score: Row | None
    options: Sequence[Row]


def read_decision(settings: Settings, customer_id: str, day: date) -> Decision:
    """Raises UserError before the first publish, for a date that was not published, and for a customer of whom nothing
    was decided then."""
    contents = shown_contents(settings)
    if contents is None:
        raise UserError(f"{settings.home} has published nothing yet", f"run it first: {command('run')}")
    published = contents.paths(settings.published, "retention_decisions")
    if day not in published:
        shown = f"{min(published)} to {max(published)}" if published else "none"
        raise UserError(f"no decisions were published as of {day}", f"dates with decisions: {shown}")

    def rows(table: str, order: str) -> list[Row]:
        path = contents.paths(settings.published, table).get(day)
        return [] if path is None else _rows(path, customer_id, order)

    found = rows("retention_decisions", "customer_id")
    if not found:
        raise UserError(
            f"nothing was decided about a customer {customer_id!r} on {day}",
            "write the id as the source has it, with leading zeros; who was not a customer yet, or was erased since, is"
            " not found",
        )
    scores = rows("churn_scores", "customer_id")
    options = rows("retention_actions", "plan_rank nulls last, candidate_id")
    return Decision(found[0], scores[0] if scores else None, options)


def _rows(path: Path, customer_id: str, order: str) -> list[Row]:
    with duckdb.connect() as con:
        found = con.execute(
            f"select * from read_parquet(?) where customer_id = ? order by {order}", [str(path), customer_id]
        )
        names = [column[0] for column in found.description]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def explain(decision: Decision, language: Language) -> str:
    """The decision as lines of text."""

    def say(key: str, **values: object) -> str:
        return WORDS[key][language].format(**values)

    def own(row: Row, name: str) -> Any:
        """A text in this language: columns of marts end with _zh, labels of actions with _en and _zh."""
        if language == "zh":
            return row.get(f"{name}_zh") or row.get(name) or row.get(f"{name}_en")
        return row.get(name) or row.get(f"{name}_en")

    row = decision.row
    lines = [say("title", customer=row["customer_id"], day=row["as_of_date"])]
    lines.append(say(row["decision"], action=own(row, "action_label"), channel=row["channel"]))
    if row["decision"] != "contact" or row["reason"]:
        lines.append(say("why", reason=own(row, "reason")))
    for option in decision.options:
        verdict = {"contact": say("planned"), "holdout": say("held_out")}.get(
            option["decision"], own(option, "reason_not_contacted")
        )
        lines.append(
            say("considered", action=own(option, "action_label"), channel=option["channel"], verdict=verdict or "-")
        )
    lines += _score_lines(decision.score, say, own)
    chosen = next((option for option in decision.options if option["candidate_id"] == row["candidate_id"]), None)
    if chosen is not None and chosen.get("consent_basis"):
        lines.append(say(chosen["consent_basis"]))
        # Nights before decision 44 published no more than the basis.
        if chosen.get("consented_at"):
            basis = chosen["lawful_basis"] or "-"
            lines.append(say("since", since=chosen["consented_at"].date(), basis=basis))
    lines.append(say("run", run=row["run_id"]))
    return "\n".join(lines)


def _score_lines(score: Row | None, say: Any, own: Any) -> list[str]:
    if score is None:
        return []
    reasons = [own(score, f"reason_{n}") for n in (1, 2, 3)]
    if score["churn_probability"] is None:
        return [say("no_score", reason=reasons[0] or score["ineligible_reason"])]
    lines = [say("score", probability=f"{score['churn_probability']:.0%}", days=score["horizon_days"])]
    return lines + [say("score_reason", reason=reason) for reason in reasons if reason]
