"""Numbers of the morning by any group: metrics of the dbt project, compiled by MetricFlow, over the published set.

In: the published `retention_kpis` and the metrics of models/semantic_models.yml. Out: rows, and the SQL that gave them.
MetricFlow is used as a library: its own command asks a package index for updates, and nothing here phones anybody.
"""

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from types import SimpleNamespace
from typing import Any

import duckdb

from assets.shared.commands import command
from assets.shared.errors import UserError
from assets.shared.params import DBT_PROJECT_DIR
from assets.shared.published_history import shown_contents
from assets.shared.quoting import literal, quoted
from assets.shared.settings import Settings

DIMENSIONS = ("region", "value_class", "lifecycle_stage", "channel")
PERIODS = ("day", "week", "month", "quarter", "year")
_TABLE = "retention_kpis"
#: What the semantic model calls a row of the table: dimensions are named after it.
_ENTITY = "kpi_cell"
_DECLARED = DBT_PROJECT_DIR / "models" / "semantic_models.yml"


@dataclass(frozen=True)
class Question:
    """by: periods and dimensions. only: dimension to the value wanted. Both dates are included."""

    metrics: Sequence[str]
    by: Sequence[str] = ()
    first: datetime.date | None = None
    last: datetime.date | None = None
    only: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """`columns` are those asked for, in that order: first what was grouped by, then the metrics."""

    columns: list[str]
    rows: list[tuple]
    sql: str


class MetricQueries:
    """The metrics of the project over one table `retention_kpis`."""

    def __init__(self, con: duckdb.DuckDBPyConnection, semantic_manifest: str):
        """con: sees the table under the name that dbt gives it. semantic_manifest: JSON, as `dbt parse` writes it."""
        from metricflow.engine.metricflow_engine import MetricFlowEngine
        from metricflow_semantics.model.dbt_manifest_parser import parse_manifest_from_dbt_generated_manifest
        from metricflow_semantics.model.semantic_manifest_lookup import SemanticManifestLookup

        manifest = parse_manifest_from_dbt_generated_manifest(manifest_json_string=semantic_manifest)
        self._con = con
        self._engine = MetricFlowEngine(SemanticManifestLookup(manifest), _client())
        self._relation = next(m.node_relation.relation_name for m in manifest.semantic_models)
        self.units: dict[str, str] = {}
        self.sentences: dict[str, str] = {}
        for metric in manifest.metrics:
            self.units[metric.name] = metric.config.meta["unit"] if metric.config else ""
            self.sentences[metric.name] = metric.description or ""

    def ask(self, question: Question) -> Answer:
        """Raises UserError for a metric, a dimension or a value that there is not."""
        from metricflow.engine.metricflow_engine import MetricFlowQueryRequest

        self._check(question)
        groups = {name: _qualified(name) for name in question.by}
        # Grouped by what is filtered, and filtered afterwards: below, the last evening of a period would be the last on
        # which the group has anybody.
        filtered = {name: _qualified(name) for name in question.only}
        request = MetricFlowQueryRequest.create(
            metric_names=list(question.metrics),
            group_by_names=list({**groups, **filtered}.values()),
            # A time constraint of MetricFlow would be widened to whole months where months are asked for.
            where_constraints=[
                f"{{{{ TimeDimension('metric_time', 'day') }}}} {sign} {literal(day.isoformat())}"
                for sign, day in ((">=", question.first), ("<=", question.last))
                if day is not None
            ],
        )
        compiled = self._engine.explain(request).sql_statement.without_descriptions.sql
        columns = [
            *(f"{_as_date(name, qualified)} as {quoted(name)}" for name, qualified in groups.items()),
            *(f"{self._exact(name)} as {quoted(name)}" for name in question.metrics),
        ]
        wanted = [f"{quoted(filtered[name])} = {literal(value)}" for name, value in question.only.items()]
        where = f"\nwhere {' and '.join(wanted)}" if wanted else ""
        ordered = f"\norder by {', '.join(map(quoted, groups))}" if groups else ""
        sql = f"select {', '.join(columns)}\nfrom (\n{compiled}\n) as compiled{where}{ordered}"
        rows = self._con.execute(sql).fetchall()
        return Answer([*groups, *question.metrics], rows, sql)

    def _exact(self, name: str) -> str:
        """Money to the cent and counts as whole numbers, as the tables have them."""
        kind = {"money": "decimal(18, 2)", "share": "double"}.get(self.units[name], "bigint")
        return f"cast({quoted(name)} as {kind})"

    def _check(self, question: Question) -> None:
        _one_of("metric", question.metrics, self.units)
        _one_of("group", question.by, (*PERIODS, *DIMENSIONS))
        _one_of("dimension", question.only, DIMENSIONS)
        if len(set(question.by)) < len(question.by) or len(set(question.metrics)) < len(question.metrics):
            raise UserError("a metric or a group is named twice", "name each once")
        for name, value in question.only.items():
            known = self._con.execute(f"select distinct {quoted(name)} from {self._relation} order by 1").fetchall()
            _one_of(name, [value], [row[0] for row in known])


def _client() -> Any:
    """What MetricFlow must know of an engine to write SQL for it; the SQL is run elsewhere."""
    from metricflow.protocols.sql_client import SqlEngine
    from metricflow.sql.render.duckdb_renderer import DuckDbSqlPlanRenderer

    return SimpleNamespace(sql_engine_type=SqlEngine.DUCKDB, sql_plan_renderer=DuckDbSqlPlanRenderer())


def published_queries(settings: Settings) -> MetricQueries:
    """The metrics over the set that readers see. Raises UserError before the first publish."""
    contents = shown_contents(settings)
    if contents is None:
        raise UserError(f"{settings.home} has published nothing yet", f"run it first: {command('run')}")
    con = duckdb.connect()
    con.execute("attach ':memory:' as warehouse; create schema warehouse.marts")
    path = contents.marts(settings.published)[_TABLE]
    con.execute(f"create table warehouse.marts.{_TABLE} as select * from read_parquet(?)", [str(path)])
    return MetricQueries(con, _semantic_manifest(settings))


def _semantic_manifest(settings: Settings) -> str:
    """As the last parse of the project wrote it: every night leaves one. Parsed again only after an update."""
    found = settings.dbt_target / "semantic_manifest.json"
    if not found.exists() or found.stat().st_mtime < _DECLARED.stat().st_mtime:
        from assets.dbt.manifest import parse_project

        parse_project(settings)
    return found.read_text()


def _qualified(name: str) -> str:
    return f"metric_time__{name}" if name in PERIODS else f"{_ENTITY}__{name}"


def _as_date(name: str, qualified: str) -> str:
    return f"cast({quoted(qualified)} as date)" if name in PERIODS else quoted(qualified)


def _one_of(kind: str, names: Any, known: Any) -> None:
    for name in names:
        if name not in known:
            near = get_close_matches(name, list(known), n=3, cutoff=0.5)
            raise UserError(f"there is no {kind} {name!r}", f"take one of {', '.join(near or sorted(known))}")
