"""Stage validate in Dagster: every check of a run as rows and as asset checks with the reason in words, one verdict."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from assets.dbt.manifest import ParsedProject
from assets.shared.built_tables import builder_of
from assets.shared.defs import (
    ONE_DATE_A_RUN,
    Run,
    as_of,
    building,
    python_table_specs,
    report_check,
    table_of,
    user_errors,
)
from assets.shared.params import Params, load_params
from assets.shared.tables import tables_of
from assets.validate.checks import CheckResult
from assets.validate.reconciliations import reconciliations
from assets.validate.release_gate import OWN_TABLES, check_tables, validate_run
from assets.validate.stage_costs import stage_costs, stage_seconds

CHECK = "expectations"


def build_validate_assets(
    project: ParsedProject, partitions: dg.PartitionsDefinition, code_version: str, stages: Sequence[str]
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The verdict, with one asset check per table that has a rule. stages: their names in the order of the flow.

    One step, because Great Expectations takes seconds to start. It is selected for the verdict, and judges the whole
    night; or only for checks, where the stages of their tables run alone, and then shows what the rules about these
    tables find."""
    declared = project.source_tables("validate")
    models = project.models_in("marts")
    keys = {f"marts.{name}": list(node["config"]["meta"]["key"]) for name, node in models.items()}
    checked = {table: dg.AssetKey(table.split(".")) for table in sorted({*keys, *tables_with_rules(load_params())})}

    files = _declared_in(project)

    @dg.multi_asset(
        name="validate",
        specs=python_table_specs({"verdicts": declared["verdicts"]}, "validate", list(checked.values())),
        check_specs=[
            dg.AssetCheckSpec(CHECK, asset=key, description="All rules about this table hold.")
            for key in checked.values()
        ],
        allow_arbitrary_check_specs=True,
        can_subset=True,
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
    )
    def validate(context: dg.AssetExecutionContext, run: Run):
        if context.selected_asset_keys:
            with building(context, run):
                yield from _give_verdict(context, run)
        else:
            with user_errors():
                yield from _show_checks(context, run)

    def _give_verdict(context: dg.AssetExecutionContext, run: Run) -> Iterator[Any]:
        night = _builder_of_marts(context, run, keys)
        found = validate_run(
            run.settings(),
            as_of(context),
            night,
            run.params(),
            _started(context, night),
            code_version,
            keys,
            lambda con: stage_costs(con, stages, _seconds(context, stages)),
        )
        by_table = _by_table(found.results)
        unshown = set(by_table) - set(checked)
        assert not unshown, f"results about {unshown} have no asset check to be shown at"
        yield dg.MaterializeResult(
            asset_key=["validate", "verdicts"],
            metadata={
                "dagster/row_count": 1,
                "passed": found.verdict.passed,
                "reason": found.verdict.reason,
                "checks": len(found.results),
                **({"what to do": dg.MetadataValue.md(found.page)} if found.page else {}),
            },
        )
        context.log.info(f"verdict: {'passed' if found.verdict.passed else 'FAILED'}. {found.verdict.reason}")
        for table, key in checked.items():
            # Also those of stages that are not selected now.
            yield report_check(context, dg.AssetCheckKey(key, CHECK), _asset_check(key, by_table[table], files))

    def _show_checks(context: dg.AssetExecutionContext, run: Run) -> Iterator[dg.AssetCheckResult]:
        tables = {table_of(check.asset_key) for check in context.selected_asset_check_keys} - set(OWN_TABLES)
        night = _builder_of_marts(context, run, keys)
        found = _by_table(check_tables(run.settings(), as_of(context), night, run.params(), tables, keys))
        for table in sorted(tables):
            yield _asset_check(checked[table], found[table], files)

    # Marts show these as views, read at publish time. Were they assets of this step, the graph would have a circle: the
    # step reads the marts.
    viewed = {table.name.split(".")[1] for table in tables_of("validate") if table.is_there_from_start}
    return [validate, *python_table_specs({name: declared[name] for name in sorted(viewed)}, "validate")]


def tables_with_rules(params: Params) -> set[str]:
    """Every table, `schema.table`, of which a suite or a reconciliation speaks."""
    from expectations.suite import all_suites

    # Which rules there are depends on no date.
    return {suite.table for suite in all_suites()} | {rule.table for rule in reconciliations(None, params)}


def _builder_of_marts(context: dg.AssetExecutionContext, run: Run, marts: Collection[str]) -> str:
    """The run that the night is named after: the one that built the marts, which may be another than this one."""
    with run.warehouse() as con:
        return builder_of(con, marts) or context.run_id


def _started(context: dg.AssetExecutionContext, run_id: str) -> datetime:
    """When a run started, UTC; where this instance of Dagster does not know it, when this run did."""
    for known in (run_id, context.run_id):
        if context.instance.has_run(known) and (at := context.instance.get_run_stats(known).start_time):
            return datetime.fromtimestamp(at, UTC)
    return datetime.now(UTC)


def _by_table(results: Iterable[CheckResult]) -> defaultdict[str, list[CheckResult]]:
    by_table = defaultdict(list)
    for result in results:
        by_table[result.table_name].append(result)
    return by_table


def _declared_in(project: ParsedProject) -> dict[str, str]:
    """`schema.table` to the file with its rules."""
    nodes = [*project.as_dict["nodes"].values(), *project.as_dict["sources"].values()]
    found = {
        f"{n['schema']}.{n.get('alias') or n['name']}": n.get("patch_path") or n["original_file_path"] for n in nodes
    }
    return {table: f"dbt_project/{path.rpartition('://')[2]}" for table, path in found.items()}


def words_of(failed: Sequence[CheckResult], file: str | None) -> str | None:
    """What failed, what stops the night first, each rule once; and the file with the rules of the table, once. None
    where nothing failed."""
    ordered = sorted(failed, key=lambda r: r.severity != "blocking")
    said = [f"{r.severity}: {r.rule}: {r.reason}" for r in ordered]
    if file is not None and any(r.kind == "expectation" for r in failed):
        said.append(f"(rules: {file})")
    return " ".join(said) or None


def _asset_check(key: dg.AssetKey, results: Sequence[CheckResult], files: Mapping[str, str]) -> dg.AssetCheckResult:
    failed = [r for r in results if not r.passed]
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=CHECK,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR
        if any(r.severity == "blocking" for r in failed)
        else dg.AssetCheckSeverity.WARN,
        description=words_of(failed, files.get(table_of(key))) or f"{len(results)} rules hold",
        metadata={"rules": len(results), "failed": len(failed)},
    )


def _seconds(context: dg.AssetExecutionContext, stages: Sequence[str]) -> dict[str, float]:
    """Seconds by stage of this run so far, from its event log: steps that ended, and tables that say their seconds."""
    steps = {
        stats.step_key: stats.end_time - stats.start_time
        for stats in context.instance.get_run_step_stats(context.run_id)
        if stats.start_time and stats.end_time
    }
    tables = []
    for entry in context.instance.all_logs(context.run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION):
        event = entry.dagster_event
        made = event.step_materialization_data.materialization
        if "seconds" in made.metadata:
            tables.append((event.step_key, made.asset_key.path[0], float(made.metadata["seconds"].value)))
    return stage_seconds(steps, tables, stages)
