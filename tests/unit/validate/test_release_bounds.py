"""A night next to the releases before it: what is within bounds, what is not, and what has nothing to compare with."""

import json
from dataclasses import replace
from datetime import date, timedelta

import duckdb
import pytest
from scipy.stats import chi2
from small_warehouse import AS_OF, build

from assets.shared.params import load_params
from assets.shared.settings import Settings
from assets.validate.release_bounds import (
    Figures,
    Release,
    _history,
    check_release,
    earlier_releases,
    figures_of,
    model_age,
)
from tests.published_set import publish_tables

PARAMS = load_params()
USUAL = Figures(
    n_customers=1000,
    n_scored=800,
    predicted_margin=10_000.0,
    mean_probability=0.3,
    bins=(200, 160, 120, 100, 60, 50, 40, 30, 20, 20),
    bands=(360, 280, 120, 40),
    scored_by="model",
    horizon_days=30,
    band_bounds=(0.2, 0.5, 0.8),
    n_orders=3000,
    net_sales=60_000.0,
    history_days=100,
)


def before(*figures: Figures, rows: dict | None = None) -> list[Release]:
    return [
        Release(AS_OF - timedelta(days=n), f, rows or {"churn_scores": f.n_customers}) for n, f in enumerate(figures, 1)
    ]


def failed(now: Figures | None, releases: list[Release], rows: dict | None = None) -> list[str]:
    results = check_release(now, rows or {"churn_scores": 1}, releases, PARAMS)
    assert all(result.reason for result in results)
    return [result.rule for result in results if not result.passed]


def test_the_first_release_has_nothing_to_compare_with_and_says_so():
    results = check_release(USUAL, {}, [], PARAMS)
    assert all(result.passed and "nothing to compare with" in result.observed for result in results)


def test_a_night_like_the_last_ones_passes():
    assert failed(USUAL, before(USUAL, replace(USUAL, n_customers=980))) == []


@pytest.mark.parametrize(
    ("change", "rules"),
    [
        ({"n_customers": 500}, ["volume_of_customers"]),
        ({"n_customers": 2500}, ["volume_of_customers"]),
        ({"n_customers": 1900}, []),
        ({"n_customers": 750}, []),
        ({"n_scored": 100, "bins": (25, 20, 15, 12, 8, 6, 5, 4, 3, 2), "bands": (45, 35, 15, 5)},
         ["volume_of_scored_customers"]),
        ({"predicted_margin": 5_000.0}, ["expected_margin"]),
        ({"predicted_margin": 20_000.0}, []),
        ({"predicted_margin": 20_001.0}, ["expected_margin"]),
        ({"n_orders": 4500, "net_sales": 90_000.0}, []),
        ({"n_orders": 4501}, ["growth_of_orders"]),
        ({"net_sales": 90_000.01}, ["growth_of_sales"]),
        ({"n_orders": 4589, "history_days": 101}, []),
        ({"n_orders": 4590, "history_days": 101}, ["growth_of_orders"]),
        ({"n_orders": None, "net_sales": None, "history_days": None}, []),
        ({"n_orders": 6000, "net_sales": 120_000.0}, ["growth_of_orders", "growth_of_sales"]),
        ({"mean_probability": 0.6}, ["mean_churn_probability"]),
        ({"mean_probability": 0.35}, []),
        ({"bands": (40, 120, 280, 360)}, ["churn_band_shares"]),
        ({"bins": (20, 20, 30, 40, 50, 60, 100, 120, 160, 200)}, ["score_stability"]),
        ({"n_scored": 0, "mean_probability": None, "bins": (0,) * 10, "bands": (0,) * 4, "predicted_margin": 0.0},
         ["volume_of_scored_customers", "expected_margin"]),
    ],
)  # fmt: skip
def test_what_lies_outside_the_last_releases_is_named(change, rules):
    assert failed(replace(USUAL, **change), before(USUAL, USUAL)) == rules


def test_the_range_of_the_last_releases_widens_the_bounds():
    assert failed(replace(USUAL, n_customers=3000), before(USUAL)) == ["volume_of_customers"]
    assert failed(replace(USUAL, n_customers=3000), before(USUAL, replace(USUAL, n_customers=1600))) == []


@pytest.mark.parametrize("other", [{"scored_by": "rule"}, {"horizon_days": 60}])
def test_scores_of_another_kind_are_not_compared(other):
    different = replace(USUAL, mean_probability=0.9, bins=tuple(reversed(USUAL.bins)), bands=(0, 0, 0, 800))
    assert failed(USUAL, before(replace(different, **other))) == []


