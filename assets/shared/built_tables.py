"""Which tables of the working warehouse can be read together: built as of one date, with the same parameters and from
the same sources, to the end, and after everything that they read.

In: what a step is about to build. Out: a row a table in `platform.built_tables`, and a refusal where a step would read
tables that do not fit. A whole run builds everything in order and never meets one; a stage that runs alone does, where
the stages before it are of another date, have failed, or were built again since. Which table reads which does not
belong here: Dagster's asset graph knows, and gives it as a `Lineage`.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import duckdb

from assets.shared.commands import command, dagster_command
from assets.shared.errors import UserError

#: Table to the tables that it reads directly, both as `schema.table`; only tables that some step builds.
Lineage = Mapping[str, Collection[str]]

#: Parameters that a refusal spells out.
_N_NAMED = 3

_TABLE = """
create schema if not exists platform;
create table if not exists platform.built_tables (
    table_name varchar, as_of_date date, sources varchar, parameters varchar, run_id varchar,
    build bigint, is_complete boolean
)
"""


@dataclass(frozen=True)
class Basis:
    """What a run builds tables from: date, names of its sources, every business parameter as JSON, keys sorted."""

    as_of_date: date
    sources: str
    parameters: str

    @classmethod
    def of(cls, as_of_date: date, sources: Iterable[str], parameters: Mapping[str, Any]) -> "Basis":
        return cls(as_of_date, ", ".join(sources), json.dumps(dict(parameters), sort_keys=True))

    def difference(self, wanted: "Basis") -> str | None:
        """How this basis differs from the `wanted` one, in words; None where it does not."""
        if self.as_of_date != wanted.as_of_date:
            return f"built as of {self.as_of_date}"
        if self.sources != wanted.sources:
            return f"built from {self.sources}, this run reads {wanted.sources}"
        if self.parameters == wanted.parameters:
            return None
        ours, theirs = json.loads(self.parameters), json.loads(wanted.parameters)
        names = sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))
        words = [f"{name}={ours.get(name)} (this run: {theirs.get(name)})" for name in names[:_N_NAMED]]
        more = f" and {len(names) - _N_NAMED} more" if len(names) > _N_NAMED else ""
        return f"built with {', '.join(words)}{more}"


@dataclass(frozen=True)
class BuiltTable:
    """The last build of a table. build: number of the step that built it, growing; is_complete: whether that step has
    ended well."""

    basis: Basis
    run_id: str
    build: int
    is_complete: bool


class BuiltTables:
    """What is on record, seen by a run on `basis`."""

    def __init__(self, rows: Mapping[str, BuiltTable], basis: Basis, lineage: Lineage):
        self._rows = rows
        self._basis = basis
        self._lineage = lineage

    @classmethod
    def read(cls, con: duckdb.DuckDBPyConnection, basis: Basis, lineage: Lineage) -> "BuiltTables":
        con.execute(_TABLE)
        rows = con.execute(
            "select table_name, as_of_date, sources, parameters, run_id, build, is_complete from platform.built_tables"
        ).fetchall()
        return cls({row[0]: BuiltTable(Basis(*row[1:4]), *row[4:]) for row in rows}, basis, lineage)

    @cached_property
    def faults(self) -> Mapping[str, str]:
        """Each table that must not be read now, with the reason in words. A table that only reads such a table has no
        fault of its own, so that the reasons name where to begin."""
        return {table: words for table in self._lineage if (words := self._fault(table))}

    def _fault(self, table: str) -> str | None:
        row = self._rows.get(table)
        if row is None:
            return "never built"
        if not row.is_complete:
            return "its last build did not end well"
        if words := row.basis.difference(self._basis):
            return words
        newer = sorted(t for t in self._lineage[table] if t in self._rows and self._rows[t].build > row.build)
        return f"older than {newer[0]}, which it reads" if newer else None

    def faults_before(self, tables: Collection[str]) -> dict[str, str]:
        """The faults of everything that `tables` read, directly or not, those of `tables` themselves apart."""
        behind = self._behind(tables) - set(tables)
        return {table: words for table, words in self.faults.items() if table in behind}

    def first_of(self, tables: Collection[str]) -> list[str]:
        """Those of `tables` that read none of the others, directly or not."""
        return [table for table in tables if not self._behind([table]) & set(tables)]

    def can_be_read(self, table: str) -> bool:
        """Whether `table` and all behind it fit together and this run. True for tables that no step builds."""
        return table not in self._lineage or not any(t in self.faults for t in {table, *self._behind([table])})

    def _behind(self, tables: Collection[str]) -> set[str]:
        found: set[str] = set()
        waiting = list(tables)
        while waiting:
            for read in self._lineage[waiting.pop()]:
                if read not in found:
                    found.add(read)
                    waiting.append(read)
        return found


def begin_build(
    con: duckdb.DuckDBPyConnection, tables: Collection[str], run_id: str, basis: Basis, lineage: Lineage
) -> None:
    """Put on record that a step of `run_id` starts to build `tables`, which are unfinished until `finish_build`. Raises
    UserError, and records nothing, where what they read cannot be read together."""
    built = BuiltTables.read(con, basis, lineage)
    faults = built.faults_before(tables)
    if faults:
        raise _refusal(tables, basis, faults, built.first_of(faults))
    con.begin()
    try:
        con.execute("delete from platform.built_tables where table_name in (select unnest($1))", [sorted(tables)])
        con.execute(
            "insert into platform.built_tables select unnest($1), $2, $3, $4, $5,"
            " (select coalesce(max(build), 0) + 1 from platform.built_tables), false",
            [sorted(tables), basis.as_of_date, basis.sources, basis.parameters, run_id],
        )
        con.commit()
    except BaseException:
        con.rollback()
        raise


def finish_build(con: duckdb.DuckDBPyConnection, tables: Collection[str]) -> None:
    """Put on record that the step which began to build `tables` has ended well."""
    con.execute(
        "update platform.built_tables set is_complete = true where table_name in (select unnest($1))", [sorted(tables)]
    )


def builder_of(con: duckdb.DuckDBPyConnection, tables: Collection[str]) -> str | None:
    """The run that built `tables`; of several the one that built last, None where none is on record."""
    con.execute(_TABLE)
    found = con.execute(
        "select run_id from platform.built_tables where table_name in (select unnest($1)) order by build desc limit 1",
        [sorted(tables)],
    ).fetchone()
    return found[0] if found else None


def _refusal(tables: Collection[str], basis: Basis, faults: Mapping[str, str], first: Collection[str]) -> UserError:
    stages = sorted({table.split(".")[0] for table in tables})
    words = "; ".join(f"{table}: {why}" for table, why in list(faults.items())[:5])
    more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""
    again = ",".join(f"group:{stage}+" for stage in dict.fromkeys(table.split(".")[0] for table in first))
    stages_again = dagster_command(
        *("asset", "materialize", "-m", "pipelines.definitions", "--select", again, "--partition", basis.as_of_date)
    )
    return UserError(
        f"{', '.join(stages)} as of {basis.as_of_date} would read tables that do not belong together: {words}{more}",
        "run the whole date with the parameters it is to have: "
        f"{command('run', '--as-of', basis.as_of_date)}; or build these stages and all that follows: {stages_again}",
    )
