"""A source whose tables lie in a Postgres database: pulled in batches by a cursor on the server, by watermark.

In: a source YAML with `postgres:`, the database that it names through an environment variable. Out: batches in place,
landed, checked and quarantined exactly like files: each pulled batch is written as a Parquet file first and landed from
there. How a row becomes canonical does not belong here (`conversion`, `landing`).

A table with a `watermark` column is pulled from the last landed watermark less the `overlap`, because transactions that
commit late carry early watermarks. Rows of the overlap that were landed before, unchanged, are dropped by a hash of
their whole content; a changed row is landed again and, having an id, wins in staging. What was pulled is remembered in
`raw/<source>/<entity>/.pulled/<sha256 of the batch's file>.parquet`, written before the batch and counting only while
that batch is active: the state of a pull advances exactly with the landed batch, whenever the process dies.
A table without watermark is pulled as a whole each time and takes the place of its former batches.
"""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from os import environ
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from assets.ingest.batches import Batch, hash_files, read_batches, supersede_batch
from assets.ingest.canonical import ENTITIES
from assets.ingest.conversion import is_keyed
from assets.ingest.landing import Extract, Progress, file_extract, land_extracts, landed_span, landing_connection
from assets.ingest.mapping import MappedSource, PostgresTable, SourceMapping
from assets.ingest.records import Records, relation_records
from assets.shared import postgres
from assets.shared.errors import UserError
from assets.shared.files import replacing
from assets.shared.postgres import PostgresConnection
from assets.shared.quoting import identifier, path_list
from assets.shared.settings import Settings

#: Watermarks are compared as what they are; a text or a float has no order that a pull could rely on.
WATERMARKS = {"int2": "bigint", "int4": "bigint", "int8": "bigint", "date": "date", "timestamp": "timestamp",
              "timestamptz": "timestamptz"}  # fmt: skip

_HASH, _MARK = "row_hash", "watermark"


@dataclass(frozen=True)
class Pulled:
    """What has been landed of a table: the files that tell, and from which watermark on rows are asked for again (None:
    from the beginning)."""

    files: tuple[Path, ...]
    low: Any = None


