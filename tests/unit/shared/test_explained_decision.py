"""What a person is told of a decision: in both languages, from what was published then."""

from datetime import date

import pytest

from assets.shared.errors import UserError
from assets.shared.settings import Settings
from pipelines.explained_decision import LANGUAGES, WORDS, explain, read_decision
from tests.published_set import publish_tables

DAY = date(2024, 5, 1)


def decisions(reason: str) -> str:
    return (
        "select * from (values"
        f" ('anna', 'contact', '{reason}', '原因甲', 'Call', '打电话', 'phone', 'x1'),"
        " ('ben', 'holdout', 'in the control group', '对照组', 'Call', '打电话', 'phone', 'x2'),"
        " ('cleo', 'not_contacted', 'refuses profiling', '拒绝画像', null, null, null, null))"
        " as r(customer_id, decision, reason, reason_zh, action_label_en, action_label_zh, channel, candidate_id)"
    )


def tables(day: date, reason: str = "worth it") -> dict[str, str]:
    dated = f"date '{day}' as as_of_date, 'run-{day.day}' as run_id"
    return {
        "retention_decisions": f"select {dated}, * from ({decisions(reason)})",
        "retention_actions": f"""
            select {dated}, *, case candidate_id when 'x1' then timestamp '2024-02-03 10:00' end as consented_at,
                null as consent_valid_to, 'consent' as lawful_basis from (values
                ('anna', 'x1', 'contact', 'phone', 'recorded', 1, null, null, 'Call', '打电话'),
                ('anna', 'x9', 'not_contacted', 'email', 'none', null, 'no consent', '没有同意', 'Mail', '邮件'),
                ('ben', 'x2', 'holdout', 'phone', 'not_needed', null, null, null, 'Call', '打电话')
            ) as r(customer_id, candidate_id, decision, channel, consent_basis, plan_rank, reason_not_contacted,
                reason_not_contacted_zh, action_label_en, action_label_zh)""",
        "churn_scores": f"""
            select {dated}, * from (values
                ('anna', 0.624, 90, null, 'silent for long', null, null, '沉默已久', null, null),
                ('cleo', null, 90, 'refuses_profiling', 'Not scored: the customer refuses to be profiled', null, null,
                    '未评分：客户拒绝画像分析', null, null)
            ) as r(customer_id, churn_probability, horizon_days, ineligible_reason, reason_1, reason_2, reason_3,
                reason_1_zh, reason_2_zh, reason_3_zh)""",
    }


@pytest.fixture(scope="module")
def settings(tmp_path_factory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("decisions"), sources=("toy",))
    publish_tables(settings, DAY, tables(DAY))
    publish_tables(settings, date(2024, 5, 2), tables(date(2024, 5, 2), "of another night"))
    return settings


def test_a_contact_says_what_it_rested_on(settings):
    text = explain(read_decision(settings, "anna", DAY), "en")
    assert text.splitlines() == [
        "Decision about customer anna on 2024-05-01",
        "To be contacted: Call, by phone",
        "Why: worth it",
        "Considered: Call, by phone: planned",
        "Considered: Mail, by email: no consent",
        "Based on: a computed likelihood of 62% not to buy within 90 days",
        "  because: silent for long",
        "Consent: what the customer had said of this channel and purpose",
        "  said on 2024-02-03, lawful basis as the source wrote it: consent",
        "Published by run run-1",
    ], "of that night, not of the newest"


def test_the_same_in_chinese(settings):
    text = explain(read_decision(settings, "anna", DAY), "zh")
    for words in (
        "联系：打电话",
        "原因：原因甲",
        "邮件，渠道 email：没有同意",
        "可能性为 62%",
        "理由：沉默已久",
        "客户对该渠道",
    ):
        assert words in text


def test_who_is_held_out_and_who_refuses_profiling_are_told_so(settings):
    held_out = explain(read_decision(settings, "ben", DAY), "en")
    assert "chosen by chance" in held_out and "none is needed for service" in held_out and "likelihood" not in held_out
    refuses = explain(read_decision(settings, "cleo", DAY), "en")
    assert "No likelihood to leave was computed: Not scored: the customer refuses to be profiled" in refuses
    assert "Consent" not in refuses, "nothing was considered"


def test_every_sentence_has_both_languages():
    assert all(set(words) == set(LANGUAGES) for words in WORDS.values())


def test_a_date_and_a_person_that_are_not_there_are_told(settings, tmp_path):
    with pytest.raises(UserError, match=r"(?s)as of 2024-05-03.*2024-05-01 to 2024-05-02"):
        read_decision(settings, "anna", date(2024, 5, 3))
    with pytest.raises(UserError, match="nothing was decided about a customer 'dora'"):
        read_decision(settings, "dora", DAY)
    with pytest.raises(UserError, match="published nothing yet"):
        read_decision(Settings(home=tmp_path, sources=("toy",)), "anna", DAY)