def test_other_band_bounds_compare_everything_but_the_bands():
    moved = replace(USUAL, bands=(0, 0, 0, 800), band_bounds=(0.01, 0.02, 0.03))
    assert failed(USUAL, before(moved)) == []
    assert failed(replace(USUAL, mean_probability=0.9), before(moved)) == ["mean_churn_probability"]


def test_few_customers_may_differ_by_chance():
    few = replace(
        USUAL,
        n_customers=20,
        n_scored=12,
        mean_probability=0.45,
        bins=(2, 1, 2, 1, 1, 2, 1, 1, 1, 0),
        bands=(3, 4, 3, 2),
    )
    small = replace(
        USUAL,
        n_customers=22,
        n_scored=14,
        predicted_margin=100.0,
        bins=(4, 3, 2, 2, 1, 1, 1, 0, 0, 0),
        bands=(7, 5, 2, 0),
    )
    assert failed(replace(few, predicted_margin=90.0), before(small)) == []


def test_a_new_model_may_have_a_level_of_its_own_with_a_warning_and_the_same_model_may_not():
    old, low = replace(USUAL, model_version="2017-12-01-a"), {"predicted_margin": 5_000.0}

    def found(now: Figures, *releases: Figures) -> tuple[bool, str]:
        results = check_release(now, {"churn_scores": 1}, before(*releases), PARAMS)
        (result,) = [result for result in results if result.rule == "expected_margin"]
        return result.passed, result.severity

    new = replace(old, model_version="2018-01-01-b", **low)
    assert found(replace(old, **low), old) == (False, "blocking")
    assert found(new, old) == (False, "warning")
    # Once a night of the new model is released, it is compared with that one alone.
    assert found(new, new, old) == (True, "blocking")
    assert found(replace(new, predicted_margin=2_000.0), new, old) == (False, "blocking")


def test_a_table_that_lost_all_its_rows_is_a_warning():
    releases = before(USUAL, rows={"retention_actions": 5, "campaign_outcomes": 0})
    results = check_release(USUAL, {"retention_actions": 0, "campaign_outcomes": 0}, releases, PARAMS)
    (found,) = [result for result in results if not result.passed]
    assert (found.rule, found.severity, found.observed) == ("emptied_tables", "warning", "empty now: retention_actions")


def test_how_much_of_the_stability_index_is_left_to_chance():
    """The 0.999 quantile of chi-squared with nine degrees of freedom, over the two numbers of customers."""
    few = replace(USUAL, n_scored=100)
    results = check_release(
        few, {"churn_scores": 1}, before(few), PARAMS.model_copy(update={"validate_max_score_psi": 0.2})
    )
    (words,) = [result.observed for result in results if "index" in result.observed]
    assert "at most 0.758 expected" in words, "0.2 + 27.88 x 2 / 100"
    assert chi2.ppf(0.999, 9) == pytest.approx(27.88, abs=0.005)


def test_scores_that_cannot_be_read_fail():
    assert failed(None, before(USUAL)) == ["volume_of_customers"]


def test_figures_are_those_of_the_scores_and_survive_storage():
    con = duckdb.connect()
    build(con)
    found = figures_of(con, PARAMS)
    assert (found.n_customers, found.n_scored, found.mean_probability) == (5, 4, 0.5)
    assert found.bins == (0, 0, 0, 0, 0, 4, 0, 0, 0, 0) and found.bands == (0, 0, 4, 0)
    assert Figures.from_json(found.to_json()) == found


def published(settings: Settings, nights: dict[date, Figures | None]) -> None:
    con = duckdb.connect()
    for day, figures in nights.items():
        con.execute(
            "create or replace table manifest as select ?::date as as_of_date, ?::varchar as release_figures,"
            " ?::varchar as table_rows",
            [day, figures and figures.to_json(), json.dumps({"churn_scores": 1})],
        )
        publish_tables(settings, day, {"run_manifest": "from manifest"}, con)


def test_only_recent_releases_before_the_date_count(tmp_path):
    settings = Settings(home=tmp_path, sources=("x",))
    days = [AS_OF - timedelta(days=n) for n in (-5, 0, 1, 3, 44, 46, 400)]
    published(settings, dict.fromkeys(days, USUAL) | {AS_OF - timedelta(days=2): None})
    found = earlier_releases(duckdb.connect(), settings, AS_OF, PARAMS)
    assert [(AS_OF - release.as_of_date).days for release in found] == [1, 3, 44]
    two = PARAMS.model_copy(update={"validate_compare_releases": 2})
    assert len(earlier_releases(duckdb.connect(), settings, AS_OF, two)) == 2
    none = PARAMS.model_copy(update={"validate_compare_releases": 0})
    assert earlier_releases(duckdb.connect(), settings, AS_OF, none) == []