@dataclass(frozen=True)
class PostgresSource(MappedSource):
    """Tables of a database, described by a YAML."""

    mapping: SourceMapping

    def __post_init__(self) -> None:
        for entity, table in self.mapping.tables.items():
            if table.postgres.watermark is not None and not is_keyed(ENTITIES[entity], table):
                raise UserError(
                    f"{self.mapping.path}: tables.{entity}: a watermark needs rows with an id, so that a row that comes"
                    " again in the overlap is told from another one",
                    f"map {ENTITIES[entity].id_column or 'nothing: this table has no id'}, or leave `watermark` out:"
                    " the table is then pulled as a whole each night",
                )

    def template(self, entity: str) -> Extract:
        """An extract of no file, by which rows of `entity` are read today."""
        if entity not in self.mapping.tables:
            raise KeyError(entity)
        return self._extract(entity, self.mapping.path)

    def extracts(self) -> list[Extract]:
        """One extract a table that reads only its beginning, for a look before anything is loaded."""
        found = []
        for entity in self.mapping.tables:
            template = self._extract(entity, self.mapping.path)
            read = partial(self._sample, entity=entity)
            found.append(
                Extract(
                    self.name,
                    entity,
                    template.file,
                    (),
                    template.table,
                    template.mapping,
                    read,
                    template.time_zone,
                    template.currency,
                )
            )
        return found

    def land(self, settings: Settings, progress: Progress = lambda _: None) -> list[Batch]:
        """Pull and land what is new. Raises UserError when the database cannot be read; batches landed before it stay,
        and the next call goes on from there."""
        landed = []
        for entity, table in self.mapping.tables.items():
            if table.postgres.watermark is None:
                landed += self._land_whole(settings, entity, progress)
            else:
                landed += self._land_by_watermark(settings, entity, progress)
        return landed

    def as_of_bounds(self, settings: Settings) -> tuple[date, date]:
        """As the protocol says, from the database's own first and last day where the date column has a type that tells;
        else everything is landed first."""
        span = self._span_on_server() or self._landed_span(settings)
        if span is None:
            raise UserError(
                f"source {self.name}: no transaction has a valid date",
                f"run `holdfast check-source {self.mapping.path}`; it shows what the dates look like",
            )
        first, last = span
        if self.mapping.complete_through is not None:
            last = min(last, self.mapping.complete_through)
        if last < first:
            raise UserError(
                f"{self.mapping.path}: complete_through {last} is before the first transaction day {first}",
                "correct complete_through, or remove it",
            )
        today = datetime.now(UTC).date()
        return first + timedelta(days=1), max(min(last + timedelta(days=1), today), first + timedelta(days=1))

    # -- the database -----------------------------------------------------------------------------------------------

    def connect(self):
        """A connection to the database of the source, see `assets.shared.postgres.connect`."""
        variable = self.mapping.postgres.dsn_env
        uri = environ.get(variable, "").strip()
        if not uri:
            raise UserError(
                f"{self.mapping.path}: postgres.dsn_env names the environment variable {variable}, which is not set",
                f"set {variable} to the database's connection URI, postgresql://user:password@host:5432/database",
            )
        return postgres.connect(uri, variable)

    def _span_on_server(self) -> tuple[date, date] | None:
        table = self.mapping.tables["transactions"]
        mapped = table.columns["occurred_at"]
        if len(mapped.columns) != 1 or mapped.constant is not None or mapped.values:
            return None
        with self.connect() as pg:
            columns = _columns(pg, table.postgres)
            name = _find(columns, mapped.columns[0])
            kind = columns.get(name or "", "")
            if kind not in ("date", "timestamp", "timestamptz"):
                return None
            column = identifier(name)
            zone = self.mapping.time_zone or "UTC"
            if kind == "timestamptz":
                column = f"timezone($1, {column})"
            elif kind == "timestamp" and table.file_time_zone not in (None, self.mapping.time_zone):
                column = f"timezone($1, timezone($2, {column}))"
            values = [zone, table.file_time_zone][: column.count("$")]
            (found,) = pg.rows(
                f"select min({column})::date, max({column})::date from {_relation(table.postgres)}"
                f" where isfinite({identifier(name)}) and {identifier(name)} >= '1900-01-01'"
                f" and {identifier(name)} <= now() + interval '1 day'",
                values,
            )
        return found if found[0] is not None else None

    def _landed_span(self, settings: Settings) -> tuple[date, date] | None:
        self.land(settings)
        return landed_span(settings, self.name)

    def _sample(self, con: duckdb.DuckDBPyConnection, max_rows: int | None = None, *, entity: str) -> Records:
        table = self.mapping.tables[entity]
        with self.connect() as pg:
            columns = _columns(pg, table.postgres)
            sql = f"select {_selected(columns)} from {_relation(table.postgres)}"
            with closing(_batches(pg, sql, [], max_rows or self.mapping.postgres.batch_rows)) as batches:
                chunk = next(batches)
        for name in ("records", "record_texts"):
            con.execute(f"drop view if exists {name}")
        con.register("sampled", chunk)
        con.execute(
            "create or replace temp table sampled_rows as select *, row_number() over () - 1 as file_row_number"
            " from sampled"
        )
        con.unregister("sampled")
        described = con.execute("select * exclude (file_row_number) from sampled_rows limit 0").description
        types = {column: str(kind) for column, kind, *_ in described}
        return relation_records(con, "sampled_rows", types, _label(entity, table.postgres), table, max_rows)

    # -- pulling ----------------------------------------------------------------------------------------------------

    def _extract(self, entity: str, path: Path) -> Extract:
        table = self.mapping.tables[entity]
        changes = "add" if table.postgres.watermark else "replace"
        # What is pulled is always Parquet, whatever the defaults say of files.
        read_as = table.model_copy(update={"format": "parquet", "file_changes": changes, "settle_seconds": 0})
        extract = file_extract(
            self.name,
            entity,
            path,
            _label(entity, table.postgres),
            read_as,
            self._fingerprint(entity),
            self.mapping.time_zone,
            self.mapping.currency,
        )
        return replace(extract, seen=None)  # pulled by this process: nobody else writes it

    def _fingerprint(self, entity: str) -> str:
        """Everything that decides which rows are pulled and what becomes of them."""
        place = self.mapping.tables[entity].postgres
        parts = f"{self.mapping.fingerprint(entity)}:{place.table}:{place.query}:{place.watermark}"
        return hashlib.sha256(parts.encode()).hexdigest()[:16]

    def _land_whole(self, settings: Settings, entity: str, progress: Progress) -> list[Batch]:
        place = self.mapping.tables[entity].postgres
        spool = _spool_folder(settings, self.name, entity)
        extracts: list[Extract] = []
        with self.connect() as pg:
            columns = _columns(pg, place)
            order = ", ".join(str(n) for n in range(1, len(columns) + 1))
            sql = f"select {_selected(columns)} from {_relation(place)} order by {order}"
            for chunk in _batches(pg, sql, [], self.mapping.postgres.batch_rows):
                if chunk.num_rows:
                    extracts.append(self._extract(entity, _write(chunk, spool / f"{len(extracts)}.parquet")))
        if not extracts:
            progress(f"{self.name}: {_label(entity, place)} is empty")
            return []
        landed = land_extracts(extracts, settings, progress)
        _clear(spool)
        self._retire_other_mappings(settings, entity)
        return landed

    def _land_by_watermark(self, settings: Settings, entity: str, progress: Progress) -> list[Batch]:
        place = self.mapping.tables[entity].postgres
        spool = _spool_folder(settings, self.name, entity)
        landed: list[Batch] = []
        with self.connect() as pg, landing_connection(settings) as con:
            columns = _columns(pg, place)
            mark = _watermark_column(self.mapping.path, entity, place, columns)
            pulled = self._pulled(settings, con, entity, columns[mark], pg)
            sql, values = _pull_statement(place, columns, mark, pulled.low)
            n_known = 0
            for chunk in _batches(pg, sql, values, self.mapping.postgres.batch_rows):
                fresh, told = _fresh_rows(con, chunk, mark, columns[mark])
                n_known += chunk.num_rows - fresh.num_rows
                if fresh.num_rows:
                    path = _write(fresh, spool / "0.parquet")
                    # Before the batch, because from the batch on it must be known what is in it.
                    _write(told, _told_folder(settings, self.name, entity) / f"{hash_files([path])[0]}.parquet")
                    landed += land_extracts([self._extract(entity, path)], settings, progress)
            progress(
                f"pulled {_label(entity, place)}: {sum(b.rows_in for b in landed):,} new or changed rows"
                + (f", {n_known:,} of the overlap known already" if n_known else "")
            )
        _clear(spool)
        self._retire_other_mappings(settings, entity)
        return landed

    def _pulled(
        self, settings: Settings, con: duckdb.DuckDBPyConnection, entity: str, kind: str, pg: PostgresConnection
    ) -> Pulled:
        """What was landed by this mapping; the hashes of the rows of the overlap go into the table `known_rows`."""
        place, fingerprint = self.mapping.tables[entity].postgres, self._fingerprint(entity)
        con.execute(f"create or replace temp table known_rows ({_HASH} varchar)")
        own = {b.sha256 for b in read_batches(settings, [self.name], entity) if b.mapping == fingerprint}
        folder = _told_folder(settings, self.name, entity)
        files = tuple(path for path in sorted(folder.glob("*.parquet")) if path.stem in own)
        if not files:
            return Pulled(())
        told = f"read_parquet({path_list(files)})"
        type_ = WATERMARKS[kind]
        newest = f"max({_MARK})"
        if type_ != "bigint":
            # A row dated ahead must not carry the watermark past rows that are still to come.
            newest = f"least({newest}, cast($now as {type_}))"
        less = f" - {int(place.overlap)}" if type_ == "bigint" else f" - interval '{place.overlap}'"
        low = con.execute(
            f"select cast(cast({newest}{less} as {type_}) as varchar) from {told}",
            {"now": _clock(pg)} if type_ != "bigint" else {},
        ).fetchone()[0]
        if low is None:
            con.execute(f"insert into known_rows select {_HASH} from {told}")
            return Pulled(files)
        con.execute(
            f"insert into known_rows select {_HASH} from {told} where {_MARK} is null or {_MARK} >= cast(? as {type_})",
            [low],
        )
        return Pulled(files, low)

    def _retire_other_mappings(self, settings: Settings, entity: str) -> None:
        """What an older mapping or query made of this table is superseded once all of it has been pulled anew."""
        fingerprint = self._fingerprint(entity)
        batches = read_batches(settings, [self.name], entity)
        for batch in batches:
            if batch.mapping != fingerprint:
                supersede_batch(settings, batch)
        own = {b.sha256 for b in batches if b.mapping == fingerprint}
        for path in _told_folder(settings, self.name, entity).glob("*.parquet"):
            if path.stem not in own:
                path.unlink()


