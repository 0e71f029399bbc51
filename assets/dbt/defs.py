"""The dbt models as Dagster assets, from one factory.

In: the parsed project. Out: one multi-asset per part of the flow (before the model, after it); data tests are
asset checks. Which nodes exist and what they mean is the dbt project's business alone.
"""

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test

from assets.dbt import changed_days, plots, runner
from assets.dbt.engine import Order, choose_engine
from assets.dbt.manifest import ParsedProject
from assets.dbt.playbook import check_playbook
from assets.shared import warehouse
from assets.shared.built_tables import BuiltTables
from assets.shared.defs import (
    ONE_DATE_A_RUN,
    Run,
    as_of,
    basis_of,
    building,
    column_schema,
    lineage_of,
    picture,
    report_check,
    report_table,
    row_count,
    table_of,
)
from assets.shared.errors import UserError
from assets.shared.warehouse import fetch_value

Snapshots = Callable[[Run, date], Sequence[date]]

#: What decides what the tables of changed days hold: when its SQL changes, they are rebuilt from all days.
DAYS_CODE = (
    "transaction_days",
    "customer_day",
    "staged_lines",
    "changed_lines",
    "changed_day_range",
    "current_id",
    "customer_category_month",
    "category_months",
    "changed_month_lines",
    "changed_month_range",
)

#: Models and tests that take longer are reported when they are done, and not only when all are.
WORTH_A_LINE_SECONDS = 2.0


class StageTranslator(DagsterDbtTranslator):
    """Asset key = (stage, table), group = stage, where the stage is the schema of the node."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        return dg.AssetKey([dbt_resource_props["schema"], _table(dbt_resource_props)])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return dbt_resource_props["schema"]

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return dbt_resource_props.get("description") or ""

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, Any]:
        meta = dbt_resource_props.get("config", {}).get("meta", {}) or {}
        return {
            "dagster/column_schema": column_schema(dbt_resource_props.get("columns", {})),
            **{name: str(meta[name]) for name in ("grain", "for") if name in meta},
        }


def _table(props: Mapping[str, Any]) -> str:
    """Name of the table in the warehouse: a model's or seed's alias, a source's own name."""
    return props.get("alias") or props["name"]


def build_dbt_assets(
    name: str,
    project: ParsedProject,
    stages: Sequence[str],
    partitions: dg.PartitionsDefinition,
    snapshots: Snapshots,
) -> dg.AssetsDefinition:
    """All models (and, in stage `playbook`, seeds) of `stages` as one asset that runs dbt once.

    `snapshots` says which training cutoffs to build for a run (none when a model is active).
    """
    translator = StageTranslator(DagsterDbtTranslatorSettings(enable_asset_checks=True))

    @dbt_assets(
        name=name,
        manifest=project.as_dict,
        select=" ".join(f"config.schema:{stage}" for stage in stages),
        exclude="resource_type:unit_test",
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
        dagster_dbt_translator=translator,
    )
    def _assets(context: dg.AssetExecutionContext, run: Run) -> Iterator[Any]:
        keys = keys_to_build(project, context.selected_asset_keys)
        with building(context, run, keys):
            yield from _build(context, run, project, translator, snapshots, keys)

    return _assets


def keys_to_build(project: ParsedProject, selected: Collection[dg.AssetKey]) -> set[dg.AssetKey]:
    """The selected tables, and all marts where one is selected: every row of theirs names the run that built them, and
    a night is of one run."""
    marts = {dg.AssetKey(["marts", table]) for table in project.models_in("marts")}
    return set(selected) if marts.isdisjoint(selected) else {*selected, *marts}


def due_tests(project: ParsedProject, selected: Collection[str], can_be_read: Callable[[str], bool]) -> set[str]:
    """Unique ids of the data tests to run with a build of `selected` (unique ids): those of a table that is built, as
    soon as the last of the tables that they read is. A test of tables of several stages so runs whenever one of them
    is built, unless another is still to follow. can_be_read: whether a `schema.table` that is not built now is up to
    date."""

    def is_due(node: Mapping[str, Any]) -> bool:
        reads = set(node["depends_on"]["nodes"])
        return not reads.isdisjoint(selected) and all(
            can_be_read(f"{props['schema']}.{_table(props)}")
            for props in map(project.node_or_source, reads - set(selected))
        )

    nodes = project.as_dict["nodes"].items()
    return {uid for uid, node in nodes if node["resource_type"] == "test" and is_due(node)}