def test_a_history_that_cannot_be_read_is_nothing_to_compare_with(tmp_path):
    settings = Settings(home=tmp_path, sources=("x",))
    assert earlier_releases(duckdb.connect(), settings, AS_OF, PARAMS) == []
    published(settings, {AS_OF - timedelta(days=1): USUAL})
    (file,) = (settings.published / "history" / "run_manifest").iterdir()
    whole = file.read_bytes()
    file.write_bytes(b"no Parquet" * 100)
    assert earlier_releases(duckdb.connect(), settings, AS_OF, PARAMS) == []
    file.write_bytes(whole)
    assert len(earlier_releases(duckdb.connect(), settings, AS_OF, PARAMS)) == 1
    settings.published_db.resolve().with_name("set.json").unlink()
    assert earlier_releases(duckdb.connect(), settings, AS_OF, PARAMS) == []


@pytest.mark.parametrize(
    ("version", "passed"),
    [("2017-12-01-abcd1234", True), ("2017-11-16-abcd1234", True), ("2017-11-15-abcd1234", False), (None, False),
     ("somewhere", False), ("2018-02-01-abcd1234", False)],
)  # fmt: skip
def test_the_model_may_be_so_old_and_no_older(version, passed):
    con = duckdb.connect()
    con.execute("create schema score")
    con.execute("create table score.churn_scores as select ?::varchar as model_version", [version])
    found = model_age(con, AS_OF, PARAMS)
    assert (found.passed, found.severity) == (passed, "blocking")


def test_a_new_model_may_spread_scores_otherwise_with_a_warning_and_the_same_model_may_not():
    moved = {"bins": (20, 20, 30, 40, 50, 60, 100, 120, 160, 200)}
    old, other = replace(USUAL, model_version="2017-12-01-a"), replace(USUAL, model_version="2018-01-01-b", **moved)

    def severity(now: Figures, releases: list[Release]) -> tuple[bool, str]:
        found = [r for r in check_release(now, {}, releases, PARAMS) if r.rule == "score_stability"][0]
        return found.passed, found.severity

    assert severity(other, before(old)) == (False, "warning")
    assert severity(replace(old, **moved), before(old)) == (False, "blocking")
    # Once a night of the new model is released, it is compared with that one alone.
    assert severity(other, before(other, old)) == (True, "blocking")
    assert severity(replace(other, bins=USUAL.bins), before(other, old)) == (False, "blocking")


@pytest.mark.parametrize(
    ("n", "rules"), [(606, []), (605, ["volume_of_customers"]), (2094, []), (2095, ["volume_of_customers"])]
)
def test_how_far_the_number_of_customers_may_move(n, rules):
    """By the shares of the project, and three times the root of a thousand: 700 - 94.9 to 2000 + 94.9."""
    assert failed(replace(USUAL, n_customers=n), before(USUAL)) == rules


@pytest.mark.parametrize(("n", "rules"), [(673, []), (674, ["score_stability"])])
def test_how_far_the_scores_may_spread_otherwise(n, rules):
    """Of two halves of 800 the index is (q - 1/2) ln(q / (1 - q)); allowed are 0.5 and 27.88 * 2 / 800."""
    rest = (0,) * 8
    halves = replace(USUAL, bins=(400, 400, *rest))
    assert failed(replace(USUAL, bins=(n, 800 - n, *rest)), before(halves)) == rules


@pytest.mark.parametrize(
    ("mean", "rules"),
    [(0.524, []), (0.526, ["mean_churn_probability"]), (0.076, []), (0.074, ["mean_churn_probability"])],
)
def test_how_far_the_mean_probability_may_move(mean, rules):
    """0.15 and three times half the root of 2 / 800."""
    assert failed(replace(USUAL, mean_probability=mean), before(USUAL)) == rules


def test_history_of_a_night_is_read_from_its_customers():
    con = duckdb.connect()
    assert _history(con) == (None, None, None)
    con.execute(
        "create schema marts; create table marts.customer_360 as select * from (values"
        " (date '2024-03-01', 2, 10.50::decimal(18, 2), date '2024-01-01'), (date '2024-03-01', 0, null, null))"
        " as t(as_of_date, n_orders, net_sales_total, first_order_on)"
    )
    assert _history(con) == (2, 10.5, 60)
