"""Stage ledgers in Dagster: the record of the control group and the plans of earlier nights, as of a date."""

import dagster as dg

from assets.dbt.manifest import ParsedProject
from assets.ledgers.holdout import build_holdout_ledger
from assets.ledgers.past_plans import build_past_flagged, build_past_plans
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, building, python_table_specs, row_count

_READS = (["identity", "id_changes"], ["features", "customer_features"])


def build_ledgers_assets(project: ParsedProject, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """Both ledgers as one step: they are small, and a night needs both."""

    @dg.multi_asset(
        name="ledgers",
        specs=python_table_specs(project.source_tables("ledgers"), "ledgers", [dg.AssetKey(k) for k in _READS]),
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
    )
    def ledgers(context: dg.AssetExecutionContext, run: Run):
        day, folder = as_of(context), run.settings().ledgers
        with building(context, run), run.warehouse() as con:
            holdout = build_holdout_ledger(con, run.params(), day, folder)
            yield dg.MaterializeResult(
                asset_key=["ledgers", "holdout_ledger"],
                metadata={**row_count(con, "ledgers.holdout_ledger"), **holdout},
            )
            build_past_plans(con, day, folder)
            yield dg.MaterializeResult(
                asset_key=["ledgers", "past_plans"], metadata=row_count(con, "ledgers.past_plans")
            )
            build_past_flagged(con, day, folder)
            yield dg.MaterializeResult(
                asset_key=["ledgers", "past_flagged"], metadata=row_count(con, "ledgers.past_flagged")
            )

    return ledgers
