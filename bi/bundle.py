"""Superset's import files from the published set and `dashboards.yml`: a database, its datasets with the descriptions
of the set, the metrics of `metric_definitions`, charts and dashboards. Ids come from names, so an import replaces."""

import json
import uuid
from pathlib import Path
from typing import Any

import duckdb
import yaml

DECLARED = Path(__file__).with_name("dashboards.yml")
DATABASE = "holdfast"
VERSION = "1.0.0"
# The dataset of the morning numbers, over which `metric_definitions` are expressions.
KPIS = "retention_kpis"
KINDS = {
    "number": {"viz_type": "big_number", "aggregation": "LAST_VALUE", "time_grain_sqla": "P1D", "show_timestamp": True},
    "total": {"viz_type": "big_number_total"},
    "line": {"viz_type": "echarts_timeseries_line", "time_grain_sqla": "P1D", "row_limit": 10000, "rich_tooltip": True},
    "bar": {"viz_type": "echarts_timeseries_bar", "row_limit": 1000, "show_legend": True, "rich_tooltip": True},
    "table": {
        "viz_type": "table",
        "query_mode": "raw",
        "row_limit": 100,
        "page_length": 20,
        "table_timestamp_format": "%Y-%m-%d",
    },
}

Files = dict[str, str]


def _id(*names: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, "/".join(("holdfast", *names))))


def _file(content: dict[str, Any]) -> str:
    return yaml.safe_dump({**content, "version": VERSION}, sort_keys=False, allow_unicode=True)


def bundle(published_db: Path, declared: Path = DECLARED) -> Files:
    """Import files by path, for the set behind `published_db`. Money is named by the currency of the set."""
    dashboards = yaml.safe_load(declared.read_text())["dashboards"]
    charts = [chart for dashboard in dashboards for row in dashboard["rows"] for chart in row]
    with duckdb.connect(str(published_db), read_only=True) as con:
        currency = con.execute("select any_value(currency) from marts.retention_kpis_total").fetchone()[0] or ""
        datasets = {
            f"datasets/{DATABASE}/{t}.yaml": _dataset(con, t) for t in sorted({KPIS, *(c["table"] for c in charts)})
        }
    files = {"metadata.yaml": {"type": "assets"}, f"databases/{DATABASE}.yaml": _database(published_db), **datasets}
    for dashboard in dashboards:
        for chart in (chart for row in dashboard["rows"] for chart in row):
            chart["name"] = chart["name"].replace("CURRENCY", currency)
            chart["id"] = _id("chart", dashboard["slug"], chart["name"])
            files[f"charts/{chart['id']}.yaml"] = _chart(chart)
        files[f"dashboards/{dashboard['slug']}.yaml"] = _dashboard(dashboard)
    return {path: _file(content) for path, content in files.items()}


def _database(published_db: Path) -> dict[str, Any]:
    """Read-only, and opened for each query: the next query sees the set of the next publish."""
    return {
        "database_name": DATABASE,
        "sqlalchemy_uri": f"duckdb:///{published_db.absolute()}",
        "expose_in_sqllab": True,
        "allow_dml": False,
        "extra": {"engine_params": {"connect_args": {"read_only": True}}},
        "uuid": _id("database"),
    }


def _dataset(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, Any]:
    of_table = "where schema_name = 'marts' and {} = ?"
    words = con.execute(
        f"select comment from duckdb_tables() {of_table.format('table_name')} "
        f"union all select comment from duckdb_views() {of_table.format('view_name')}",
        [table, table],
    ).fetchone()
    if words is None:
        raise SystemExit(
            f"error: the published set has no table marts.{table}\n  remedy: run a night with this version"
        )
    columns = con.execute(
        "select column_name, data_type, comment from duckdb_columns() "
        f"{of_table.format('table_name')} order by column_index",
        [table],
    ).fetchall()
    return {
        "table_name": table,
        "schema": "marts",
        "description": words[0],
        "main_dttm_col": None,
        "uuid": _id("dataset", table),
        "database_uuid": _id("database"),
        "columns": [
            {
                "column_name": name,
                "verbose_name": name.removeprefix("n_").removesuffix("_en").replace("_", " "),
                "type": kind,
                "is_dttm": kind.startswith(("DATE", "TIMESTAMP")),
                "description": comment,
                "groupby": True,
                "filterable": True,
            }
            for name, kind, comment in columns
        ],
        "metrics": _metrics(con) if table == KPIS else [_count()],
    }


