"""Stage movements in Dagster: the alerts of the night and the state that the next one goes on from."""

import dagster as dg

from assets.dbt.manifest import ParsedProject
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, building, python_table_specs, row_count

_READS = (
    ["features", "balance_spans"],
    ["features", "customer_day"],
    ["features", "outlier_accounts"],
    ["features", "profiling_refusals"],
    ["segments", "customer_value"],
)


def build_movements_assets(project: ParsedProject, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """List and state as one step: each is nothing without the other."""

    @dg.multi_asset(
        name="movements",
        specs=python_table_specs(project.source_tables("movements"), "movements", [dg.AssetKey(k) for k in _READS]),
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
    )
    def movements(context: dg.AssetExecutionContext, run: Run):
        from assets.movements.alerts import build_movements

        with building(context, run), run.warehouse() as con:
            said = build_movements(con, run.params(), as_of(context))
            for name in project.source_tables("movements"):
                yield dg.MaterializeResult(
                    asset_key=["movements", name], metadata={**row_count(con, f"movements.{name}"), **said}
                )

    return movements