# -- Statements -------------------------------------------------------------------------------------------------------


def _relation(place: PostgresTable) -> str:
    """The table by its quoted name, or the query of the YAML as a subquery."""
    if place.query is not None:
        return f"({place.query.strip().rstrip(';')}) as pulled"
    return ".".join(identifier(part) for part in place.table.split("."))


def _label(entity: str, place: PostgresTable) -> str:
    """How a person knows where rows come from, as the name of a file elsewhere."""
    return f"postgres:{place.table}" if place.table is not None else f"postgres:query of {entity}"


def _columns(pg: PostgresConnection, place: PostgresTable) -> dict[str, str]:
    """Column to Postgres type, in order."""
    with pg.raw.cursor() as cursor:
        cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
        cursor.execute(f"select * from {_relation(place)} limit 0")
        schema = cursor.fetch_arrow_table().schema
    return {field.name: ((field.metadata or {}).get(b"POSTGRESQL:type") or b"").decode() for field in schema}


#: Types that arrive as they are; all others as text, which is what a file would have held.
_PLAIN = ("bool", "int2", "int4", "int8", "float4", "float8", "text", "varchar", "bpchar")


def _selected(columns: dict[str, str]) -> str:
    return ", ".join(_expression(name, kind) for name, kind in columns.items())


