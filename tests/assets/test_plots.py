"""Pictures of tables: there for a small warehouse, none for an empty one, nothing from the as-of date on."""

import io

import duckdb
import numpy as np
import pytest
from PIL import Image

from assets.actions.plots import draw_contact_plan
from assets.dbt import plots
from assets.score.plots import draw_scores
from assets.shared.params import load_params
from assets.shared.plots import GREY, RISING, canvas, in_currency
from assets.train import plots as backtest_plots
from assets.train.defs import _PICTURES, drawn_with

PNG = b"\x89PNG"

#: A warehouse as of 2020-03-01 that also holds later days, as after a run for an earlier date.
TABLES = """
create schema features; create schema segments; create schema marts; create schema score; create schema actions;
create table features.customer_day as
    select 'c' || i % 3 as customer_id, date '2020-01-05' + i::int as day, 5.0::decimal(18, 4) as net_sales
    from range(80) as days(i);
create table features.customer_features as
    select date '2020-03-01' as as_of_date, 'c' || i as customer_id, i::double as days_since_last_order
    from range(3) as customers(i);
create table segments.customer_lifecycle as
    select unnest(['active', 'silent', 'never_purchased']) as lifecycle_stage;
create table segments.customer_rfm as
    select unnest([1, 5, null]) as r_score, unnest([2, 5, null]) as f_score;
create table segments.lifecycle_transitions as
    select unnest(['active', 'never_purchased']) as from_stage, unnest(['silent', 'new']) as to_stage,
        date '2020-02-01' as to_month, 4 as n_customers, true as is_complete;
create table marts.retention_kpis_total as
    select date '2020-01-05' + i::int as kpi_date, 3 as n_active_customers,
        case when i < 20 then 0.25 end as churn_rate, i < 5 as is_left_censored
    from range(40) as days(i);
create table marts.cohort_retention as
    select cohort_month, months_since_first, 1 / (1.0 + months_since_first) as retained_share,
        1200 as n_customers, true as is_complete, cohort_month = date '2020-01-01' as is_before_data
    from (values (date '2020-01-01'), (date '2020-02-01')) as cohorts(cohort_month), range(3) as m(months_since_first);
create table score.churn_scores as
    select i / 4.0 as churn_probability, true as is_eligible, 'low' as churn_band, 10.0 as value_at_risk
    from range(4) as customers(i);
create table actions.contact_plan as
    select date '2020-03-01' as as_of_date, 'contact' as decision, null::varchar as reason_not_contacted,
        1 as plan_rank, 2.0 as expected_incremental_profit, 0.5 as contact_cost, 1.0 as offer_cost,
        0.2 as redeem_probability
    union all by name
    select date '2020-03-01' as as_of_date, 'not_contacted' as decision, 'no consent' as reason_not_contacted;
"""
NAMES = [
    "features.customer_day",
    "features.customer_features",
    "segments.customer_lifecycle",
    "segments.customer_rfm",
    "segments.lifecycle_transitions",
    "marts.retention_kpis_total",
    "marts.cohort_retention",
]


@pytest.fixture
def con():
    con = duckdb.connect()
    con.execute(TABLES)
    return con


@pytest.fixture
def drawn(monkeypatch):
    """The figures drawn by `assets.dbt.plots`, kept after they have become bytes."""
    figures, canvas = [], plots.canvas

    def kept(*args, **settings):
        made = canvas(*args, **settings)
        enter = made.__enter__

        class Kept:
            def __enter__(self):
                figures.append(enter())
                return figures[-1]

            def __exit__(self, *error):
                return made.__exit__(*error)

        return Kept()

    monkeypatch.setattr(plots, "canvas", kept)
    return figures


def _axes(drawn):
    return drawn[-1].figure.axes


def test_every_table_with_a_picture_is_tried():
    assert set(NAMES) == set(plots._PICTURES)


@pytest.mark.parametrize("table", NAMES)
def test_a_small_warehouse_has_every_picture(con, table):
    ((_, png),) = plots.draw_plots(con, [table, "marts.no_such_table"]).values()
    assert png.startswith(PNG)


@pytest.mark.parametrize("table", NAMES)
def test_an_empty_table_has_no_picture(con, table):
    con.execute(f"delete from {table}")
    assert plots.draw_plots(con, [table]) == {}


def test_scores_and_plan(con):
    assert draw_scores(con).startswith(PNG)
    assert draw_contact_plan(con, load_params()).startswith(PNG)
    con.execute("delete from score.churn_scores")
    con.execute("delete from actions.contact_plan")
    assert draw_scores(con) is None
    assert draw_contact_plan(con, load_params()).startswith(PNG)  # an empty plan is a result, and says so


def test_days_end_before_the_as_of_date(con, drawn):
    plots.draw_plots(con, ["features.customer_day"])
    for axes in _axes(drawn):
        days = axes.lines[0].get_xdata()
        assert str(days[0]) == "2020-01-05"
        assert str(days[-1]) == "2020-02-29"


