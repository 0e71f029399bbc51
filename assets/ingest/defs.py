"""Stage ingest in Dagster: new files landed, and the warehouse's view of all batches made anew."""

from datetime import date

import dagster as dg

from assets.dbt.manifest import ParsedProject
from assets.ingest import raw_views
from assets.ingest.sources import resolve_sources
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, python_table_specs, row_count, user_errors
from assets.shared.errors import UserError
from assets.shared.settings import Settings


def build_ingest_assets(project: ParsedProject, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """All tables of schema `ingest` as one step. `touched_days` belongs to the model that reads it and is no asset."""
    declared = {name: t for name, t in project.source_tables("ingest").items() if name != "touched_days"}

    @dg.multi_asset(
        name="ingest",
        specs=python_table_specs(declared, "ingest", kinds={"python", "parquet"}),
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
    )
    def ingest(context: dg.AssetExecutionContext, run: Run):
        settings = run.settings()
        with user_errors():
            sources = resolve_sources(settings.sources)
            others = sources_left_out(settings, [s.name for s in sources])
            if others:
                context.log.warning(
                    f"this home also holds {', '.join(others)}, left out of this run: the marts will speak of "
                    f"{', '.join(s.name for s in sources)} only. Name every source of one business, or set "
                    "HOLDFAST_HOME to another folder for another business"
                )
            landed = [b for s in sources for b in s.land(settings, lambda words: context.log.info(words))]
            with run.warehouse() as con:
                batches = raw_views.rebuild(con, settings, [s.name for s in sources])
                refuse_outside_data(con, as_of(context), [s.name for s in sources])
                totals = {
                    "batches": len(batches),
                    "new_batches": len({b.batch_id for b in landed if b.is_new}),
                    "rows_in": sum(b.rows_in for b in batches),
                    "rows_accepted": sum(b.rows_accepted for b in batches),
                    "rows_quarantined": sum(b.rows_quarantined for b in batches),
                }
                context.log.info(
                    f"{totals['new_batches']} new of {totals['batches']} batches; {totals['rows_in']:,} rows in = "
                    f"{totals['rows_accepted']:,} accepted + {totals['rows_quarantined']:,} quarantined"
                )
                for name in declared:
                    yield dg.MaterializeResult(
                        asset_key=["ingest", name],
                        metadata={**row_count(con, f"ingest.{name}"), **(totals if name == "batches" else {})},
                    )

    return ingest


def sources_left_out(settings: Settings, names: list[str]) -> list[str]:
    """Sources with batches in this home that are not among `names`."""
    landed = settings.raw.iterdir() if settings.raw.is_dir() else ()
    return sorted(f.name for f in landed if f.is_dir() and not f.name.startswith(".") and f.name not in names)


def refuse_outside_data(con, as_of_date: date, names: list[str]) -> None:
    """Raise UserError when the as-of date has no day of data before it, or lies beyond the day after the last one.

    Beyond it everybody would look silent for days that simply have not been delivered.
    """
    first, last = con.execute("select min(day), max(day) from ingest.batch_days").fetchone()
    words = ", ".join(names)
    if first is None:
        raise UserError(
            f"{words}: no transaction could be accepted",
            "run `holdfast check-source` on its YAML; it shows which rules refuse the rows",
        )
    if as_of_date <= first or (as_of_date - last).days > 1:
        raise UserError(
            f"{as_of_date} is outside the data of {words}, which has the days {first} to {last}",
            f"choose an as-of date after {first} and at most one day after {last}",
        )
