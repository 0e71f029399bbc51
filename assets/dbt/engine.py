"""Which engine builds the dbt models of a step: the seam at which the stages that grow with lines can move.

In: the nodes to build. Out: dbt's results, and tables that every later stage reads in the working warehouse, whichever
engine made them. `DuckDBEngine` builds in the warehouse itself; `assets/dbt/spark/engine.py` is the other one.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import duckdb

from assets.dbt import changed_days, runner
from assets.dbt.manifest import ParsedProject
from assets.shared.settings import Settings


@dataclass(frozen=True)
class Order:
    """What to build: unique ids of models and seeds, and of tests, with dbt's vars. on_done: called with the unique id
    of each node that is done and its seconds."""

    project: ParsedProject
    models: Collection[str]
    tests: Collection[str]
    variables: Mapping[str, Any]
    full_refresh: bool
    on_done: Callable[[str, float], None]


class Engine(Protocol):
    #: Part of the fingerprint of tables that are continued: one engine does not continue what another built.
    name: str

    def has_tables(self, con: duckdb.DuckDBPyConnection, tables: Collection[str]) -> bool:
        """Whether each of `tables` (`schema.table`) is there and can be continued."""

    def build(self, settings: Settings, order: Order) -> list[runner.NodeResult]:
        """Build what the order names. The warehouse is closed before and after."""


class DuckDBEngine:
    name = "duckdb"

    def has_tables(self, con: duckdb.DuckDBPyConnection, tables: Collection[str]) -> bool:
        return changed_days.has_tables(con, tables)

    def build(self, settings: Settings, order: Order) -> list[runner.NodeResult]:
        with runner.tagged(order.project.manifest, {*order.models, *order.tests}) as chosen:
            return runner.build_nodes(
                settings,
                order.project.manifest,
                [chosen],
                dict(order.variables),
                on_done=order.on_done,
                full_refresh=order.full_refresh,
                tests="selected",
            )


def choose_engine(settings: Settings) -> Engine:
    """The engine of the settings."""
    if settings.target == "spark":
        from assets.dbt.spark.engine import SparkEngine  # only where it is asked for

        return SparkEngine()
    return DuckDBEngine()
