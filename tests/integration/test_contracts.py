"""A contractual business from files to the published set: the same tables, where leaving is the end of a contract."""

from datetime import timedelta

import duckdb
import pytest

from tests.integration import club
from tests.integration.command_line import published, ran

pytestmark = pytest.mark.campaign

FAST = ("--param", "train_n_cutoffs=6", "--param", "train_n_test_cutoffs=3", "--param", "train_cutoff_spacing_days=30")


@pytest.fixture(scope="module")
def terms():
    return club.terms()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where the club writes its files."""
    return tmp_path_factory.mktemp("club-source")


@pytest.fixture(scope="module")
def night(tmp_path_factory, terms, folder):
    home = tmp_path_factory.mktemp("club") / "home"
    source = club.write(folder, terms)
    ran(home, "--source", str(source), "--as-of", str(club.AS_OF), *FAST)
    return home


def test_exactly_the_members_with_a_contract_are_scored(night, terms):
    covered = {t.member for t in terms if t.start < club.AS_OF <= t.last_day}
    had = {t.member for t in terms if t.start < club.AS_OF}
    with published(night) as con:
        rows = con.execute(
            "select customer_id, is_eligible, ineligible_reason, churn_probability from marts.churn_scores"
        ).fetchall()
    assert {row[0] for row in rows} == had
    # Somebody whose contract began within the least tenure is covered, but not known yet.
    young = {row[0] for row in rows if row[2] == "too_little_history"}
    assert {row[0] for row in rows if row[1]} | young == covered
    assert {row[2] for row in rows if not row[1] and row[0] not in young} == {"contract_ended"}
    assert all((row[3] is not None) == row[1] for row in rows)


def test_labels_are_the_contracts_left_at_the_end_of_the_horizon(night, terms):
    with duckdb.connect(str(night / "warehouse.duckdb"), read_only=True) as con:
        rows = con.execute(
            "select cutoff_date, customer_id, label_is_churned, label_kind from features.training_snapshots"
        ).fetchall()
    assert len(rows) > 500 and {row[3] for row in rows} == {"contract"}
    spans = {}
    for term in terms:
        spans.setdefault(term.member, []).append((term.start, term.last_day))
    for cutoff, member, churned, _ in rows:
        last = cutoff + timedelta(29)
        assert churned == (not any(start <= last <= end for start, end in spans[member])), (
            cutoff,
            member,
        )
    assert 0.02 < sum(row[2] for row in rows) / len(rows) < 0.5


def test_the_end_of_the_contract_decides(night, terms):
    """Whose term ends within the horizon decides now; who is bound beyond it can only leave early."""
    ends = {t.member: t.end for t in terms if t.start < club.AS_OF <= t.last_day}
    with published(night) as con:
        rows = con.execute(
            "select customer_id, churn_probability, baseline_probability, expected_margin_horizon, predicted_margin, "
            "margin_if_retained from marts.churn_scores where is_eligible"
        ).fetchall()
    for place, who in ((1, "published"), (2, "rule")):
        near = [row[place] for row in rows if ends[row[0]] < club.AS_OF + timedelta(29)]
        far = [row[place] for row in rows if ends[row[0]] >= club.AS_OF + timedelta(29)]
        assert len(near) > 100 and len(far) > 200
        assert sum(near) / len(near) > 2 * sum(far) / len(far), who
    # Churners pay until their end.
    assert all(row[4] < row[3] < row[5] for row in rows)


def test_contracts_beat_silence(night):
    """At cutoffs that nobody had seen: the rule on contracts beats every candidate model that sees purchases only, and
    whoever scores is at least about as good as that rule."""
    with published(night) as con:
        auc = dict(
            con.execute(
                "select candidate_model, value from marts.model_selection where metric = 'auc' "
                "and population = 'active' "
                "and cutoff_role = 'test' and cutoff_date is null"
            ).fetchall()
        )
        scored_by = con.execute("select any_value(scoring_model) from marts.churn_scores").fetchone()[0]
        reasons = {
            row[0]
            for row in con.execute(
                "select reason_1 from marts.churn_scores where is_eligible and churn_percentile > 80"
            ).fetchall()
        }
    assert auc["recency_rule"] > 0.6
    assert auc["recency_rule"] > 0.05 + max(auc[m] for m in ("recency_over_gap", "bg_nbd", "mbg_nbd"))
    assert auc[scored_by] > auc["recency_rule"] - 0.03
    assert sum("ontract covers" in reason for reason in reasons) > len(reasons) / 2


def test_value_and_words_are_those_of_contracts(night):
    with published(night) as con:
        rules = {
            r
            for (r,) in con.execute(
                "select distinct baseline_rule from marts.churn_scores where is_eligible"
            ).fetchall()
        }
        assert rules and all("no contract left 30 days later" in rule for rule in rules)
        assert (
            con.execute(
                "select count(*) from marts.churn_scores where is_eligible and "
                "(expected_margin_year is null or expected_margin_year < expected_margin_horizon - 0.01)"
            ).fetchone()[0]
            == 0
        )
        assert con.execute("select count(*) from marts.profit_curve where basis = 'out_of_time'").fetchone()[0] > 0
        assert con.execute("select distinct value_basis from marts.churn_scores where is_eligible").fetchall() == [
            ("labels",)
        ]


def test_published_scores_are_judged_by_the_contracts(night, terms, folder):
    """A month on: who has left is who has no contract, although all of them had bought within the horizon."""
    later = club.AS_OF + timedelta(30)
    ran(night, "--source", str(club.write(folder, terms, later)), "--as-of", str(later), *FAST)
    last = club.AS_OF + timedelta(29)
    stays = {t.member for t in terms if t.start <= last <= t.last_day}
    with published(night) as con:
        scored = {
            m
            for (m,) in con.execute(
                "select customer_id from history.churn_scores where as_of_date = ? and is_eligible", [club.AS_OF]
            ).fetchall()
        }
        found = con.execute(
            "select distinct n_rows, n_churned from marts.model_performance where basis = 'realised' "
            "and slice_kind = 'all' and population = 'all' and cutoff_date = ?",
            [club.AS_OF],
        ).fetchall()
    assert found == [(len(scored), len(scored - stays))]
    assert len(scored - stays) >= 5
