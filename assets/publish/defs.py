"""Stage publish in Dagster: the swap of the published set, refused without a passing verdict."""

import dagster as dg

from assets.dbt.manifest import ParsedProject
from assets.publish.marts import Mart, Marts
from assets.publish.morning.page import PAGE
from assets.publish.publication import NotReleased, publish_night
from assets.publish.release_ledger import SetId
from assets.shared.built_tables import builder_of
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, building
from assets.shared.private_files import files_for_readers


def build_publish_assets(project: ParsedProject, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """One asset: the published database."""
    marts = project.models_in("marts")

    published_set = dg.AssetSpec(
        key=["publish", "published_set"],
        group_name="publish",
        deps=[dg.AssetKey(["validate", "verdicts"]), *(dg.AssetKey(["marts", name]) for name in marts)],
        kinds={"python", "duckdb"},
        description="The published database: schema marts is the newest complete set, schema history all dates. "
        "Replaced as a whole by one rename, and only with a passing verdict for its date and run; the same set in "
        "Postgres where HOLDFAST_PUBLISH_POSTGRES names one.",
        metadata={"grain": "one set a home"},
    )

    @dg.multi_asset(name="publish", specs=[published_set], partitions_def=partitions, backfill_policy=ONE_DATE_A_RUN)
    def publish_set(context: dg.AssetExecutionContext, run: Run) -> dg.MaterializeResult:
        with building(context, run), files_for_readers():
            with run.warehouse() as con:
                # The night is named after the run that built it, which may be another than the one that publishes it.
                builder = builder_of(con, [f"marts.{name}" for name in marts]) or context.run_id
            try:
                night = SetId(as_of(context), builder)
                report = publish_night(run.settings(), night, declared_marts(project), run.params().publish_keep_sets)
            except NotReleased as blocked:
                # The page in full: in the terminal it is the run's error, in the UI it is shown as what it is.
                raise dg.Failure(
                    description=f"{blocked.what}\n\n{blocked.page}\n  remedy: {blocked.remedy}",
                    metadata={
                        "what": blocked.what,
                        "remedy": blocked.remedy,
                        "page": dg.MetadataValue.md(blocked.page),
                        "blocked set": dg.MetadataValue.path(str(blocked.folder)),
                    },
                    allow_retries=False,
                ) from None
        for words in report.warnings:
            context.log.warning(words)
        if not report.is_current:
            context.log.warning(
                f"{report.as_of_date} is older than the published {report.current_as_of_date}: it went to history only"
            )
        return dg.MaterializeResult(
            asset_key=published_set.key,
            metadata={
                "dagster/row_count": sum(report.table_rows.values()),
                "path": dg.MetadataValue.path(str(report.path)),
                "morning page": dg.MetadataValue.path(str(report.path.with_name(PAGE))),
                "current_as_of_date": report.current_as_of_date.isoformat(),
                "is_current": report.is_current,
                "dates_in_history": report.n_history_dates,
                "history_files_removed": report.n_files_removed,
                "size_bytes": report.size_bytes,
                "targets": ", ".join(report.targets),
                "exported": ", ".join(f"{channel} {n:,}" for channel, n in report.exported.items()) or "nothing",
                "rows": dg.MetadataValue.table(
                    [dg.TableRecord({"table": name, "rows": rows}) for name, rows in sorted(report.table_rows.items())]
                ),
            },
        )

    return publish_set


def declared_marts(project: ParsedProject) -> Marts:
    """The marts as the project declares them for publishing."""
    tables = {}
    for name, node in project.models_in("marts").items():
        meta = node["config"]["meta"]
        columns = {c["name"]: c["description"] for c in node["columns"].values()}
        tables[name] = Mart(
            meta["key"], node["description"], columns, meta.get("primary_key", ()), meta.get("indexes", ())
        )
    return Marts(tables, personal_columns(project))


def personal_columns(project: ParsedProject) -> set[str]:
    """Names of the personal columns of customers, which no mart may have."""
    columns = project.source_tables("personal")["customers"]["columns"].values()
    return {c["name"] for c in columns if (c.get("meta") or c.get("config", {}).get("meta") or {}).get("personal")}
