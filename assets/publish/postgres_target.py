"""The published set in Postgres: schema `marts`, replaced as a whole by renaming schemas in one transaction.

In: the Parquet file of each table of a set. Out: its tables in Postgres, with comments, primary keys and indexes,
readable by one role. Which set is shown is not decided here (`published_set`, `rollback`): Postgres follows the link.

A set is copied (COPY in binary form, Arrow batches, bounded memory) into a schema that nobody may read, which then
takes the name `marts`; the one before is kept under another name that the role cannot use. A copy that dies leaves
that unreadable schema, which the next copy drops. Each schema's comment says which night it holds.
"""

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa

from assets.publish.marts import Mart, Marts
from assets.publish.release_ledger import SetId
from assets.shared import postgres
from assets.shared.errors import UserError
from assets.shared.quoting import identifier, literal, path_literal, quoted
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_row, fetch_value

VARIABLE = "HOLDFAST_PUBLISH_POSTGRES"
SHOWN, LOADING, KEPT = "marts", "holdfast_loading", "holdfast_set_"
#: Where senders find the contacts of each night. It holds addresses, so no role is let in: an administrator grants it.
CONTACTS_SCHEMA, CONTACTS = "holdfast_exports", "contacts"

#: One writer at a time in one database, whatever home it works for. The number only has to be ours.
_LOCK = 7_412_903_514
_LOCK_SECONDS = 60

#: Rows of one Arrow batch.
_BATCH_ROWS = 50_000

#: The swap locks the shown tables for the moment of renaming, so that no statement finds one table of the old set and
#: one of the new. It never queues for longer than the first time, and gives up on readers that stay after the second.
_LOCK_TIMEOUT = "250ms"
_PATIENCE_SECONDS = 10.0

_LOCKED_OUT, _NOT_ALLOWED, _DEPENDED_ON = "55P03", "42501", "2BP01"


@contextmanager
def postgres_target(
    settings: Settings, marts: Marts, on_step: Callable[[str], None], on_warning: Callable[[str], None]
) -> Iterator["PostgresTarget | None"]:
    """The target that the settings name, None when there is none. One at a time in a database.

    Raises UserError when the server cannot be reached or fails, when its schema `marts` is somebody else's, or when
    another home is publishing into it and does not end.
    """
    if settings.publish_postgres is None:
        yield None
        return
    with postgres.connect(settings.publish_postgres, VARIABLE) as connection:
        target = PostgresTarget(connection, settings.postgres_reader, marts, on_step, on_warning)
        target.wait_for_turn()
        target.refuse_foreign_schema()
        target.ensure_reader()
        yield target


