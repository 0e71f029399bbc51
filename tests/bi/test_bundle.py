"""The Superset bundle against the declared marts: what a chart names exists, and what the set says is in the files."""

import json
from pathlib import Path

import duckdb
import pytest
import yaml

from bi.bundle import DECLARED, bundle

MARTS = Path("dbt_project/models/marts")
ENGINE_TYPES = {"string": "varchar", "double": "double", "int": "integer"}


@pytest.fixture(scope="module")
def published(tmp_path_factory) -> Path:
    """A database with all marts as declared, empty but for one currency and one metric."""
    file = tmp_path_factory.mktemp("published") / "holdfast.duckdb"
    with duckdb.connect(str(file)) as con:
        con.execute("create schema marts")
        for declared in MARTS.glob("*.yml"):
            for mart in yaml.safe_load(declared.read_text()).get("models", []):
                columns = ", ".join(
                    f"{c['name']} {ENGINE_TYPES.get(c['data_type'], c['data_type'])}" for c in mart["columns"]
                )
                con.execute(f"create table marts.{mart['name']} ({columns})")
        con.execute("comment on table marts.churn_scores is 'How likely each customer leaves.'")
        con.execute("comment on column marts.churn_scores.value_at_risk is 'What leaves with the customer.'")
        con.execute("insert into marts.retention_kpis_total (currency) values ('EUR')")
        con.execute(
            "insert into marts.metric_definitions (name, sentence, expression) "
            "values ('n_customers', 'Who bought once.', 'sum(n_customers)')"
        )
    return file


@pytest.fixture(scope="module")
def files(published) -> dict[str, dict]:
    return {path: yaml.safe_load(text) for path, text in bundle(published).items()}


def of_kind(files, kind: str) -> list[dict]:
    return [content for path, content in files.items() if path.startswith(f"{kind}/")]


def test_five_dashboards_have_every_chart_once(files):
    assert {d["slug"] for d in of_kind(files, "dashboards")} == {"morning", "leaving", "plan", "effects", "health"}
    shown = [
        part["meta"]["uuid"]
        for dashboard in of_kind(files, "dashboards")
        for part in dashboard["position"].values()
        if isinstance(part, dict) and part["type"] == "CHART"
    ]
    assert sorted(shown) == sorted(chart["uuid"] for chart in of_kind(files, "charts"))


def test_words_and_metrics_of_the_set_are_in_the_datasets(files):
    scores = files["datasets/holdfast/churn_scores.yaml"]
    assert scores["description"] == "How likely each customer leaves."
    assert {c["column_name"]: c["description"] for c in scores["columns"]}[
        "value_at_risk"
    ] == "What leaves with the customer."
    (metric,) = files["datasets/holdfast/retention_kpis.yaml"]["metrics"]
    assert (metric["metric_name"], metric["expression"], metric["description"]) == (
        "n_customers",
        "sum(n_customers)",
        "Who bought once.",
    )


def test_the_database_is_read_only_and_money_names_its_currency(files, published):
    (database,) = of_kind(files, "databases")
    assert database["extra"]["engine_params"]["connect_args"] == {"read_only": True}
    assert database["sqlalchemy_uri"].endswith(str(published))
    names = [chart["slice_name"] for chart in of_kind(files, "charts")]
    assert any("EUR" in name for name in names) and not any("CURRENCY" in name for name in names)


def test_every_chart_asks_for_what_is_declared(files, published):
    """Each chart's query, on the empty marts: an unknown table, column, filter or expression fails to bind."""
    tables = {d["uuid"]: d["table_name"] for d in of_kind(files, "datasets")}
    with duckdb.connect(str(published), read_only=True) as con:
        for chart in of_kind(files, "charts"):
            params = chart["params"]
            asked = [*params.get("all_columns", []), *([params["x_axis"]] if "x_axis" in params else [])]
            asked += [json.loads(order)[0] for order in params.get("order_by_cols", [])]
            where = " and ".join(f["sqlExpression"] for f in params.get("adhoc_filters", [])) or "true"
            table = f"marts.{tables[chart['dataset_uuid']]} where {where}"
            con.execute(f"select {', '.join(asked or ['1'])} from {table}")
            metrics = [m["sqlExpression"] for m in params.get("metrics", []) if isinstance(m, dict)]
            con.execute(f"select {', '.join(metrics or ['1'])} from {table}")


def test_an_import_replaces_what_an_earlier_one_made(published):
    assert bundle(published) == bundle(published)


def test_a_table_that_is_not_published_is_named(published, tmp_path):
    declared = yaml.safe_load(DECLARED.read_text())
    declared["dashboards"][0]["rows"][0][0]["table"] = "no_such_mart"
    other = tmp_path / "dashboards.yml"
    other.write_text(yaml.safe_dump(declared))
    with pytest.raises(SystemExit, match="no table marts.no_such_mart"):
        bundle(published, other)