def _expression(name: str, kind: str) -> str:
    column = identifier(name)
    if kind in _PLAIN:
        return column
    if kind in ("date", "timestamp", "timestamptz"):
        # 'infinity' means no end; it is no day.
        return f"case when isfinite({column}) then {column} end as {column}"
    return f"{column}::text as {column}"


def _find(columns: dict[str, str], ref: str | int) -> str | None:
    """The column that the mapping means: by name, by name without regard to case, by position from 1."""
    names = list(columns)
    if isinstance(ref, int):
        return names[ref - 1] if 0 < ref <= len(names) else None
    if ref in columns:
        return ref
    alike = [name for name in names if name.casefold() == ref.strip().casefold()]
    return alike[0] if len(alike) == 1 else None


def _watermark_column(path: Path, entity: str, place: PostgresTable, columns: dict[str, str]) -> str:
    where = f"{path}: tables.{entity}.postgres"
    mark = _find(columns, place.watermark)
    if mark is None:
        raise UserError(
            f"{where}: {_label(entity, place)} has no column {place.watermark!r}", f"it has: {', '.join(columns)}"
        )
    if columns[mark] not in WATERMARKS:
        raise UserError(
            f"{where}.watermark: {mark} is of type {columns[mark] or 'unknown'}, which cannot tell what is new",
            "name a column with the time of the last change, or a number that only rises",
        )
    is_number, is_span = WATERMARKS[columns[mark]] == "bigint", not place.overlap.isdigit()
    if is_number == is_span:
        raise UserError(
            f"{where}.overlap: {place.overlap!r} does not fit {mark}, which is of type {columns[mark]}",
            "write a number such as 1000" if is_number else "write a time such as '2 days'",
        )
    return mark