def _count() -> dict[str, Any]:
    return {"metric_name": "count", "verbose_name": "rows", "expression": "count(*)"}


def _metrics(con: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    defined = con.execute("select name, sentence, expression from marts.metric_definitions order by name").fetchall()
    return [
        {
            "metric_name": name,
            "verbose_name": name.removeprefix("n_").replace("_", " "),
            "expression": expression,
            "description": sentence,
        }
        for name, sentence, expression in defined
    ]


def _sql_metric(text: str) -> Any:
    """`LABEL: SQL` as a metric of the chart's own; a bare name is one of the dataset."""
    label, colon, sql = text.partition(": ")
    return (
        {"expressionType": "SQL", "sqlExpression": sql, "label": label, "optionName": f"metric_{label}"}
        if colon
        else text
    )


def _chart(chart: dict[str, Any]) -> dict[str, Any]:
    params = {
        **KINDS[chart["kind"]],
        "time_range": "No filter",
        "color_scheme": "supersetColors",
        **chart.get("params", {}),
    }
    if "metrics" in chart:
        params["metrics"] = [_sql_metric(metric) for metric in chart["metrics"]]
        params["metric"] = params["metrics"][0]
    if "columns" in chart:
        params["all_columns"] = chart["columns"]
    if "order" in chart:
        params["order_by_cols"] = [json.dumps([name, False]) for name in chart["order"]]
    if "where" in chart:
        params["adhoc_filters"] = [{"expressionType": "SQL", "clause": "WHERE", "sqlExpression": chart["where"]}]
    return {
        "slice_name": chart["name"],
        "description": chart.get("description"),
        "viz_type": params["viz_type"],
        "params": params,
        "cache_timeout": None,
        "uuid": chart["id"],
        "dataset_uuid": _id("dataset", chart["table"]),
    }


def _dashboard(dashboard: dict[str, Any]) -> dict[str, Any]:
    position: dict[str, Any] = {
        "DASHBOARD_VERSION_KEY": "v2",
        "ROOT_ID": {"type": "ROOT", "id": "ROOT_ID", "children": ["GRID_ID"]},
        "HEADER_ID": {"type": "HEADER", "id": "HEADER_ID", "meta": {"text": dashboard["title"]}},
        "GRID_ID": {"type": "GRID", "id": "GRID_ID", "parents": ["ROOT_ID"], "children": []},
    }
    for number, row in enumerate(dashboard["rows"]):
        row_id = f"ROW-{number}"
        position["GRID_ID"]["children"].append(row_id)
        children = [f"CHART-{chart['id']}" for chart in row]
        position[row_id] = {
            "type": "ROW",
            "id": row_id,
            "parents": ["ROOT_ID", "GRID_ID"],
            "children": children,
            "meta": {"background": "BACKGROUND_TRANSPARENT"},
        }
        for child, chart in zip(children, row, strict=True):
            position[child] = {
                "type": "CHART",
                "id": child,
                "parents": ["ROOT_ID", "GRID_ID", row_id],
                "children": [],
                "meta": {
                    "uuid": chart["id"],
                    "chartId": len(position),  # any number of its own: Superset puts its own there
                    "sliceName": chart["name"],
                    "width": 12 // len(row),
                    "height": 20 if chart["kind"] in ("number", "total") else 50,
                },
            }
    return {
        "dashboard_title": dashboard["title"],
        "description": dashboard["description"],
        "slug": dashboard["slug"],
        "published": True,
        "uuid": _id("dashboard", dashboard["slug"]),
        "position": position,
        "metadata": {"refresh_frequency": 0, "color_scheme": "supersetColors", "cross_filters_enabled": False},
    }
