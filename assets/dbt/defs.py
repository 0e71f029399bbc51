"""The dbt models as Dagster assets, from one factory.

In: the parsed project. Out: one multi-asset per part of the flow (before the model, after it); data tests are
asset checks. Which nodes exist and what they mean is the dbt project's business alone.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import duckdb
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, dbt_assets
from dagster_dbt.asset_utils import get_asset_check_key_for_test

from assets.dbt import changed_days, plots, runner
from assets.dbt.manifest import ParsedProject
from assets.dbt.playbook import check_playbook
from assets.shared import warehouse
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, column_schema, picture, row_count, user_errors
from assets.shared.errors import UserError
from assets.shared.warehouse import fetch_value

Snapshots = Callable[[Run, date], Sequence[date]]

#: What decides what the tables of changed days hold: when its SQL changes, they are rebuilt from all days.
DAYS_CODE = ("transaction_days", "customer_day", "staged_lines", "changed_lines", "changed_day_range")

#: Models and tests that take longer are told when they are done, and not only when all are.
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
    selection = [f"config.schema:{stage}" for stage in stages]

    @dbt_assets(
        name=name,
        manifest=project.as_dict,
        select=" ".join(selection),
        exclude="resource_type:unit_test",
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
        dagster_dbt_translator=translator,
    )
    def _assets(context: dg.AssetExecutionContext, run: Run) -> Iterator[Any]:
        with user_errors():
            wanted = _selected(project, translator, context) if context.is_subset else selection
            yield from _build(context, run, project, translator, wanted, snapshots)

    return _assets


def _selected(project: ParsedProject, translator: StageTranslator, context: dg.AssetExecutionContext) -> list[str]:
    keys = context.selected_asset_keys
    return [
        ".".join(node["fqn"])
        for node in project.as_dict["nodes"].values()
        if node["resource_type"] in {"model", "seed"} and translator.get_asset_key(node) in keys
    ]


def _build(
    context: dg.AssetExecutionContext,
    run: Run,
    project: ParsedProject,
    translator: StageTranslator,
    selection: Sequence[str],
    snapshots: Snapshots,
) -> Iterator[Any]:
    settings, day = run.settings(), as_of(context)
    builds_days = any(key.path[-1] == "customer_day" for key in context.selected_asset_keys)
    builds_snapshots = any(key.path[-1] == "training_snapshots" for key in context.selected_asset_keys)
    reads_playbook = any(key.path[0] == "candidates" for key in context.selected_asset_keys)
    code = _code(project)
    rebuild = False
    if builds_days:
        with run.warehouse() as con:
            rebuild = changed_days.plan_changed_days(con, code)
            days = fetch_value(con, "select count(*) from ingest.changed_days")
        context.log.info("customer_day: %s", "rebuilt from all days" if rebuild else f"{days} day(s) changed")
    if reads_playbook:
        with run.warehouse() as con:
            check_playbook(con, run.params())
    cutoffs = [cutoff.isoformat() for cutoff in snapshots(run, day)] if builds_snapshots else []
    results = runner.build_nodes(
        settings,
        project.manifest,
        selection,
        runner.dbt_vars(run.params(), day.isoformat(), context.run_id, cutoffs),
        on_done=lambda uid, seconds: _tell(context, project, translator, uid, seconds),
        full_refresh=rebuild,
    )
    models = {r.unique_id: r for r in results if not r.is_test and r.ok and r.status != "skipped"}
    with run.warehouse() as con:
        if builds_days and days_are_sound(project, results):
            changed_days.mark_applied(con, code)
        tables = {uid: ".".join(translator.get_asset_key(project.node(uid)).path) for uid in models}
        drawn = plots.draw_plots(con, list(tables.values()))
        for uid, result in models.items():
            metadata = {**_rows(con, project.node(uid), tables[uid]), "seconds": round(result.seconds, 2)}
            if tables[uid] in drawn:
                words, png = drawn[tables[uid]]
                metadata["plot"] = picture(png, words)
            yield dg.MaterializeResult(asset_key=translator.get_asset_key(project.node(uid)), metadata=metadata)
    for result in results:
        if result.is_test:
            yield from _check_result(context, project, translator, result)
    broken = [r for r in results if not r.ok]
    for result in broken:
        if warehouse.is_out_of_space(result.message):
            raise warehouse.out_of_memory(settings, f"{_words(result)}")
    if broken:
        raise UserError(
            "; ".join(_words(r) for r in broken[:10]),
            "look at the rows the test names, mend the input or the model, and run again; "
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
        if not changed_days.has_tables(con):
            return {}
        lines = fetch_value(con, "select coalesce(sum(n_lines), 0)::bigint from staging.transaction_days")
        return {"dagster/row_count": lines}
    if node["schema"] == "staging" and node["config"]["materialized"] == "view":
        return {}
    return row_count(con, table)


def _check_result(context, project, translator, result: runner.NodeResult) -> Iterator[dg.AssetCheckResult]:
    key = get_asset_check_key_for_test(project.as_dict, translator, result.unique_id, None)
    if key is None or key not in context.selected_asset_check_keys or result.status == "skipped":
        return
    node = project.node(result.unique_id)
    is_warning = result.status == "warn"
    yield dg.AssetCheckResult(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=result.ok and not is_warning,
        severity=dg.AssetCheckSeverity.WARN if is_warning else dg.AssetCheckSeverity.ERROR,
        description=_words(result) if is_warning or not result.ok else node.get("description") or None,
        metadata={"failing_rows": result.failures or 0, "seconds": round(result.seconds, 2)},
    )


def _words(result: runner.NodeResult) -> str:
    kind = "test" if result.is_test else "model"
    rows = f", {result.failures} failing row(s)" if result.failures else ""
    return f"dbt {kind} {result.unique_id.split('.')[2]}: {result.status}{rows}. {result.message}"


def days_are_sound(project: ParsedProject, results: Sequence[runner.NodeResult]) -> bool:
    """Whether customer_day was built and nothing that speaks of changed days failed: its model, the models it is made
    with, and the tests about them."""
    days = {
        uid
        for uid, node in project.as_dict["nodes"].items()
        if node["resource_type"] == "model" and node["name"] in DAYS_CODE
    }

    def speaks_of_days(result: runner.NodeResult) -> bool:
        return result.unique_id in days or (
            result.is_test and not days.isdisjoint(project.node(result.unique_id)["depends_on"]["nodes"])
        )

    is_built = any(r.unique_id.endswith(".customer_day") and r.ok and r.status != "skipped" for r in results)
    return is_built and all(r.ok for r in results if speaks_of_days(r))


def _code(project: ParsedProject) -> str:
    nodes = {node["name"]: node["checksum"]["checksum"] for node in project.as_dict["nodes"].values()}
    macros = {macro["name"]: macro["macro_sql"] for macro in project.as_dict["macros"].values()}
    text = "".join(nodes.get(name) or macros[name] for name in DAYS_CODE)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
