"""Stage identity in Dagster: which ids are one person, as of a date."""

import dagster as dg

from assets.dbt.manifest import ParsedProject
from assets.identity.links import FILE, read_links
from assets.identity.night import build_identity
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, building, python_table_specs, row_count

#: The personal values that are compared lie in views over the batches, which step ingest makes too.
_READS = ("batches", "id_changes", "source_status", "transactions")


def build_identity_assets(project: ParsedProject, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """All tables of schema `identity` as one step."""
    declared = project.source_tables("identity")

    @dg.multi_asset(
        name="identity",
        specs=python_table_specs(declared, "identity", [dg.AssetKey(["ingest", name]) for name in _READS]),
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
    )
    def identity(context: dg.AssetExecutionContext, run: Run):
        settings, params = run.settings(), run.params()
        with building(context, run), run.warehouse() as con:
            links = read_links((settings.raw_home or settings.home) / FILE)
            counts = build_identity(
                con,
                links,
                as_of(context),
                settings.ledgers,
                params.identity_max_shared,
                params.identity_max_accounts,
            )
            if counts:
                context.log.info(
                    f"{counts['pairs']:,} pairs among {counts['records']:,} accounts, {counts['looked_at']:,} accounts"
                    f" looked at; {counts['guarded_values']:,} values are on too many accounts to say anything"
                )
            for name in declared:
                yield dg.MaterializeResult(
                    asset_key=["identity", name], metadata={**row_count(con, f"identity.{name}"), **counts}
                )

    return identity
