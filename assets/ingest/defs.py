"""Stage ingest in Dagster: new files landed, and the warehouse's view of all batches made again."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from itertools import takewhile

import dagster as dg

from assets.dbt.manifest import ParsedProject
from assets.ingest import raw_views
from assets.ingest.claim import claim_home
from assets.ingest.closures import write_business_days
from assets.ingest.extract_guard import SHOWN_DAYS, DayVerdict
from assets.ingest.id_changes import write_id_changes
from assets.ingest.sources import resolve_sources
from assets.shared.commands import command
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, building, python_table_specs, row_count
from assets.shared.errors import UserError
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_row


def build_ingest_assets(project: ParsedProject, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """All tables of schema `ingest` as one step."""
    declared = project.source_tables("ingest")

    @dg.multi_asset(
        name="ingest",
        specs=python_table_specs(declared, "ingest", kinds={"python", "parquet"}),
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
    )
    def ingest(context: dg.AssetExecutionContext, run: Run):
        settings = run.settings()
        with building(context, run):
            sources = resolve_sources(settings.sources)
            claim_home(settings, sources)
            params, names = run.params(), [s.name for s in sources]
            knowledge_time = known_moment(params.ingest_knowledge_time)
            refuse_rewriting(settings, knowledge_time, as_of(context))
            landed = []
            if knowledge_time is None:
                landed = [b for s in sources for b in s.land(settings, lambda words: context.log.info(words))]
            with run.warehouse() as con:
                matched = [s.name for s in sources if s.is_matched]
                batches = raw_views.rebuild_raw_views(con, settings, names, knowledge_time, matched)
                raw_views.write_accounts(con, {s.name: s.accounts for s in sources})
                write_id_changes(con, as_of(context))
                closures = write_business_days(con, as_of(context), {s.name: s.expects for s in sources})
                for closure in closures[-1:]:
                    context.log.info(f"closed from {closure.first_day} to {closure.last_day}: no silence of customers")
                extracts = raw_views.write_extracts(con, as_of(context), {s.name: s.expects for s in sources})
                for words in require_extracts(extracts, params.ingest_extract_guard):
                    context.log.warning(words)
                n_explained = SHOWN_DAYS if params.ingest_extract_guard == "warn" else explained_days(extracts)
                refuse_outside_data(con, as_of(context), names, n_explained)
                for words in open_refusals(con):
                    context.log.warning(words)
                totals = {
                    "batches": len(batches),
                    "new_batches": len({b.batch_id for b in landed if b.is_new}),
                    "rows_in": sum(b.rows_in for b in batches),
                    "rows_accepted": sum(b.rows_accepted for b in batches),
                    "rows_quarantined": sum(b.rows_quarantined for b in batches),
                    "rows_left_out": sum(b.rows_left_out for b in batches),
                }
                context.log.info(
                    f"{totals['new_batches']} new of {totals['batches']} batches; {totals['rows_in']:,} rows in = "
                    f"{totals['rows_accepted']:,} accepted + {totals['rows_quarantined']:,} quarantined + "
                    f"{totals['rows_left_out']:,} left out on purpose"
                )
                for words in replaced(con):
                    context.log.info(words)
                for name in declared:
                    yield dg.MaterializeResult(
                        asset_key=["ingest", name],
                        metadata={**row_count(con, f"ingest.{name}"), **(totals if name == "batches" else {})},
                    )

    return ingest


def known_moment(text: str) -> datetime | None:
    """The moment that the parameter `ingest_knowledge_time` names, in UTC and without a zone; None for 'now'. A bare
    date means its end. Raises UserError for what is no moment."""
    if not text.strip():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UserError(
            f"{text!r} is no moment", "write a date 2024-05-01, or a time in UTC 2024-05-01T06:00:00"
        ) from None
    if len(text.strip()) == 10:
        return datetime.combine(moment.date(), time.max)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def refuse_rewriting(settings: Settings, knowledge_time: datetime | None, as_of_date: date) -> None:
    """Raise UserError when a run as known at an earlier moment would write into the home of the nights, or a nightly
    run into the home of such a run."""
    if knowledge_time is not None and settings.raw_home is None:
        raise UserError(
            "ingest_knowledge_time would overwrite plans, models and the published set of this home",
            "give such a run a home of its own: "
            + command("run", "--as-of", as_of_date, "--knowledge-time", knowledge_time.isoformat()),
        )
    if knowledge_time is None and settings.raw_home is not None:
        raise UserError(f"{settings.home} belongs to runs as known at an earlier moment", "unset HOLDFAST_RAW_HOME")


def require_extracts(extracts: Mapping[str, Sequence[DayVerdict]], guard: str) -> list[str]:
    """Warnings about missing or short extracts. Raises UserError for those right before the as-of date, unless the
    guard is 'warn': they would make customers look as if they had left."""
    warnings: list[str] = []
    blocking: list[str] = []
    for source, verdicts in extracts.items():
        for verdict in verdicts:
            if verdict.verdict in ("absent", "short"):
                words = f"source {source}, {verdict.day}: extract {verdict.verdict} ({verdict.reason})"
                (blocking if verdict.is_blocking else warnings).append(words)
    if blocking and guard == "block":
        shown = "; ".join(blocking[:5]) + (f"; and {len(blocking) - 5} more days" if len(blocking) > 5 else "")
        raise UserError(
            f"an extract is missing or far too small, so nobody is scored: {shown}",
            "deliver the files and run again; or run an as-of date before these days; or, if this is right, say so in "
            "the source's YAML (`expects`, `closed_on`) or for one run with --param ingest_extract_guard=warn",
        )
    return warnings + blocking


def explained_days(extracts: Mapping[str, Sequence[DayVerdict]]) -> int:
    """How many days right before the as-of date are, in every source that is judged, either as they should be or
    closed; 0 where nothing is judged."""
    judged = [verdicts for verdicts in extracts.values() if verdicts]
    found = [len(list(takewhile(lambda v: v.verdict in ("ok", "closed"), reversed(verdicts)))) for verdicts in judged]
    return min(found, default=0)


def open_refusals(con) -> list[str]:
    """One sentence for each file that cannot be used now."""
    return [
        f"source {source}: {'waiting for' if is_waiting else 'refused'} {file} ({entity}, {rule}): {reason}"
        for source, entity, file, rule, reason, is_waiting in con.execute(
            "select source, entity, file, rule, reason, is_waiting from ingest.refused_files "
            "where resolved_at is null order by all"
        ).fetchall()
    ]


def replaced(con) -> list[str]:
    """One sentence for each source of which later files have replaced whole days."""
    return [
        f"source {source}: {n_rows:,} rows of {n_files} file(s) no longer count, later files replaced their {n_days} "
        "day(s) (ingest.replaced_days)"
        for source, n_rows, n_files, n_days in con.execute(
            "select source, sum(n_rows), count(distinct batch_id), count(distinct day) from ingest.replaced_days "
            "group by source order by source"
        ).fetchall()
    ]


def refuse_outside_data(con, as_of_date: date, names: list[str], n_explained: int = 0) -> None:
    """Raise UserError when the as-of date has no day of data before it, or lies beyond the day after the last one.

    Beyond it everybody would look silent for days that simply have not been delivered, unless it is known that these
    days have nothing to deliver: `n_explained` of them right before the date.
    """
    first, last = fetch_row(con, "select min(day), max(day) from ingest.batch_days")
    words = ", ".join(names)
    if first is None:
        raise UserError(
            f"{words}: no transaction could be accepted",
            f"run `{command('check-source')}`; it shows which rules refuse the rows",
        )
    if as_of_date <= first or (as_of_date - last).days > 1 + n_explained:
        raise UserError(
            f"{as_of_date} is outside the data of {words}, which has the days {first} to {last}",
            f"choose an as-of date after {first} and at most one day after {last}; or, where nothing was to come on "
            "the days after it, name them in the source's YAML (`expects: {closed_on: [sunday, 2024-12-24]}`)",
        )
