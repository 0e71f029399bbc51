"""What every stage's Dagster definitions share: the run resource and the metadata of tables.

In: launchpad configuration and the dbt declarations of tables. Out: a resource, specs, metadata.
"""

import base64
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from typing import Any

import dagster as dg
import duckdb
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

from assets.shared import warehouse
from assets.shared.built_tables import Basis, Lineage, begin_build, finish_build
from assets.shared.business import business_of
from assets.shared.errors import UserError
from assets.shared.leftovers import sweep_leftovers
from assets.shared.lock import home_lock
from assets.shared.params import Params, load_params
from assets.shared.private_files import private_files
from assets.shared.settings import Settings, load_settings, prepare_home
from assets.shared.tables import declared_tables

#: A backfill launches one run a date: each night is complete in itself.
ONE_DATE_A_RUN = dg.BackfillPolicy.multi_run(max_partitions_per_run=1)


class Run(dg.ConfigurableResource):
    """What one run is allowed to vary. Paths and sources come from the environment, parameters from
    `dbt_project.yml`; the launchpad may override single parameters and ask for a fresh model."""

    overrides: dict[str, str] = {}
    """Parameters to override for this run, name to value as text, for example {"churn_horizon_days": "60"}."""
    retrain: bool = False
    """Train a new model as of this date even if the store holds one that is active."""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator["Run"]:
        settings = load_settings()
        prepare_home(settings)
        with home_lock(settings, on_wait=lambda words: context.log.warning(words) if context.log else None):
            sweep_leftovers(settings)
            with private_files(settings):
                with self.warehouse() as con:
                    first = [table for table in declared_tables().values() if table.is_there_from_start]
                    warehouse.ensure_tables(con, first)
                yield self

    def settings(self) -> Settings:
        return load_settings()

    def params(self) -> Params:
        return load_params(self.overrides, business_of(self.settings().sources))

    def source_names(self) -> tuple[str, ...]:
        """Names of the sources without reading them: the built-in name, or the file name of the YAML."""
        return self.settings().source_names

    @contextmanager
    def warehouse(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with warehouse.connect(self.settings()) as con:
            yield con


@contextmanager
def user_errors() -> Iterator[None]:
    """Turn a UserError into a Dagster failure that shows what and remedy, without retries."""
    try:
        with warehouse.within_limits(load_settings()):
            yield
    except UserError as error:
        raise dg.Failure(
            description=str(error),
            metadata={"what": error.what, "remedy": error.remedy},
            allow_retries=False,
        ) from error


@contextmanager
def building(
    context: dg.AssetExecutionContext, run: Run, keys: Collection[dg.AssetKey] | None = None
) -> Iterator[None]:
    """Around everything that a step does to build the tables of `keys`, by default those it was selected for. Fails
    before anything is written where it would read tables that do not belong together (`built_tables`); until it has
    ended well its tables are on record as unfinished, so that no stage after it takes them for whole. Turns UserErrors
    as `user_errors` does."""
    tables = {table_of(key) for key in (context.selected_asset_keys if keys is None else keys)}
    with user_errors():
        with run.warehouse() as con:
            begin_build(con, tables, context.run_id, basis_of(context, run), lineage_of(context))
        yield
        with run.warehouse() as con:
            finish_build(con, tables)


def table_of(key: dg.AssetKey) -> str:
    """`schema.table` of an asset."""
    return ".".join(key.path)


def basis_of(context: dg.AssetExecutionContext, run: Run) -> Basis:
    """What this run builds tables from."""
    return Basis.of(as_of(context), run.source_names(), run.params().model_dump(mode="json"))


def lineage_of(context: dg.AssetExecutionContext) -> Lineage:
    """What the tables of all stages read, whatever this run was selected to build."""
    return read_lineage(context.job_def.asset_layer.asset_graph.source_asset_graph)


def read_lineage(graph: BaseAssetGraph) -> Lineage:
    """Every table that some step builds and what it reads; each table comes after those it reads."""
    built = graph.materializable_asset_keys
    return {
        table_of(key): {table_of(read) for read in graph.get(key).parent_keys & built}
        for key in graph.toposorted_asset_keys
        if key in built
    }


def as_of(context: dg.AssetExecutionContext) -> date:
    """The run's as-of date, its partition key."""
    return date.fromisoformat(context.partition_key)


def column_schema(columns: Mapping[str, Mapping[str, Any]]) -> dg.TableSchema:
    """Dagster's table schema from dbt's column declarations."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(name=c["name"], type=c.get("data_type") or "?", description=c.get("description") or None)
            for c in columns.values()
        ]
    )


def python_table_specs(
    declared: Mapping[str, Mapping[str, Any]],
    stage: str,
    deps: Sequence[dg.AssetKey] = (),
    kinds: set[str] | None = None,
) -> list[dg.AssetSpec]:
    """One asset spec per table that Python makes in `stage`, described by its dbt declaration."""
    return [
        dg.AssetSpec(
            key=[stage, name],
            deps=list(deps),
            group_name=stage,
            description=table["description"],
            kinds=kinds or {"python", "duckdb"},
            metadata={
                "dagster/column_schema": column_schema(table["columns"]),
                "grain": table.get("meta", {}).get("grain") or table["config"].get("meta", {}).get("grain") or "",
            },
        )
        for name, table in declared.items()
    ]


def report_table(
    context: dg.AssetExecutionContext, key: dg.AssetKey, metadata: Mapping[str, Any]
) -> dg.MaterializeResult | dg.AssetMaterialization:
    """A table that was built: the result of this step where it was selected, else the bare event about it."""
    if key in context.selected_asset_keys:
        return dg.MaterializeResult(asset_key=key, metadata=metadata)
    return dg.AssetMaterialization(key, metadata=metadata, partition=context.partition_key)


def report_check(
    context: dg.AssetExecutionContext, key: dg.AssetCheckKey, found: dg.AssetCheckResult
) -> dg.AssetCheckResult | dg.AssetCheckEvaluation:
    """A check of this step: its result where it was selected, else the bare event about it."""
    if key in context.selected_asset_check_keys:
        return found
    return found.to_asset_check_evaluation(context.get_step_execution_context())


def row_count(con: duckdb.DuckDBPyConnection, table: str) -> dict[str, Any]:
    """Metadata entry with the rows of `schema.table`."""
    return {"dagster/row_count": warehouse.count_rows(con, table)}


def picture(png: bytes, alt: str) -> dg.MarkdownMetadataValue:
    """A PNG as Markdown, which the Dagster UI shows in place."""
    return dg.MetadataValue.md(f"![{alt}](data:image/png;base64,{base64.b64encode(png).decode()})")