class PostgresTarget:
    """One database that shows a set in its schema `marts`."""

    def __init__(
        self,
        connection: postgres.PostgresConnection,
        reader: str,
        marts: Marts,
        on_step: Callable[[str], None],
        on_warning: Callable[[str], None],
    ):
        self._pg = connection
        self._reader: str | None = reader
        self._marts = marts
        self._on_step, self._warn = on_step, on_warning

    def wait_for_turn(self) -> None:
        """Take the database's lock for as long as the connection lives; the server frees it when its holder dies."""
        until = time.monotonic() + _LOCK_SECONDS
        while not self._pg.rows("select pg_try_advisory_lock($1::bigint)", [_LOCK])[0][0]:
            if time.monotonic() > until:
                raise UserError(
                    f"another process has been publishing into the database of {VARIABLE} for {_LOCK_SECONDS} s",
                    "wait for it to end, or give each home a database of its own",
                )
            time.sleep(0.2)

    def refuse_foreign_schema(self) -> None:
        """Raise UserError when schema `marts` exists and is not ours."""
        if self._pg.rows("select 1 from pg_namespace where nspname = $1", [SHOWN]) and self.shown() is None:
            raise UserError(
                f"the database of {VARIABLE} has a schema {SHOWN} that holdfast did not make",
                "publish into a database of its own, or rename that schema",
            )

    def ensure_reader(self) -> None:
        """Make the reading role where it is missing and that is allowed; without it nobody but the owner reads."""
        import adbc_driver_manager

        reader = self._reader
        if reader is None or self._pg.rows("select 1 from pg_roles where rolname = $1", [reader]):
            return
        try:
            self._pg.execute(f"create role {identifier(reader)} nologin")
        except adbc_driver_manager.Error as error:
            if error.sqlstate != _NOT_ALLOWED:
                raise
            self._warn(
                f"role {reader} does not exist in Postgres and may not be created by this user: only the owner"
                f" can read the marts. Let an administrator run: create role {identifier(reader)} nologin"
            )
            self._reader = None

    # -- which sets are there ---------------------------------------------------------------------------------------

    def shown(self) -> SetId | None:
        """The night that readers see."""
        return self._nights().get(SHOWN)

    def kept(self) -> list[tuple[str, SetId]]:
        """(schema, night) of the sets behind it, newest first."""
        nights = {name: night for name, night in self._nights().items() if name.startswith(KEPT)}
        return sorted(nights.items(), key=lambda item: _number(item[0]), reverse=True)

    def _nights(self) -> dict[str, SetId]:
        rows = self._pg.rows(
            "select nspname::text, obj_description(oid, 'pg_namespace') from pg_namespace"
            " where nspname::text = $1 or starts_with(nspname::text, $2)",
            [SHOWN, KEPT],
        )
        return {name: night for name, words in rows if (night := _night(words)) is not None}

    # -- contacts ---------------------------------------------------------------------------------------------------

    def replace_contacts(self, rows: pa.Table, day: date) -> None:
        """Make `rows` the contacts of night `day` in the table of senders, at once; other nights stay. The same rows
        again change nothing that a sender can see."""
        name = f"{CONTACTS_SCHEMA}.{CONTACTS}"
        self._pg.execute(f"create schema if not exists {CONTACTS_SCHEMA}")
        self._pg.execute(
            f"create table if not exists {name} (as_of_date date not null, contact_id text not null, channel text"
            " not null, customer_id text not null, action_id text not null, due_on date not null, plan_rank bigint,"
            " owner text, address text, primary key (as_of_date, contact_id))"
        )
        with self._pg.transaction():
            self._pg.execute(f"delete from {name} where as_of_date = $1", [day])
            if rows.num_rows:
                with self._pg.raw.cursor() as writing:
                    writing.adbc_ingest(CONTACTS, rows, mode="append", db_schema_name=CONTACTS_SCHEMA)

    def withdraw_contacts(self, day: date) -> None:
        """Take the contacts of nights after `day` out of the table of senders."""
        if self._has_contacts():
            self._pg.execute(f"delete from {CONTACTS_SCHEMA}.{CONTACTS} where as_of_date > $1", [day])

    def forget_contacts(self, customer_ids: Sequence[str]) -> None:
        """Take all contacts of these customers out of the table of senders."""
        if self._has_contacts():
            for customer_id in customer_ids:
                self._pg.execute(
                    f"delete from {CONTACTS_SCHEMA}.{CONTACTS} where customer_id = $1::text", [customer_id]
                )

    def _has_contacts(self) -> bool:
        """Whether the table of senders is there: a writer that was killed may have left its schema alone."""
        wanted = [CONTACTS_SCHEMA, CONTACTS]
        return bool(self._pg.rows("select 1 from pg_tables where schemaname = $1 and tablename = $2", wanted))

    # -- copying ----------------------------------------------------------------------------------------------------

    def load(self, con: duckdb.DuckDBPyConnection, files: Mapping[str, Path], night: SetId) -> None:
        """Copy the tables of a set (name to Parquet file) into a schema that no reader may use."""
        self._pg.execute(f"drop schema if exists {LOADING} cascade")
        self._pg.execute(f"create schema {LOADING}")
        self._pg.execute(f"comment on schema {LOADING} is {literal(_words(night))}")
        for table, path in files.items():
            self._on_step(f"copy {table} to Postgres")
            mart, rows = self._marts.tables.get(table, Mart(())), f"read_parquet({path_literal(path)})"
            self._copy(con, table, rows, mart)
            self._finish(con, table, rows, mart)
        if self._reader:
            self._pg.execute(f"grant select on all tables in schema {LOADING} to {identifier(self._reader)}")

    def _copy(self, con: duckdb.DuckDBPyConnection, table: str, rows: str, mart: Mart) -> None:
        kinds = {name: kind for name, kind, *_ in con.execute(f"describe select * from {rows}").fetchall()}
        columns = ", ".join(f"{identifier(name)} {postgres_type(kind)}" for name, kind in kinds.items())
        self._pg.execute(f"create table {LOADING}.{identifier(table)} ({columns})")
        values = ", ".join(_with_zone(identifier(name), kind) for name, kind in kinds.items())
        # A cursor of its own: the rows are streamed while the connection must stay free.
        with con.cursor() as reading, self._pg.raw.cursor() as writing:
            ordered = reading.sql(f"select {values} from {rows} order by {mart.ordering}")
            writing.adbc_ingest(table, ordered.to_arrow_reader(_BATCH_ROWS), mode="append", db_schema_name=LOADING)

    def _finish(self, con: duckdb.DuckDBPyConnection, table: str, rows: str, mart: Mart) -> None:
        name = f"{LOADING}.{identifier(table)}"
        columns = [row[0] for row in con.execute(f"describe select * from {rows}").fetchall()]
        if key := mart.primary_key or mart.key:
            for statement in _key_statements(con, rows, name, key):
                self._pg.execute(statement)
        for index in mart.indexes:
            self._pg.execute(f"create index on {name} ({_list(index)})")
        if mart.comment:
            self._pg.execute(f"comment on table {name} is {literal(mart.comment)}")
        for column in columns:
            if words := mart.columns.get(column):
                self._pg.execute(f"comment on column {name}.{identifier(column)} is {literal(words)}")
        self._pg.execute(f"analyze {name}")

    # -- showing ----------------------------------------------------------------------------------------------------

    def show(self, con: duckdb.DuckDBPyConnection, files: Mapping[str, Path], night: SetId) -> None:
        """Show the set of that night: the kept one if it is there, else a fresh copy of the files. No-op when it is
        shown already."""
        if self.shown() == night:
            return
        schema = next((schema for schema, held in self.kept() if held == night), None)
        if schema is None:
            self.load(con, files, night)
            schema = LOADING
        self._on_step("swap Postgres")
        self.swap(schema)

    def swap(self, schema: str = LOADING) -> None:
        """Let `schema` be `marts`, and keep what was, in one transaction."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while not self._try_swap(schema, with_locks=time.monotonic() < until):
            time.sleep(0.1)

    def _try_swap(self, schema: str, with_locks: bool) -> bool:
        import adbc_driver_manager

        is_shown = self.shown() is not None
        tables = self._tables_of(SHOWN)
        following = 1 + max((_number(name) for name, _ in self.kept()), default=0)
        try:
            with self._pg.transaction():
                if tables and with_locks:
                    self._pg.execute(f"set local lock_timeout = '{_LOCK_TIMEOUT}'")
                    self._pg.execute(f"lock table {', '.join(tables)} in access exclusive mode")
                if is_shown:
                    self._pg.execute(f"alter schema {SHOWN} rename to {KEPT}{following}")
                    self._grant("revoke", f"{KEPT}{following}", "from")
                self._pg.execute(f"alter schema {schema} rename to {SHOWN}")
                self._grant("grant", SHOWN, "to")
        except adbc_driver_manager.Error as error:
            if error.sqlstate != _LOCKED_OUT:
                raise
            return False
        if not with_locks and tables:
            self._warn("a reader kept the old tables locked; the swap did not wait for it any longer")
        return True

    def _grant(self, verb: str, schema: str, preposition: str) -> None:
        if self._reader:
            self._pg.execute(f"{verb} usage on schema {schema} {preposition} {identifier(self._reader)}")

    def remove_all_but(self, keep: int) -> None:
        """Drop sets behind the shown one beyond the newest `keep`, and older copies of a night that is there twice. One
        that a reader still reads is left for the next time."""
        import adbc_driver_manager

        seen, n_kept = {self.shown()}, 0
        for schema, night in self.kept():
            if night not in seen and n_kept < keep:
                seen.add(night)
                n_kept += 1
                continue
            try:
                with self._pg.transaction():
                    self._pg.execute(f"set local lock_timeout = '{_LOCK_TIMEOUT}'")
                    if tables := self._tables_of(schema):
                        # Without cascade: a view that somebody made on these tables is not ours to drop.
                        self._pg.execute(f"drop table {', '.join(tables)}")
                    self._pg.execute(f"drop schema {schema}")
            except adbc_driver_manager.Error as error:
                if error.sqlstate == _DEPENDED_ON:
                    self._warn(
                        f"views of somebody else rest on {schema}, an old set, which therefore stays: views on marts"
                        " keep the set they were made on; make them again after each publish, or query marts itself"
                    )
                elif error.sqlstate != _LOCKED_OUT:
                    raise

    def _tables_of(self, schema: str) -> list[str]:
        rows = self._pg.rows("select tablename::text from pg_tables where schemaname = $1 order by 1", [schema])
        return [f"{schema}.{identifier(name)}" for (name,) in rows]


#: Types of DuckDB that Postgres knows by another name. Moments are in UTC and say so.
_TYPES = {"VARCHAR": "text", "DOUBLE": "double precision", "FLOAT": "real", "TIMESTAMP": "timestamp with time zone"}
#: A primary key where the key of the table has parts that may be unknown: many tools accept no table without one.
SURROGATE = "row_number"


def postgres_type(duckdb_type: str) -> str:
    """The column type in Postgres for one of DuckDB: `DECIMAL(18,2)` → `numeric(18,2)`."""
    if duckdb_type.endswith("[]"):
        return f"{postgres_type(duckdb_type[:-2])}[]"
    if duckdb_type.startswith("DECIMAL"):
        return duckdb_type.replace("DECIMAL", "numeric")
    return _TYPES.get(duckdb_type, duckdb_type.lower())


def _with_zone(column: str, duckdb_type: str) -> str:
    return f"{column} at time zone 'UTC' as {column}" if duckdb_type == "TIMESTAMP" else column


def _key_statements(con: duckdb.DuckDBPyConnection, rows: str, name: str, key: Sequence[str]) -> list[str]:
    """A primary key. Where a part of the key may be unknown, which a primary key cannot be, or rows repeat, it is the
    number of the row in the table, with a unique index in which two unknowns are equal, or a plain one."""
    columns = ", ".join(map(quoted, key))
    unknown = " or ".join(f"{quoted(column)} is null" for column in key)
    n_unknown, n_rows = fetch_row(con, f"select count(*) filter (where {unknown}), count(*) from {rows}")
    n_different = fetch_value(con, f"select count(*) from (select distinct {columns} from {rows})")
    if n_different == n_rows and not n_unknown:
        return [f"alter table {name} add primary key ({_list(key)})"]
    own = f"alter table {name} add column {SURROGATE} bigint generated always as identity primary key"
    if n_different == n_rows:
        return [own, f"create unique index on {name} ({_list(key)}) nulls not distinct"]
    return [own, f"create index on {name} ({_list(key)})"]


def _list(columns: Sequence[str]) -> str:
    return ", ".join(identifier(column) for column in columns)


def _number(schema: str) -> int:
    tail = schema.removeprefix(KEPT)
    return int(tail) if tail.isdigit() else 0


def _words(night: SetId) -> str:
    return json.dumps({"holdfast": {"as_of_date": night.as_of_date.isoformat(), "run_id": night.run_id}})


def _night(words: str | None) -> SetId | None:
    try:
        facts = json.loads(words or "")["holdfast"]
        return SetId(date.fromisoformat(facts["as_of_date"]), facts["run_id"])
    except (ValueError, KeyError, TypeError):
        return None
