"""Metrics that MetricFlow compiles are the published numbers, at every level, to the cent."""

import json
from datetime import date, timedelta
from itertools import combinations
from random import Random

import duckdb
import pytest

from assets.dbt.runner import invoke_dbt
from assets.shared.errors import UserError
from assets.shared.settings import Settings, prepare_home
from pipelines.metric_queries import DIMENSIONS, MetricQueries, Question

AS_OF, FIRST, N_DAYS = date(2018, 3, 1), date(2018, 1, 3), 40
#: On its day January is over, and February, whose rates by value class wait, has begun.
VALUES = {
    "region": ("north", "south", "unknown"),
    "value_class": ("A", "B", "C"),
    "lifecycle_stage": ("active", "silent", "lost"),
    "channel": ("web", "shop"),
}
#: Metrics that only rates are made of.
PARTS_OF_RATES = {"n_known_retained_customers", "n_known_left_customers"}


@pytest.fixture(scope="module")
def definitions(project) -> dict[str, dict]:
    """Every metric as macro kpi_metrics has it: what the mart metric_definitions publishes."""
    with duckdb.connect() as con:
        con.execute(f"create table found as {_compiled(project, 'metric_definitions')}")
        rows = con.execute("select name, sentence, unit, is_sum, owner from found").fetchall()
    return {row[0]: dict(zip(("sentence", "unit", "is_sum", "owner"), row[1:], strict=True)) for row in rows}


_HOME: dict[str, Settings] = {}


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory, project):
    settings = Settings(home=tmp_path_factory.mktemp("semantic"), sources=("toy",))
    prepare_home(settings)
    _HOME["settings"] = settings
    return settings


def _compiled(project, name: str) -> str:
    variables = {"as_of_date": AS_OF.isoformat(), "run_id": "run"}
    arguments = ["compile", "--select", name, "--vars", json.dumps(variables)]
    found = invoke_dbt(_HOME["settings"], arguments, manifest=project.manifest).result.results
    return next(each.node.compiled_code for each in found if each.node.name == name)


@pytest.fixture(scope="module")
def numbers(project, project_home):
    """A connection with a random retention_kpis, the published levels of it, and the metrics over it."""
    random = Random(12)
    columns = {
        name: column["data_type"].replace("string", "text")
        for name, column in project.as_dict["nodes"]["model.holdfast.kpi_daily"]["columns"].items()
    }
    con = duckdb.connect()
    con.execute("attach ':memory:' as warehouse; create schema warehouse.measure; create schema warehouse.marts")
    con.execute("use warehouse")
    kinds = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    con.execute(f"create table measure.kpi_daily ({kinds})")
    for number in range(N_DAYS):
        day = FIRST + timedelta(number)
        cells = {tuple(random.choice(values) for values in VALUES.values()) for _ in range(random.randrange(1, 9))}
        for cell in cells:
            row = {
                name: random.randrange(10**6) / 100 if "decimal" in kind else random.randrange(50)
                for name, kind in columns.items()
                if kind == "bigint" or "decimal" in kind
            }
            row |= {"n_retained_customers": None} if number >= 20 else {}
            row |= (
                {"n_contacts": None, "n_contacted_customers": None, "n_reached_customers": None} if number < 5 else {}
            )
            row |= {"n_scored_customers": None, "expected_margin_year": None} if number < N_DAYS - 1 else {}
            row |= {"as_of_date": AS_OF, "kpi_date": day, "currency": "EUR", **dict(zip(VALUES, cell, strict=True))}
            row |= {"is_complete": number < 20, "is_left_censored": number < 3}
            con.execute(
                f"insert into measure.kpi_daily ({', '.join(row)}) values ({', '.join('?' * len(row))})",
                list(row.values()),
            )
    con.execute("create table marts.retention_kpis as select * from measure.kpi_daily")
    con.execute(f"create table measure.kpi_levels as {_compiled(project, 'kpi_levels')}")
    return con, MetricQueries(con, (project_home.dbt_target / "semantic_manifest.json").read_text())


def test_every_metric_is_declared_as_the_tables_compute_it(project, definitions):
    metrics = project.as_dict["metrics"].values()
    declared = {
        metric["name"]: {
            "sentence": metric["description"],
            "unit": metric["config"]["meta"]["unit"],
            "is_sum": metric["type"] == "simple",
            "owner": metric["config"]["meta"]["owner"],
        }
        for metric in metrics
        if metric["name"] not in PARTS_OF_RATES
    }
    assert declared == definitions
    assert {metric["name"] for metric in metrics} == set(definitions) | PARTS_OF_RATES