def _build(
    context: dg.AssetExecutionContext,
    run: Run,
    project: ParsedProject,
    translator: StageTranslator,
    snapshots: Snapshots,
    keys: Collection[dg.AssetKey],
) -> Iterator[Any]:
    settings, day = run.settings(), as_of(context)
    nodes = project.as_dict["nodes"].items()
    selected = {
        uid
        for uid, node in nodes
        if node["resource_type"] in {"model", "seed"} and translator.get_asset_key(node) in keys
    }
    tables_of_days = {table_of(key) for key in keys}.intersection(changed_days.BY_CHANGED_DAYS)
    builds_snapshots = any(key.path[-1] == "training_snapshots" for key in keys)
    engine = choose_engine(settings)
    code = f"{_code(project)}-{engine.name}"
    rebuild = False
    with run.warehouse() as con:
        if tables_of_days:
            rebuild = changed_days.plan_changed_days(con, code, tables_of_days, engine.has_tables(con, tables_of_days))
            days = fetch_value(con, "select count(*) from platform.changed_days")
            words = "rebuilt from all days" if rebuild else f"{days} day(s) changed"
            context.log.info("%s: %s", ", ".join(sorted(tables_of_days)), words)
        if any(key.path[0] == "candidates" for key in keys):
            check_playbook(con, run.params())
        built = BuiltTables.read(con, basis_of(context, run), lineage_of(context))
    tests = due_tests(project, selected, built.can_be_read)
    if not selected:  # somebody asks for checks alone
        tests = {
            uid for uid, node in nodes if _check_key(project, translator, uid) in context.selected_asset_check_keys
        }
    cutoffs = [cutoff.isoformat() for cutoff in snapshots(run, day)] if builds_snapshots else []
    results = engine.build(
        settings,
        Order(
            project,
            selected,
            tests,
            runner.dbt_vars(run.params(), day.isoformat(), context.run_id, cutoffs),
            full_refresh=rebuild,
            on_done=lambda uid, seconds: _tell(context, project, translator, uid, seconds),
        ),
    )
    models = {r.unique_id: r for r in results if not r.is_test and r.ok and r.status != "skipped"}
    with run.warehouse() as con:
        if sound := sound_tables_of_days(project, translator, results).intersection(tables_of_days):
            changed_days.mark_applied(con, code, sound)
        tables = {uid: ".".join(translator.get_asset_key(project.node(uid)).path) for uid in models}
        drawn = plots.draw_plots(con, list(tables.values()))
        for uid, result in models.items():
            metadata = {**_rows(con, project.node(uid), tables[uid]), "seconds": round(result.seconds, 2)}
            if tables[uid] in drawn:
                words, png = drawn[tables[uid]]
                metadata["plot"] = picture(png, words)
            yield report_table(context, translator.get_asset_key(project.node(uid)), metadata)
    for result in results:
        if result.is_test:
            yield from _check_result(context, project, translator, result, keys)
    broken = [r for r in results if not r.ok]
    for result in broken:
        if warehouse.is_out_of_space(result.message):
            raise warehouse.out_of_memory(settings, f"{_words(result)}")
    if broken:
        raise UserError(
            "; ".join(_words(r) for r in broken[:10]),
            "look at the rows the test names, correct the input or the model, and run again; "
            f"log in {settings.dbt_target}/dbt.log",
        )


def _tell(context, project, translator, unique_id: str, seconds: float) -> None:
    """A line while dbt is still at work, for what takes long enough to be waited for."""
    if seconds >= WORTH_A_LINE_SECONDS:
        node = project.node(unique_id)
        name = node["name"] if unique_id.startswith("test.") else ".".join(translator.get_asset_key(node).path)
        context.log.info(f"{name} done in {seconds:.1f} s")


def _rows(con: duckdb.DuckDBPyConnection, node: Mapping[str, Any], table: str) -> dict[str, Any]:
    """Metadata entry with the rows of a table. To count a view on batches would read all of them again: lines are on
    record by day, and the others go uncounted."""
    if table == "staging.stg_transactions":
        if not changed_days.has_tables(con, ["staging.transaction_days"]):
            return {}
        lines = fetch_value(con, "select coalesce(sum(n_lines), 0)::bigint from staging.transaction_days")
        return {"dagster/row_count": lines}
    if node["schema"] == "staging" and node["config"]["materialized"] == "view":
        return {}
    return row_count(con, table)


def _check_result(
    context, project, translator, result: runner.NodeResult, keys: Collection[dg.AssetKey]
) -> Iterator[dg.AssetCheckResult | dg.AssetCheckEvaluation]:
    key = _check_key(project, translator, result.unique_id)
    if key is None or result.status == "skipped":
        return
    if key not in context.selected_asset_check_keys and key.asset_key not in keys:
        return
    node = project.node(result.unique_id)
    is_warning = result.status == "warn"
    found = dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.ok and not is_warning,
        severity=dg.AssetCheckSeverity.WARN if is_warning else dg.AssetCheckSeverity.ERROR,
        description=_words(result) if is_warning or not result.ok else node.get("description") or None,
        metadata={"failing_rows": result.failures or 0, "seconds": round(result.seconds, 2)},
    )
    yield report_check(context, key, found)


def _check_key(project, translator, unique_id: str) -> dg.AssetCheckKey | None:
    """The check that shows a data test; None where it has none, and for other nodes."""
    if not unique_id.startswith("test."):
        return None
    return get_asset_check_key_for_test(project.as_dict, translator, unique_id, None)


def _words(result: runner.NodeResult) -> str:
    kind = "test" if result.is_test else "model"
    rows = f", {result.failures} failing row(s)" if result.failures else ""
    return f"dbt {kind} {result.unique_id.split('.')[2]}: {result.status}{rows}. {result.message}".rstrip()


def sound_tables_of_days(
    project: ParsedProject, translator: StageTranslator, results: Sequence[runner.NodeResult]
) -> set[str]:
    """The tables of changed days that were built; none where anything failed that speaks of changed days: these models,
    the models they are made with, and the tests about them."""
    days = {
        uid
        for uid, node in project.as_dict["nodes"].items()
        if node["resource_type"] == "model" and node["name"] in DAYS_CODE
    }

    def speaks_of_days(result: runner.NodeResult) -> bool:
        return result.unique_id in days or (
            result.is_test and not days.isdisjoint(project.node(result.unique_id)["depends_on"]["nodes"])
        )

    if not all(r.ok for r in results if speaks_of_days(r)):
        return set()
    built = {r.unique_id for r in results if r.unique_id in days and r.status != "skipped"}
    tables = {table_of(translator.get_asset_key(project.node(uid))) for uid in built}
    return tables.intersection(changed_days.BY_CHANGED_DAYS)


def _code(project: ParsedProject) -> str:
    nodes = {node["name"]: node["checksum"]["checksum"] for node in project.as_dict["nodes"].values()}
    macros = {macro["name"]: macro["macro_sql"] for macro in project.as_dict["macros"].values()}
    text = "".join(nodes.get(name) or macros[name] for name in DAYS_CODE)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
