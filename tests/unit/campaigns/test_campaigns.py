"""A campaign whose effects are known: what the evaluation says of it, and of tables that are no campaign."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from assets.shared.errors import UserError
from campaigns.covariates import MOST_LATE_SHARE, without_late_columns
from campaigns.learners import N_FOLDS, folds
from campaigns.page import page
from campaigns.policies import (
    MIN_OUTCOMES,
    SHARES,
    SMALL_SHARE,
    Estimate,
    Evaluation,
    Terms,
    _area,
    _Draws,
    evaluate,
    verdict,
)
from campaigns.table import MOST_ARMS, MOST_CATEGORIES, Campaign, Columns, read_campaign
from pipelines.cli import main

N = 6_000
VALUE, COST = 50.0, 1.0
HEADER = ["id", "arm", "kept", "recency", "segment", "opened", "revenue"]


def rows_of(effect: float, seed: int, n: int = N) -> tuple[list[tuple], np.ndarray]:
    """Rows under HEADER, and by how much a mail raises each person's chance to stay: `effect` for a third of them, as
    much less for another third, nothing for the rest."""
    random = np.random.default_rng(seed)
    recency = random.normal(size=n)
    segment = random.choice(["shop", "web", "phone"], n)
    arm = random.choice(["control", "mail"], n, p=[0.4, 0.6])
    effects = effect * (recency > 0.43) - effect * (recency < -0.43)
    kept = random.random(n) < 0.4 + 0.1 * (segment == "shop") + effects * (arm == "mail")
    opened = (arm == "mail") & (random.random(n) < 0.3)
    revenue = np.round(kept * random.exponential(VALUE, n), 2)
    return list(
        zip(range(n), arm, kept.astype(int), recency, segment, opened.astype(int), revenue, strict=True)
    ), effects


def write(path: Path, rows: list[tuple], header: list[str] = HEADER) -> Path:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def read(path: Path, **columns) -> Campaign:
    return read_campaign(path, Columns(**({"arm": "arm", "outcome": "kept"} | columns)))


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """(campaign, balance, evaluation, true effects): a mail that persuades a third and annoys a third."""
    rows, effects = rows_of(0.15, seed=1)
    path = write(tmp_path_factory.mktemp("campaign") / "mail.csv", rows)
    campaign, balance = without_late_columns(read(path, ignore=("revenue",)))
    return campaign, balance, evaluate(campaign, Terms(value=VALUE, cost=COST)), effects


def policy_of(evaluation: Evaluation, name: str):
    return next(policy for policy in evaluation.policies if policy.name == name)


def test_the_two_model_finds_whom_the_mail_persuades(known):
    _, _, evaluation, effects = known
    truth = 1000 * np.maximum(VALUE * effects - COST, 0).mean()
    found = policy_of(evaluation, "two_model")
    assert found.per_1000.low < truth < found.per_1000.high
    assert found.per_1000.mean > 0.6 * truth
    assert found.over_simple.low > 0 and found.qini.low > 0
    assert 0.2 < found.share < 0.5


def test_a_model_is_recommended_where_its_interval_says_so(known):
    _, _, evaluation, _ = known
    chosen = [policy for policy in evaluation.policies if policy.is_recommended]
    assert len(chosen) == 1
    assert chosen[0].over_simple.low > 0 and chosen[0].per_1000.low > 0


def test_likely_to_leave_is_not_easy_to_persuade(known):
    _, _, evaluation, _ = known
    assert not policy_of(evaluation, "risk").is_recommended
    assert policy_of(evaluation, "risk").per_1000.mean < policy_of(evaluation, "two_model").per_1000.mean


def test_the_curve_ends_where_everybody_is_contacted(known):
    _, _, evaluation, _ = known
    for policy in evaluation.policies:
        if policy.curve is not None:
            assert policy.curve[0] == 0
            assert policy.curve[-1] == pytest.approx(policy_of(evaluation, "everybody").per_1000.mean)


def test_the_effect_agrees_with_the_plain_difference_of_shares(known):
    campaign, _, evaluation, effects = known
    (arm,) = evaluation.arms
    plain = campaign.outcome[campaign.arm == 1].mean() - campaign.outcome[campaign.arm == 0].mean()
    assert arm.effect.mean == pytest.approx(plain, abs=0.01)
    assert arm.effect.low < effects.mean() < arm.effect.high


def test_what_the_contact_changed_is_no_covariate(known):
    campaign, balance, _, _ = known
    assert campaign.covariate_names == ["recency", "segment"]
    assert "measured after the contact" in campaign.unused_columns["opened"]
    assert "an id" in campaign.unused_columns["id"]
    assert balance.is_randomised and balance.p_value > 0.01


def test_without_an_effect_no_model_is_recommended(tmp_path):
    rows, _ = rows_of(0.0, seed=2)
    campaign, _ = without_late_columns(read(write(tmp_path / "mail.csv", rows), ignore=("revenue",)))
    evaluation = evaluate(campaign, Terms(value=VALUE, cost=COST))
    assert [policy.name for policy in evaluation.policies if policy.is_recommended] == ["nobody"]
    assert evaluation.arms[0].verdict in {"too small to tell", "no effect shown"}
    assert evaluation.arms[0].n_needed > N


def test_revenue_is_money_after_margin_and_cost(tmp_path):
    rows, _ = rows_of(0.15, seed=3)
    path = write(tmp_path / "mail.csv", rows)
    campaign = read(path, revenue="revenue", covariates=("segment",))
    evaluation = evaluate(campaign, Terms(margin=0.5, cost=COST))
    brought = [campaign.revenue[campaign.arm == a].mean() for a in (0, 1)]
    everybody = policy_of(evaluation, "everybody").per_1000
    assert everybody.mean == pytest.approx(1000 * (0.5 * (brought[1] - brought[0]) - COST), abs=250)
    assert everybody.low < everybody.mean < everybody.high


def test_arms_that_no_lot_made_are_said(tmp_path, known):
    campaign = known[0]
    random = np.random.default_rng(0)
    chosen = (campaign.covariates[:, 0] + random.normal(size=N) > 0).astype(int)
    worse = replace(
        campaign,
        arm=chosen,
        covariate_names=["recency", "tenure"],
        covariates=np.column_stack([campaign.covariates[:, 0], campaign.covariates[:, 0] + random.normal(size=N)]),
        is_category=[False, False],
    )
    checked, balance = without_late_columns(worse)
    assert not balance.is_randomised and set(balance.differing) == {"recency", "tenure"}
    assert checked.covariate_names == ["recency", "tenure"]
    assert "not assigned by lot" in page("Campaign", checked, balance, known[2])


@pytest.mark.parametrize(("n_differing", "is_randomised"), [(3, True), (4, False)])
def test_a_third_of_the_columns_may_have_come_later(known, n_differing, is_randomised):
    campaign = known[0]
    random = np.random.default_rng(4)
    late = [campaign.arm + random.normal(size=N) for _ in range(n_differing)]
    early = [random.normal(size=N) for _ in range(10 - n_differing)]
    assert 3 <= 10 * MOST_LATE_SHARE < 4
    names = [f"column_{place}" for place in range(10)]
    mixed = replace(campaign, covariate_names=names, covariates=np.column_stack(late + early), is_category=[False] * 10)
    checked, balance = without_late_columns(mixed)
    assert balance.is_randomised == is_randomised
    assert len(checked.covariate_names) == (10 - n_differing if is_randomised else 10)


def test_a_column_that_decides_the_outcome_is_left_out(tmp_path):
    rows, _ = rows_of(0.0, seed=5, n=2_000)
    campaign, _ = without_late_columns(read(write(tmp_path / "mail.csv", rows)))
    assert "revenue" not in campaign.covariate_names
    assert "decides the outcome" in campaign.unused_columns["revenue"]


def test_few_outcomes_give_effects_but_no_model(tmp_path):
    rows, _ = rows_of(0.0, seed=6, n=150)
    campaign, _ = without_late_columns(read(write(tmp_path / "mail.csv", rows), covariates=("recency",)))
    evaluation = evaluate(campaign, Terms())
    assert f"{MIN_OUTCOMES} are needed" in evaluation.why_no_models
    assert [policy.name for policy in evaluation.policies] == ["nobody", "everybody"]
    assert "outcomes a 1,000 persons" in page("Campaign", campaign, without_late_columns(campaign)[1], evaluation)


@pytest.mark.parametrize(("n", "has_models"), [(MIN_OUTCOMES, True), (MIN_OUTCOMES - 1, False)])
def test_models_begin_with_fifty_outcomes_an_arm(n, has_models):
    arm = np.repeat([0, 1], 200)
    outcome = np.zeros(400)
    outcome[:n], outcome[200:300] = 1, 1
    campaign = Campaign(
        ["control", "mail"], arm, outcome, None, None, ["x"], np.arange(400.0)[:, None] % 7, [False], 400, {}, {}, []
    )
    assert (evaluate(campaign, Terms()).why_no_models == "") == has_models


def test_several_arms_are_compared_with_one_control_group(tmp_path):
    rows, _ = rows_of(0.15, seed=7, n=3_000)
    rows = [(i, "call" if arm == "mail" and i % 2 else arm, *rest) for i, arm, *rest in rows]
    campaign, _ = without_late_columns(read(write(tmp_path / "two.csv", rows), ignore=("revenue",)))
    evaluation = evaluate(campaign, Terms(value=VALUE, cost=COST))
    assert {arm.arm for arm in evaluation.arms} == {"call", "mail"}
    assert evaluation.policies[-1].arm == "best of all arms"
    assert sum(policy.is_recommended for policy in evaluation.policies) == 2


@pytest.mark.parametrize(
    ("effect", "smallest", "expected"),
    [
        (Estimate(0.02, 0.001, 0.04), 0.03, "works"),
        (Estimate(-0.02, -0.04, -0.001), 0.03, "harms"),
        (Estimate(0.0, -0.01, 0.01), SMALL_SHARE * 0.3, "no effect shown"),
        (Estimate(0.0, -0.01, 0.01), SMALL_SHARE * 0.3 + 0.001, "too small to tell"),
    ],
)
def test_verdicts(effect, smallest, expected):
    assert verdict(effect, smallest, control_rate=0.3) == expected


def test_the_area_of_contacts_by_lot_is_nothing():
    assert _area(7 * SHARES) == pytest.approx(0)
    assert _area(np.minimum(2 * SHARES, 1.0)) == pytest.approx(0.25, abs=0.02)


def test_draws_have_the_error_of_a_mean():
    terms = np.random.default_rng(8).normal(size=4_000)
    assert _Draws(4_000).of_mean(terms).std() == pytest.approx(1 / np.sqrt(4_000), rel=0.15)


def test_folds_share_arms_and_outcomes_equally():
    arm, outcome = np.repeat([0, 1], 50), np.tile([0.0, 1.0], 50)
    fold = folds(arm, outcome)
    counts = {(a, y, f): int(((arm == a) & (outcome == y) & (fold == f)).sum()) for a in (0, 1) for y in (0, 1)
              for f in range(N_FOLDS)}  # fmt: skip
    assert set(counts.values()) == {5}


# -- The file ---------------------------------------------------------------------------------------------------------


def test_rows_in_are_those_used_and_those_left_out(tmp_path):
    rows = [("1", "control", 1, 3), ("2", "", 1, 3), ("3", "mail", "", 3), ("4", "mail", 0, 4), ("5", "mail", 0, 4)]
    path = write(tmp_path / "mail.csv", rows, ["id", "arm", "kept", "x"])
    campaign = read(path)
    assert campaign.n_rows == 5 and len(campaign.arm) == 3
    assert campaign.left_out == {"no arm": 1, "outcome not known": 1}
    fewer = read_campaign(path, Columns("arm", "kept"), most_rows=2)
    assert len(fewer.arm) == 2 and sum(fewer.left_out.values()) == 3


@pytest.mark.parametrize("value", ["true", "YES", "1"])
def test_what_a_yes_may_be(tmp_path, value):
    path = write(tmp_path / "mail.csv", [("control", value), ("mail", "0")], ["arm", "kept"])
    assert list(read(path).outcome) == [1, 0]


@pytest.mark.parametrize(
    ("rows", "columns", "words"),
    [
        ([("control", "2"), ("mail", "0")], {}, "row 1: kept is '2'"),
        ([("a", "1"), ("b", "0")], {}, "which arm got nothing"),
        ([("control", "1"), ("mail", "0")], {"control": "nothing"}, "no row of 'arm' is 'nothing'"),
        ([("control", "1"), ("mail", "0")], {"outcome": "kapt"}, "did you mean 'kept'"),
        ([("control", "1"), ("control", "0")], {}, "has 1 values"),
        ([(str(i), "0") for i in range(MOST_ARMS + 1)], {}, f"has {MOST_ARMS + 1} values"),
        ([("control", "1"), ("mail", "0")], {"revenue": "arm"}, "is VARCHAR, no number"),
        ([("control", ""), ("mail", "")], {}, "no row with arm and outcome"),
    ],
)
def test_a_table_that_is_no_campaign_says_what_to_do(tmp_path, rows, columns, words):
    path = write(tmp_path / "mail.csv", rows, ["arm", "kept"])
    with pytest.raises(UserError, match="remedy: .+") as error:
        read(path, **columns)
    assert words in str(error.value)


def test_twenty_arms_are_arms(tmp_path):
    rows = [("control" if i == 0 else str(i + 1), "0") for i in range(MOST_ARMS)]
    assert len(read(write(tmp_path / "mail.csv", rows, ["arm", "kept"])).arm_names) == MOST_ARMS


def test_rare_categories_share_a_code(tmp_path):
    n = 40 * 25
    rows = [("control" if i % 3 else "mail", i % 2, f"town {i % 40:02}") for i in range(n)]
    campaign = read(write(tmp_path / "mail.csv", rows, ["arm", "kept", "town"]))
    assert campaign.is_category == [True]
    assert set(campaign.covariates[:, 0]) == set(range(MOST_CATEGORIES + 1))


def test_free_text_is_no_covariate(tmp_path):
    rows = [("control" if i % 3 else "mail", i % 2, f"note {i // 2}") for i in range(400)]
    assert "note" in read(write(tmp_path / "mail.csv", rows, ["arm", "kept", "note"])).unused_columns


# -- The command ------------------------------------------------------------------------------------------------------


def test_the_command_writes_page_pictures_and_tables(tmp_path, capsys):
    rows, _ = rows_of(0.15, seed=9, n=2_000)
    path = write(tmp_path / "mail.csv", rows)
    arguments = ["evaluate-campaign", str(path), "--arm", "arm", "--outcome", "kept", "--value", "50", "--cost", "1"]
    assert main([*arguments, "--ignore", "revenue"]) == 0
    folder = tmp_path / "mail-evaluation"
    assert {file.name for file in folder.iterdir()} == {
        "page.md", "effects.csv", "policies.csv", "curves.csv", "arm-1.png",
    }  # fmt: skip
    shown = capsys.readouterr().out
    assert "Whom to contact" in shown and "recommended" in shown and "measured after the contact" in shown
    with (folder / "policies.csv").open() as file:
        assert [row["policy"] for row in csv.DictReader(file)][:2] == ["nobody", "everybody"]
    assert main([*arguments, "--ignore", "revenue"]) == 0, "an earlier evaluation is replaced"


def test_a_folder_with_anything_else_is_not_replaced(tmp_path, capsys):
    path = write(tmp_path / "mail.csv", [("control", "1"), ("mail", "0")], ["arm", "kept"])
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "letter.txt").write_text("mine")
    arguments = ["evaluate-campaign", str(path), "--arm", "arm", "--outcome", "kept", "--out", str(tmp_path / "kept")]
    assert main(arguments) == 2
    assert "holds no evaluation" in capsys.readouterr().err
    assert (tmp_path / "kept" / "letter.txt").read_text() == "mine"


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (["--cost", "1"], "a cost without what an outcome is worth"),
        (["--revenue", "x", "--value", "5"], "give one of them"),
    ],
)
def test_terms_that_contradict_each_other(tmp_path, capsys, extra, words):
    path = write(tmp_path / "mail.csv", [("control", "1", 2), ("mail", "0", 3)], ["arm", "kept", "x"])
    assert main(["evaluate-campaign", str(path), "--arm", "arm", "--outcome", "kept", *extra]) == 2
    assert words in capsys.readouterr().err