@pytest.mark.parametrize("dimensions", [(), *((d,) for d in DIMENSIONS), *combinations(DIMENSIONS, 2)])
def test_a_query_gives_the_published_numbers_at_every_level(numbers, definitions, dimensions):
    con, queries = numbers
    names = sorted(definitions)
    answer = queries.ask(Question(names, ("day", *dimensions)))
    level = "_x_".join(dimensions) or "total"
    keys = ", ".join(("kpi_date", *dimensions))
    published = {
        row[: 1 + len(dimensions)]: dict(zip(names, row[1 + len(dimensions) :], strict=True))
        for row in con.execute(
            f"select {keys}, {', '.join(names)} from measure.kpi_levels where level = ?", [level]
        ).fetchall()
    }
    assert len(answer.rows) > N_DAYS - 1
    for row in answer.rows:
        key, queried = row[: 1 + len(dimensions)], dict(zip(names, row[1 + len(dimensions) :], strict=True))
        table = published.pop(key)
        if "value_class" in dimensions and key[0] >= date(2018, 2, 1):
            # The table waits until the month is over, because its class was decided after the day.
            assert table["retention_rate"] is None and table["churn_rate"] is None
            del table["retention_rate"], table["churn_rate"], queried["retention_rate"], queried["churn_rate"]
        assert queried == table, key
    # What no row of the day speaks of is a zero in the table, or unknown.
    assert not any(value for row in published.values() for value in row.values())


def test_customers_are_of_the_last_evening_and_flows_of_the_whole_period(numbers):
    con, queries = numbers
    names = ["n_customers", "n_opening_customers", "net_sales", "n_orders"]
    answer = queries.ask(Question(names, ("month",), date(2018, 1, 10), date(2018, 2, 5)))
    expected = []
    for month, first, last in (
        (date(2018, 1, 1), date(2018, 1, 10), date(2018, 1, 31)),
        (date(2018, 2, 1), date(2018, 2, 1), date(2018, 2, 5)),
    ):
        stocks = [
            con.execute(f"select sum({name}) from marts.retention_kpis where kpi_date = ?", [day]).fetchone()[0]
            for name, day in (("n_customers", last), ("n_opening_customers", first))
        ]
        flows = con.execute(
            "select sum(net_sales), sum(n_orders) from marts.retention_kpis where kpi_date between ? and ?",
            [first, last],
        ).fetchone()
        expected.append((month, *stocks, *flows))
    assert answer.columns == ["month", *names] and answer.rows == expected


def test_a_group_that_is_empty_on_the_last_evening_has_nobody(numbers):
    con, queries = numbers
    last = con.execute("select max(kpi_date) from marts.retention_kpis").fetchone()[0]
    con.execute("begin")
    con.execute("delete from marts.retention_kpis where kpi_date = ? and region = 'south'", [last])
    try:
        only = {"region": "south"}
        answer = queries.ask(Question(["n_customers", "n_orders"], only=only))
        sold = con.execute("select sum(n_orders) from marts.retention_kpis where region = 'south'").fetchone()[0]
        assert answer.rows == [(0, sold)]
    finally:
        con.execute("rollback")


def test_a_filter_is_the_group_alone(numbers):
    _, queries = numbers
    by_region = queries.ask(Question(["net_sales", "repeat_rate"], ("region",))).rows
    for region, *numbers_of_it in by_region:
        only = {"region": region}
        assert queries.ask(Question(["net_sales", "repeat_rate"], only=only)).rows == [tuple(numbers_of_it)]
        assert queries.ask(Question(["net_sales"], ("region",), only=only)).rows == [(region, numbers_of_it[0])]


@pytest.mark.parametrize(
    ("question", "words"),
    [
        (Question(["net_sale"]), "net_sales"),
        (Question(["net_sales"], ("regio",)), "region"),
        (Question(["net_sales"], only={"store": "1"}), "channel"),
        (Question(["net_sales"], only={"region": "' or 1 = 1 --"}), "north"),
        (Question(["net_sales"], ("day", "day")), "name each once"),
    ],
)
def test_what_there_is_not_is_said(numbers, question, words):
    with pytest.raises(UserError, match=words):
        numbers[1].ask(question)