def test_days_without_a_known_date_are_not_drawn(con):
    con.execute("drop table features.customer_features")
    assert plots.draw_plots(con, ["features.customer_day"]) == {}


def test_rates_of_windows_that_begin_before_the_data_are_blank(con, drawn):
    plots.draw_plots(con, ["marts.retention_kpis_total"])
    rates = np.array(_axes(drawn)[1].lines[0].get_ydata(), dtype=float)
    assert np.isnan(rates[:5]).all()
    assert np.isfinite(rates[5:20]).all()
    con.execute("alter table marts.retention_kpis_total drop is_left_censored")
    plots.draw_plots(con, ["marts.retention_kpis_total"])
    assert np.isfinite(np.array(_axes(drawn)[1].lines[0].get_ydata(), dtype=float)[:20]).all()


@pytest.mark.parametrize("marked", [True, False])
def test_the_month_in_which_the_data_begin_is_no_cohort(con, drawn, marked):
    if not marked:
        con.execute("alter table marts.cohort_retention drop is_before_data")
    plots.draw_plots(con, ["marts.cohort_retention"])
    assert [label.get_text() for label in _axes(drawn)[0].get_yticklabels()] == ["Feb 2020 (1,200)"]


def test_money_has_its_currency_where_the_source_names_one(con, drawn):
    plots.draw_plots(con, ["features.customer_day"])
    assert _axes(drawn)[1].get_ylabel() == "net sales, in the source's currency"
    con.execute("create schema if not exists staging; create table staging.transaction_days (last_currency varchar)")
    assert in_currency(con) == "in the source's currency"
    con.execute("insert into staging.transaction_days values (null), ('EUR')")
    assert in_currency(con) == "in EUR"


def test_best_recency_stands_on_top(con, drawn):
    plots.draw_plots(con, ["segments.customer_rfm"])
    (axes,) = _axes(drawn)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["5", "4", "3", "2", "1"]
    assert {(text.get_position(), text.get_text()) for text in axes.texts if text.get_text() != "0"} == {
        ((4, 0), "1"),
        ((1, 4), "1"),
    }


def test_movements_are_coloured_by_the_share_of_their_row(con, drawn):
    con.execute("insert into segments.lifecycle_transitions values ('active', 'active', date '2020-02-01', 12, true)")
    plots.draw_plots(con, ["segments.lifecycle_transitions"])
    cells = np.array(_axes(drawn)[0].images[0].get_array())
    labels = [label.get_text() for label in _axes(drawn)[0].get_yticklabels()]
    assert labels == ["never purchased", "new", "active", "silent"]
    assert cells[labels.index("active")].tolist() == [0, 0, 0.75, 0.25]
    assert cells[labels.index("never purchased")].tolist() == [0, 1, 0, 0]


def test_pictures_of_a_backtest_with_and_without_customers():
    y, p = np.array([True, False, True, False]), np.array([0.9, 0.2, 0.6, 0.6])
    rows = [{"bin": 1, "n": 4, "mean_predicted": 0.5, "observed_share": 0.5, "low": 0.2, "high": 0.8}]
    assert backtest_plots.draw_reliability({"model": rows, "rule": rows}, "rule").startswith(PNG)
    assert backtest_plots.draw_lift({"model": (y, p), "rule": (y, p[::-1])}, "model").startswith(PNG)
    assert backtest_plots.draw_scores(y, p, "model").startswith(PNG)
    assert backtest_plots.draw_scores(np.empty(0, dtype=bool), np.empty(0), "rule").startswith(PNG)


def test_a_picture_has_few_colours_and_they_are_the_chosen_ones():
    """Every run keeps its pictures: 24 bits a point would take three times the room."""
    with canvas() as made:
        axes = made.figure.subplots()
        axes.bar(range(4), [1, 2, 3, 4], color=RISING)
        axes.plot([0, 3], [1, 4], color=GREY)
    picture = Image.open(io.BytesIO(made.png))
    assert (picture.mode, picture.size) == ("P", (700, 360))
    colours = {f"#{red:02X}{green:02X}{blue:02X}" for _, (red, green, blue) in picture.convert("RGB").getcolors(256)}
    assert len(colours) <= 64
    assert "#FFFFFF" in colours
    near = [min(_distance(wanted, there) for there in colours) for wanted in [*RISING, GREY]]
    assert max(near) <= 8, near


def _distance(one: str, other: str) -> int:
    return max(abs(int(one[at : at + 2], 16) - int(other[at : at + 2], 16)) for at in (1, 3, 5))


def test_each_picture_of_a_model_is_logged_with_one_table(tmp_path):
    for name in ("lift.png", "reliability.png", "value.png"):
        (tmp_path / name).write_bytes(PNG)
    drawn = drawn_with(tmp_path)
    assert {table: set(pictures) for table, pictures in drawn.items() if pictures} == {
        "model_performance": {"lift"},
        "reliability": {"reliability"},
        "value_performance": {"value"},
    }
    names = [name for files in _PICTURES.values() for name in files]
    assert len(names) == len(set(names))