def _pull_statement(place: PostgresTable, columns: dict[str, str], mark: str, low: Any) -> tuple[str, list[Any]]:
    """Rows from `low` on, and those without a watermark, whose place in time nobody knows; oldest first, so that a pull
    that dies can go on. (statement, parameters)."""
    column = identifier(mark)
    order = f"order by {column} nulls last"
    statement = f"select {_selected(columns)} from {_relation(place)}"
    if low is None:
        return f"{statement} {order}", []
    return f"{statement} where {column} >= $1::text::{columns[mark]} or {column} is null {order}", [str(low)]


def _clock(pg: PostgresConnection) -> datetime:
    return pg.rows("select now()")[0][0]


def _batches(pg: PostgresConnection, sql: str, values: list[Any], n_rows: int) -> Iterator[pa.Table]:
    """The rows of a query as Arrow tables of at most `n_rows`, from a cursor on the server: memory holds one of them.
    At least one table, without rows where there are none."""
    with pg.transaction():
        pg.execute("set transaction isolation level repeatable read, read only")
        # Days and moments are written as text in one way, whatever the server or the role prefers.
        pg.execute("set local datestyle = 'ISO'")
        pg.execute(f"declare pulled_rows no scroll cursor for {sql}", values)
        while True:
            with pg.raw.cursor() as cursor:
                cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
                cursor.execute(f"fetch forward {int(n_rows)} from pulled_rows")
                chunk = cursor.fetch_arrow_table()
            yield chunk
            if chunk.num_rows < n_rows:
                return


# -- Rows -------------------------------------------------------------------------------------------------------------


def _fresh_rows(con: duckdb.DuckDBPyConnection, chunk: pa.Table, mark: str, kind: str) -> tuple[pa.Table, pa.Table]:
    """(rows not landed before, what has to be remembered of them). A row is known by all of its content."""
    con.register("pulled_chunk", chunk.replace_schema_metadata(None))
    everything = ", ".join(f"{identifier(name)} := {identifier(name)}" for name in chunk.column_names)
    con.execute(
        f"""
        create or replace temp table fresh_rows as
        select *, md5(cast(to_json(struct_pack({everything})) as varchar)) as {_HASH}
        from pulled_chunk
        where md5(cast(to_json(struct_pack({everything})) as varchar)) not in (select {_HASH} from known_rows)
        """
    )
    con.unregister("pulled_chunk")
    order = f"{identifier(mark)} nulls last, {_HASH}"
    fresh = con.sql(f"select * exclude ({_HASH}) from fresh_rows order by {order}").to_arrow_table()
    told = con.sql(
        f"select {_HASH}, cast({identifier(mark)} as {WATERMARKS[kind]}) as {_MARK} from fresh_rows order by {order}"
    ).to_arrow_table()
    return fresh, told


def _told_folder(settings: Settings, source: str, entity: str) -> Path:
    return settings.raw / source / entity / ".pulled"


def _spool_folder(settings: Settings, source: str, entity: str) -> Path:
    """Where pulled batches wait to be landed, empty: what a pull that died left there is removed."""
    folder = settings.raw / ".pull" / f"{source}--{entity}"
    _clear(folder)
    folder.mkdir(parents=True)
    return folder


def _clear(folder: Path) -> None:
    for path in folder.glob("*"):
        path.unlink()
    if folder.exists():
        folder.rmdir()


def _write(table: pa.Table, path: Path) -> Path:
    import pyarrow.parquet

    with replacing(path) as unfinished:
        pyarrow.parquet.write_table(table, unfinished, compression="zstd")
    return path
