"""Stage validate in Dagster: every check of a run as rows and as asset checks with the reason in words, one verdict."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from assets.dbt.manifest import ParsedProject
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, python_table_specs, user_errors
from assets.validate.release_gate import validate_run
from assets.validate.stage_costs import stage_costs, stage_seconds

#: Tables that this stage writes and marts show as views, read at publish time. Were they assets of this step, the
#: graph would have a circle: the step reads the marts.
VIEWED_BY_MARTS = ("check_results", "run_manifest")


#: Tables on the way to the marts that suites or reconciliations speak of.
CHECKED_BEFORE_MARTS = tuple(
    dg.AssetKey(table.split("."))
    for table in (
        "ingest.batches",
        "ingest.quarantined_rows",
        "ingest.refused_files",
        "ingest.source_extracts",
        "staging.transaction_days",
        "features.customer_day",
        "features.customer_features",
        "segments.customer_lifecycle",
        "segments.customer_rfm",
        "segments.customer_value",
        "score.churn_scores",
    )
)
CHECK = "expectations"


def build_validate_assets(
    project: ParsedProject, partitions: dg.PartitionsDefinition, code_version: str, stages: Sequence[str]
) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """The verdict, with one asset check per table that has a suite. stages: their names in the order of the flow."""
    declared = project.source_tables("validate")
    marts = [dg.AssetKey(["marts", name]) for name in project.models_in("marts")]
    checked = [*marts, *CHECKED_BEFORE_MARTS]
    keys = {f"marts.{name}": list(node["config"]["meta"]["key"]) for name, node in project.models_in("marts").items()}

    @dg.multi_asset(
        name="validate",
        specs=python_table_specs({"verdicts": declared["verdicts"]}, "validate", marts),
        check_specs=[
            dg.AssetCheckSpec(CHECK, asset=key, description="All rules about this table hold.") for key in checked
        ],
        allow_arbitrary_check_specs=True,
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
    )
    def validate(context: dg.AssetExecutionContext, run: Run):
        started = datetime.fromtimestamp(context.instance.get_run_stats(context.run_id).start_time or 0, UTC)
        with user_errors():
            found = validate_run(
                run.settings(),
                as_of(context),
                context.run_id,
                run.params(),
                started,
                code_version,
                keys,
                lambda con: stage_costs(con, stages, _seconds(context, stages)),
            )
        by_table = defaultdict(list)
        for result in found.results:
            by_table[result.table_name].append(result)
        unshown = set(by_table) - {".".join(key.path) for key in checked}
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
        for key in checked:
            results = by_table[".".join(key.path)]
            failed = [r for r in results if not r.passed]
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name=CHECK,
                passed=not failed,
                severity=dg.AssetCheckSeverity.ERROR
                if any(r.severity == "blocking" for r in failed)
                else dg.AssetCheckSeverity.WARN,
                description="; ".join(f"{r.rule}: {r.reason} ({r.observed})" for r in failed) or None,
                metadata={"rules": len(results), "failed": len(failed)},
            )

    viewed = python_table_specs({name: declared[name] for name in VIEWED_BY_MARTS}, "validate")
    return [validate, *viewed]


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
