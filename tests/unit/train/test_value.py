"""The value model: who speaks, how sure, how far a year is from a quarter, and what is kept of it."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.model import model_store, value_model
from assets.model.churn_features import FEATURES
from assets.model.gamma_gamma import GammaGamma
from assets.model.interval_fit import learn_interval
from assets.model.purchase_rhythm import PurchaseRhythm
from assets.model.return_curve import ReturnCurve
from assets.model.value_fit import fit_two_part
from assets.model.value_model import ValueModel, simple_value
from assets.shared.errors import UserError
from assets.shared.params import load_params
from assets.train.judged import JudgedCutoff, from_parquet, to_parquet
from assets.train.value.cutoffs import WINDOWS, plan_value_cutoffs, window_days
from assets.train.value.extrapolation import extrapolation_of, factor_of_year_ago
from assets.train.value.performance import choose_candidate_model, money_metrics
from assets.train.value.predictions import (
    Prediction,
    at_their_window_level,
    learn_churners_pay,
    learn_window_level,
)
from assets.train.value.profit_curve import SHARES, curve_rows, economics, emp_rows
from assets.train.value.rows import ValueRows

CUTOFF = date(2020, 1, 1)
PARAMS = load_params()


def matrix(n, seed=0, **columns):
    """Features of n customers; those named, or else plausible ones."""
    rng = np.random.default_rng(seed)
    made = rng.gamma(2.0, 10.0, (n, len(FEATURES)))
    tenure = rng.integers(60, 400, n)
    defaults = {
        "n_orders": rng.integers(1, 40, n),
        "average_order_value": rng.gamma(3.0, 10.0, n),
        "tenure_days": tenure,
        "frequency": rng.integers(0, 20, n),
        "recency_days": tenure * 0.8,
        "days_since_last_order": tenure * 0.2,
    }
    for name, values in {**defaults, **columns}.items():
        made[:, FEATURES.index(name)] = values
    return made


def value_rows(n, seed=0):
    rng = np.random.default_rng(seed)
    features = matrix(n, seed)
    pace = features[:, FEATURES.index("n_orders")] / features[:, FEATURES.index("tenure_days")]
    order = features[:, FEATURES.index("average_order_value")]
    bought = rng.random(n) < np.clip(pace * 30, 0.1, 0.98)
    margin = np.where(bought, 0.25 * order * np.maximum(pace * 90, 1) * rng.gamma(4, 0.25, n), 0.0)
    return ValueRows(features, bought, margin, np.full(n, CUTOFF, dtype="datetime64[D]"))


def two_parts(rows):
    return fit_two_part(rows.matrix, rows.bought, rows.margin, seed=1)


# -- intervals


def test_intervals_hold_the_share_they_promise_on_customers_they_were_not_learned_from():
    rng = np.random.default_rng(1)
    expected = rng.gamma(1.0, 40.0, 8000)
    actual = np.where(rng.random(8000) < 0.2, 0.0, expected * rng.lognormal(0, 0.7, 8000))
    interval = learn_interval(expected[:4000], actual[:4000])
    low, high = interval.around(expected[4000:])
    inside = (actual[4000:] >= low) & (actual[4000:] <= high)
    assert 0.78 < inside.mean() < 0.9
    for group in np.array_split(np.argsort(expected[4000:]), 4):
        assert inside[group].mean() > 0.75, "in every part of the range, not only on average"
    assert (high - low).mean() < 4 * actual.std(), "an interval that holds everything says nothing"


@given(seed=st.integers(0, 10_000), n=st.integers(50, 300))
@settings(deadline=None, max_examples=40)
def test_an_interval_holds_its_expectation_and_survives_being_written(seed, n):
    rng = np.random.default_rng(seed)
    expected = rng.gamma(1.0, 40.0, n).round(rng.integers(0, 3))
    learned = learn_interval(expected, rng.normal(expected, 20))
    again = type(learned).from_dict(learned.to_dict())
    fresh = rng.gamma(1.0, 60.0, 50)
    low, high = again.around(fresh)
    assert (low <= fresh).all() and (fresh <= high).all()


def test_few_outcomes_give_no_interval():
    assert learn_interval(np.ones(49), np.ones(49)) is None
    assert learn_interval(np.ones(50), np.ones(50)) is not None


# -- who speaks


def test_the_simplest_speaks_unless_another_is_better_beyond_doubt():
    rng = np.random.default_rng(2)
    actual = rng.gamma(2.0, 20.0, 3000)
    blind, seeing = np.full(3000, 40.0), actual * rng.lognormal(0, 0.1, 3000)
    tie = blind * np.exp(rng.normal(0, 0.001, 3000))
    assert choose_candidate_model(
        [Prediction(CUTOFF, {"average_spend": blind, "gamma_gamma": tie, "two_part": seeing}, actual)]
    ) == ("two_part")
    assert choose_candidate_model(
        [Prediction(CUTOFF, {"average_spend": blind, "gamma_gamma": tie, "two_part": tie}, actual)]
    ) == ("average_spend")
    assert (
        choose_candidate_model([Prediction(CUTOFF, {"average_spend": seeing, "two_part": blind}, actual)])
        == "average_spend"
    )


def test_money_metrics_by_hand():
    actual = np.array([0.0, 0, 0, 0, 0, 0, 0, 0, 20, 80])
    found = money_metrics(actual.copy(), actual)
    assert found["spearman"] == pytest.approx(1) and found["gini"] == pytest.approx(1)
    assert found["captured_by_top_tenth"] == found["oracle_by_top_tenth"] == pytest.approx(0.8)
    assert found["actual_over_expected"] == pytest.approx(1) and found["mae"] == 0
    turned = money_metrics(actual[::-1].copy(), actual)
    assert turned["gini"] < 0 and turned["captured_by_top_tenth"] == 0
    assert money_metrics(actual * 2, actual)["actual_over_expected"] == pytest.approx(0.5)


def test_the_two_parts_expect_what_comes():
    rows, fresh = value_rows(3000, 3), value_rows(3000, 4)
    any_purchase, how_much = two_parts(rows)
    expected = value_model.two_part(any_purchase, how_much, fresh.matrix)
    assert expected.sum() == pytest.approx(fresh.margin.sum(), rel=0.06)
    assert money_metrics(expected, fresh.margin)["spearman"] > 0.6
    share = any_purchase.predict_proba(fresh.matrix)[:, 1]
    assert share.mean() == pytest.approx(fresh.bought.mean(), abs=0.03)


def test_where_all_buy_there_is_one_part_and_where_nobody_does_none():
    rows = value_rows(300)
    all_buy = ValueRows(rows.matrix, np.ones(300, bool), np.maximum(rows.margin, 1.0), rows.cutoff)
    any_purchase, how_much = two_parts(all_buy)
    assert any_purchase is None and (value_model.two_part(None, how_much, rows.matrix) > 0).all()
    nobody = ValueRows(rows.matrix, np.zeros(300, bool), np.zeros(300), rows.cutoff)
    assert two_parts(nobody) == (None, None)


def test_simple_value_by_hand():
    features = matrix(2, n_orders=[6, 1], average_order_value=[50, 20], tenure_days=[300, 10])
    # Six orders in 300 days are 0.02 a day; a customer of ten days is taken over the least of 30.
    assert simple_value(features, 365, 0.25, 30) == pytest.approx([0.25 * 50 * 0.02 * 365, 0.25 * 20 / 30 * 365])
    drawn = simple_value(features, 365, 0.25, 30, GammaGamma(1.0, 3.0, 80.0))
    assert drawn[1] > simple_value(features, 365, 0.25, 30)[1], "one small order is drawn to the population's 40"


# -- the year from a part of it


def test_extrapolation_by_hand():
    assert extrapolation_of(np.array([100.0, 50.0]), 4) == pytest.approx(1 + 0.5 + 0.25 + 0.125)
    assert extrapolation_of(np.array([100.0, 100.0, 100.0]), 3.5) == pytest.approx(3.5)
    assert extrapolation_of(np.empty(0), 2.5) == pytest.approx(2.5), (
        "without a second window the margin is taken to stay"
    )
    assert extrapolation_of(np.array([100.0, 110.0]), 3) == pytest.approx(1 + 1.1 + 1.1), "growth is not extrapolated"


@given(amounts=st.lists(st.floats(0, 1e6), max_size=6), n=st.floats(1, 14))
def test_a_longer_time_never_brings_less_than_the_first_window(amounts, n):
    extrapolation_factor = extrapolation_of(np.array(amounts), n)
    assert 1.0 - 1e-9 <= extrapolation_factor <= 2 * n + 1


# -- cutoffs


def test_the_longest_window_that_can_be_judged_is_taken():
    params = load_params()
    first, longest = date(2017, 1, 1), []
    for years in (0.3, 0.7, 1, 1.3, 3):
        cutoffs = plan_value_cutoffs(first + timedelta(round(365 * years)), first, params)
        longest.append(cutoffs.days if cutoffs else None)
    assert longest == [None, 91, 91, 182, 365]


def test_two_cutoffs_teach_and_two_judge_however_long_the_history():
    cutoffs = plan_value_cutoffs(date(2030, 1, 1), date(2010, 1, 1), load_params())
    assert (cutoffs.days, len(cutoffs.training), len(cutoffs.tests)) == (365, 2, 2)
    assert all(len(known) == 2 for known in cutoffs.tests.values())


@pytest.mark.parametrize(("second", "kept"), [(10.0, 0.1), (9.0, 0.1), (11.0, 0.11), (100.0, 1.0), (101.0, 1.0)])
def test_a_window_keeps_a_tenth_of_the_one_before_at_least_and_all_of_it_at_most(second, kept):
    """The window seen counts as it was; the third follows at the rate of the second."""
    found = extrapolation_of(np.array([100.0, second]), 3)
    assert found == pytest.approx(1 + second / 100 + second / 100 * kept)


@given(days=st.integers(0, 1500), horizon=st.integers(7, 120), value=st.integers(120, 800))
@settings(deadline=None)
def test_no_judged_model_learns_from_a_window_that_is_not_closed(days, horizon, value):
    params = PARAMS.model_copy(update={"churn_horizon_days": horizon, "value_horizon_days": value})
    anchor, first = date(2020, 1, 1) + timedelta(days), date(2020, 1, 1)
    cutoffs = plan_value_cutoffs(anchor, first, params)
    if cutoffs is None:
        return
    window = timedelta(cutoffs.days)
    assert cutoffs.days == window_days(cutoffs.window, value) > horizon and cutoffs.window in WINDOWS
    assert cutoffs.training and all(cutoff + window <= anchor for cutoff in cutoffs.cutoffs)
    for test, known in cutoffs.tests.items():
        assert known and all(cutoff + window <= test for cutoff in known)
    assert min(cutoffs.cutoffs) >= first + timedelta(horizon + params.churn_min_tenure_days)


def test_a_business_that_grew_learns_a_shorter_window_from_enough_customers():
    """Two years and two months on: the year could only be learned from the handful of the first weeks."""
    anchor, params = date(2024, 3, 1), load_params()
    assert plan_value_cutoffs(anchor, date(2022, 1, 1), params).window == "year"
    assert plan_value_cutoffs(anchor, date(2022, 8, 20), params).window == "half_year"
    assert plan_value_cutoffs(anchor, date(2023, 6, 20), params).window == "quarter"
    assert plan_value_cutoffs(anchor, date(2024, 1, 1), params) is None


def test_a_year_ago_is_asked_for_where_the_window_is_shorter_and_the_history_reaches_it():
    anchor, params = date(2024, 3, 1), load_params()
    # Enough customers a horizon and the least tenure before the day a year ago, and a day too late for it.
    on_time = date(2023, 3, 2) - timedelta(params.churn_horizon_days + params.churn_min_tenure_days)
    reached = plan_value_cutoffs(anchor, on_time, params)
    assert reached.year_ago == date(2023, 3, 2) and reached.year_ago in reached.cutoffs
    assert plan_value_cutoffs(anchor, on_time + timedelta(1), params).year_ago is None
    assert plan_value_cutoffs(anchor, date(2021, 1, 1), params).year_ago is None, "the window is a year"


def test_a_window_follows_what_came_over_what_was_expected():
    """A business that grows by a fifth from window to window is a fifth behind at each test cutoff, and now."""
    buyers = 20_000
    tests = [
        Prediction(CUTOFF + timedelta(365 * n), {"two_part": np.full(buyers, 10.0)}, np.full(buyers, 12.0))
        for n in range(2)
    ]
    assert learn_window_level(tests, "two_part") == pytest.approx(1.2, rel=0.01)
    assert learn_window_level([], "two_part") == 1.0
    few = [Prediction(CUTOFF, {"two_part": np.full(200, 10.0)}, np.full(200, 12.0))]
    assert np.log(learn_window_level(few, "two_part")) == pytest.approx(np.log(1.2) / 2)
    then = at_their_window_level(tests, 365, 365)
    assert then[0].expected["two_part"][0] == 10.0
    assert then[1].expected["two_part"][0] == pytest.approx(12.0, rel=0.01)
    assert at_their_window_level(tests, 366, 366)[1].expected["two_part"][0] == 10.0, "not closed by then"
    assert at_their_window_level(tests, 182, 365) == tests, "half a year would take its season for a level"


def test_a_year_is_to_the_window_as_the_year_that_ends_now_was():
    before = Prediction(CUTOFF, {"two_part": np.array([10.0, 30.0])}, np.array([0.0, 120.0]))
    assert factor_of_year_ago(before, "two_part", 4.0) == 3.0
    assert factor_of_year_ago(replace(before, actual=np.zeros(2)), "two_part", 4.0) is None
    assert factor_of_year_ago(replace(before, expected={"two_part": np.zeros(2)}), "two_part", 4.0) is None
    assert factor_of_year_ago(before, "two_part", 1.5) == 3.0
    assert factor_of_year_ago(before, "two_part", 1.4) == 2.8
    assert factor_of_year_ago(replace(before, actual=np.array([0.0, 39.0])), "two_part", 4.0) == 1.0


def test_the_level_of_the_year_is_in_every_amount_of_it():
    def year(level):
        window = {"name": "year", "days": 365, "candidate_model": "average_spend", "level": level}
        card = model_card(window=window, extrapolation_factor=1.0, intervals={"horizon": None, "window": None})
        return ValueModel(card).expect(matrix(50), np.full(50, 0.9), np.zeros(50))

    assert year(1.5).year == pytest.approx(1.5 * year(1.0).year, abs=1e-5)
    assert year(1.5).year_at_risk == pytest.approx(1.5 * year(1.0).year_at_risk, abs=1e-5)


def test_without_data_there_are_no_cutoffs():
    assert plan_value_cutoffs(CUTOFF, None, load_params()) is None


# -- what is kept


def model_card(**changes):
    rng = np.random.default_rng(5)
    expected = rng.gamma(1.0, 40.0, 500)
    interval = learn_interval(expected, expected * rng.lognormal(0, 0.5, 500)).to_dict()
    return {
        "basis": "extrapolated",
        "horizon_days": 30,
        "value_horizon_days": 365,
        "label_days": 30,
        "margin_share": 0.25,
        "window": None,
        "extrapolation_factor": 8.0,
        "gamma_gamma": None,
        "intervals": {"horizon": interval, "window": interval},
        "return_curve": ReturnCurve(PurchaseRhythm(GammaGamma(1.5, 2.0, 10.0), 100), None, 30).to_dict(),
        "performance": [],
        **changes,
    }


def written(folder, card, any_purchase=None, how_much=None):
    for name, content in model_store.value_files(card, any_purchase, how_much).items():
        (folder / name).write_bytes(content)
    return folder


def loaded(folder):
    return model_store.load_value_model(folder.parent, folder.name)


def test_without_a_window_the_year_is_the_horizon_extrapolated():
    churn, retained = np.array([0.1, 0.9]), np.array([100.0, 100.0])
    value = ValueModel(model_card()).expect(matrix(2), churn, retained)
    assert value.horizon == pytest.approx([90, 10]) and value.year == pytest.approx([720, 80])
    assert value.year_high == pytest.approx(8 * value.horizon_high)
    assert (value.year_low <= value.year).all() and (value.year <= value.year_high).all()


def test_a_year_is_never_less_than_the_horizon_it_holds():
    card = model_card(
        window={"name": "quarter", "days": 91, "candidate_model": "average_spend", "level": 1.0},
        extrapolation_factor=4.0,
    )
    value = ValueModel(card).expect(matrix(50), np.full(50, 0.01), np.full(50, 5000.0))
    assert (value.year >= value.horizon).all() and value.year == pytest.approx(np.full(50, 4950.0))


def test_without_outcomes_there_is_an_expectation_and_no_interval():
    card = model_card(intervals={"horizon": None, "window": None})
    value = ValueModel(card).expect(matrix(3), np.full(3, 0.5), np.full(3, 10.0))
    assert np.isfinite(value.year).all() and np.isnan([value.year_low, value.horizon_high]).all()


def test_a_stored_model_says_the_same(tmp_path):
    any_purchase, how_much = two_parts(value_rows(400))
    card = model_card(
        window={"name": "quarter", "days": 91, "candidate_model": "two_part", "level": 1.0}, extrapolation_factor=4.0
    )
    before = ValueModel(card, any_purchase, how_much)
    after = loaded(written(tmp_path, card, any_purchase, how_much))
    fresh, churn, retained = matrix(40, 9), np.full(40, 0.2), np.full(40, 30.0)
    assert (before.expect(fresh, churn, retained).year == after.expect(fresh, churn, retained).year).all()
    assert after.return_curve == before.return_curve
    assert after.return_curve.rhythm.gaps == GammaGamma(1.5, 2.0, 10.0)


def test_a_changed_missing_or_foreign_file_is_refused(tmp_path):
    any_purchase, how_much = two_parts(value_rows(400))
    written(tmp_path, model_card(), any_purchase, how_much)
    content = (tmp_path / "value.skops").read_bytes()
    (tmp_path / "value.skops").write_bytes(content + b"x")
    with pytest.raises(UserError, match="is not the file that its card was written for"):
        loaded(tmp_path)
    (tmp_path / "value.skops").unlink()
    with pytest.raises(UserError, match="is missing"):
        loaded(tmp_path)
    from sklearn.gaussian_process import GaussianProcessRegressor

    written(tmp_path, model_card(), None, GaussianProcessRegressor(optimizer=print))
    with pytest.raises(UserError, match="no model of ours"):
        loaded(tmp_path)
    (tmp_path / "value.json").write_text("{")
    with pytest.raises(UserError, match="cannot be read"):
        loaded(tmp_path)


def test_next_purchase_of_customers():
    features = matrix(
        3, frequency=[10, 0, np.nan], recency_days=[100, 0, np.nan], days_since_last_order=[5, 40, np.nan]
    )
    found = ValueModel(model_card()).next_purchase(features, np.array([0.1, 0.4, np.nan]))
    assert all(np.isnan(column[2]).all() for column in vars(found).values())
    assert found.usual_gap[0] == pytest.approx(10.0, rel=0.1) and found.overdue[0] == pytest.approx(0.5, rel=0.1)
    for low, expected, high in zip(found.low[:2], found.expected[:2], found.high[:2], strict=True):
        assert 0 <= low < expected < high < 30


def test_a_next_order_is_dated_only_where_one_is_likelier_than_none():
    features = matrix(4, frequency=[10] * 4, recency_days=[100] * 4, days_since_last_order=[5] * 4)
    found = ValueModel(model_card()).next_purchase(features, np.array([0.499999999, 0.5, 0.9, np.nan]))
    for days in (found.low, found.expected, found.high):
        assert np.isfinite(days).tolist() == [True, False, False, False]
    assert np.isfinite(found.overdue).all() and np.isfinite(found.usual_gap).all()
    assert np.isfinite(found.none_within).tolist() == [[True] * 5] * 3 + [[False] * 5]


# -- tables


def judged_cutoff(seed=0, n=600, cutoff=CUTOFF):
    rng = np.random.default_rng(seed)
    p = rng.beta(1, 14, n)
    features = matrix(n, seed)
    return JudgedCutoff(
        cutoff,
        features,
        rng.random(n) < p,
        rng.random(n) < 0.9,
        rng.gamma(1, 20, n),
        p,
        rng.beta(1, 4, n),
        0.25 * features[:, FEATURES.index("average_order_value")],
    )


def test_what_was_judged_survives_being_written():
    cutoffs = [judged_cutoff(1), judged_cutoff(2, cutoff=CUTOFF + timedelta(30))]
    again = from_parquet(to_parquet(cutoffs)["judged.parquet"])
    assert [test.cutoff for test in again] == [test.cutoff for test in cutoffs]
    params = load_params()
    assert curve_rows(again, params, economics(params)) == curve_rows(cutoffs, params, economics(params))
    assert to_parquet([]) == {}


def test_the_curve_stops_where_the_next_customer_is_expected_to_lose():
    params = load_params()
    rows = curve_rows(
        [judged_cutoff(s, cutoff=CUTOFF + timedelta(30 * s)) for s in range(4)], params, economics(params)
    )
    totals = [row for row in rows if row["cutoff_date"] is None]
    by_share = {(r["ranking"], r["contacted_share"]): r for r in totals if not r["is_stop_point"]}
    assert {share for _, share in by_share} == set(SHARES)
    everybody = {name: row["profit"] for (name, share), row in by_share.items() if share == 1.0}
    assert len({round(profit, 6) for profit in everybody.values()}) == 1, "whoever is first, everybody is everybody"
    stop = next(row for row in totals if row["is_stop_point"])
    assert 0 < stop["contacted_share"] < 1 and stop["profit"] > 0 > everybody["random"]
    best = max(r["profit"] for (name, _), r in by_share.items() if name == "expected_profit")
    assert stop["profit"] > 0.85 * best
    for name in {name for name, _ in by_share} - {"random"}:
        assert by_share[name, 0.1]["profit"] > by_share["random", 0.1]["profit"], name
    assert by_share["expected_profit", 0.1]["profit"] > by_share["risk_only", 0.1]["profit"]
    for name in {row["ranking"] for row in totals}:
        assert sum(row["is_best"] for row in totals if row["ranking"] == name) <= 1
    assert not any(row["is_best"] for row in totals if row["ranking"] == "random")


def test_the_expected_maximum_profit_is_told_of_every_ranking():
    params = load_params()
    rows = emp_rows([judged_cutoff(7)], params, economics(params))
    emp = {
        row["candidate_model"]: row["value"] for row in rows if row["metric"] == "emp" and row["cutoff_date"] is None
    }
    assert emp["expected_profit"] > emp["risk_only"] > emp["random"] >= 0
    assert {row["n_rows"] for row in rows} == {int(judged_cutoff(7).is_active.sum())}
    assert emp_rows([], params, economics(params)) == [] and curve_rows([], params, economics(params)) == []


@pytest.mark.parametrize("paid", [0.0, 0.5, 1.0])
def test_what_churners_paid_until_their_contract_ended_is_learned(paid):
    """Everybody pays 30 over the horizon; churners pay `paid` of what their contract covers of it."""
    rng = np.random.default_rng(0)
    n = 1000
    features = matrix(n, 0)
    left = rng.integers(1, 90, n).astype(float)
    features[:, FEATURES.index("contract_days_left")] = left
    churned = rng.random(n) < 0.3
    share = np.where(left < 30, left / 30, 0.5)
    margin = np.where(churned, paid * share * 30.0, 30.0)
    flat = np.full(n, 30.0)
    p = np.full(n, 0.3)
    test = JudgedCutoff(CUTOFF, features, churned, np.ones(n, bool), margin, p, p, flat)
    assert learn_churners_pay([test], 30) == pytest.approx(paid)
    assert learn_churners_pay([], 30) == 1.0
    expected = value_model.over_horizon(features, np.full(n, 0.3), flat, paid, 30)
    assert expected.sum() == pytest.approx(margin.sum(), rel=0.02)


def test_an_interval_holds_four_in_five_and_has_at_most_ten_bins():
    """Of 1 to 104 in one bin the 10th and the 95th: ranks 10.5 and 94.5 of 105, to the outside."""
    actual = np.arange(1.0, 105.0)
    low, high = learn_interval(np.full(104, 50.0), actual).around(np.full(1, 50.0))
    assert (low[0], high[0]) == pytest.approx((10, 95))
    low, high = learn_interval(np.full(99, 50.0), actual[:99]).around(np.full(1, 50.0))
    assert (low[0], high[0]) == pytest.approx((10, 90)), "ranks 10 and 90 of 100, not a hair beside them"
    many = np.arange(1.0, 1101.0)
    assert len(learn_interval(many, many).low) == 10
    assert len(learn_interval(many[:149], many[:149]).low) == 2, "fifty in each"


@given(st.integers(60, 3000), st.floats(0.2, 0.7), st.integers(0, 2**31))
@settings(deadline=None, max_examples=60)
def test_zeros_do_not_widen_the_interval(n, share, seed):
    """Of those who come back as rarely as that, too, about 80 in 100 lie inside, not these and all who did not come."""
    rng = np.random.default_rng(seed)
    actual = np.where(rng.random(n) < share, 0.0, rng.lognormal(3, 0.5, n))
    e = np.full(n, 1.0)  # below all amounts that are paid, so that it does not stretch the interval itself
    low, high = learn_interval(e, actual).around(e)
    inside = float(((actual >= low) & (actual <= high)).mean())
    assert 0.8 - 2 / n <= inside <= 0.8 + 4 / n
