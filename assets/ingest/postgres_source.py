"""A source whose tables lie in a Postgres database: pulled in batches by a cursor on the server, by watermark.

In: a source YAML with `postgres:`, the database that it names through an environment variable. Out: batches in place,
landed, checked and quarantined exactly like files: each pulled batch is written as a Parquet file first and landed from
there. How a row becomes canonical does not belong here (`conversion`, `landing`).

A table with a `watermark` column is pulled from the last landed watermark less the `overlap`, because transactions that
commit late carry early watermarks. Rows of the overlap that were landed before, unchanged, are dropped (`pulled_rows`);
a changed row is landed again and, having an id, wins in staging. A table without watermark is pulled as a whole each
time and takes the place of its former batches.
"""

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from pathlib import Path

import duckdb

from assets.ingest.batches import Batch, hash_files, read_batches, supersede_batch
from assets.ingest.canonical import ENTITIES
from assets.ingest.engine import landing_connection
from assets.ingest.extracts import Extract, file_extract
from assets.ingest.landing import Progress, land_extracts
from assets.ingest.mapped_source import MappedSource
from assets.ingest.mapping.duplicates import is_keyed
from assets.ingest.mapping.postgres import PostgresServer, PostgresTable
from assets.ingest.postgres_statements import (
    clock,
    column_types,
    find_column,
    label,
    pull_statement,
    relation,
    row_batches,
    watermark_column,
    whole_statement,
)
from assets.ingest.pulled_rows import PulledFolder, Watermark, fresh_rows, write_parquet
from assets.ingest.records.records import Records, drop_views
from assets.ingest.records.typed import query_records
from assets.ingest.spans import Span, landed_span
from assets.shared import postgres
from assets.shared.errors import UserError
from assets.shared.quoting import identifier
from assets.shared.secret_values import secret
from assets.shared.settings import Settings


@dataclass(frozen=True)
class PostgresSource(MappedSource):
    """Tables of a database, described by a YAML."""

    def __post_init__(self) -> None:
        for entity, table in self.mapping.tables.items():
            if self._place(entity).watermark is not None and not is_keyed(ENTITIES[entity], table):
                raise UserError(
                    f"{self.mapping.path}: tables.{entity}: a watermark needs rows with an id, so that a row that comes"
                    " again in the overlap is known from another one",
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
        return [
            replace(self.template(entity), paths=(), read=partial(self._sample, entity=entity))
            for entity in self.mapping.tables
        ]

    def land(self, settings: Settings, progress: Progress = lambda _: None) -> list[Batch]:
        """Pull and land what is new. Raises UserError when the database cannot be read; batches landed before it stay,
        and the next call goes on from there."""
        landed = []
        for entity in self.mapping.tables:
            pull = self._land_whole if self._place(entity).watermark is None else self._land_by_watermark
            landed += pull(settings, entity, progress)
        return landed

    def as_of_bounds(self, settings: Settings) -> tuple[date, date]:
        """As the protocol says, from the database's own first and last day where the date column has a type that says
        it; else everything is landed first."""
        span = self._span_on_server()
        if span is None:
            self.land(settings)
            span = landed_span(settings, self.name)
        return self.bounds_within(span)

    # -- the database -----------------------------------------------------------------------------------------------

    def connect(self):
        """A connection to the database of the source, see `assets.shared.postgres.connect`."""
        variable = self._server.dsn_env
        uri = secret(variable)
        if not uri:
            raise UserError(
                f"{self.mapping.path}: postgres.dsn_env names the environment variable {variable}, which is not set",
                f"set {variable} to the database's connection URI, postgresql://user:password@host:5432/database, or"
                f" {variable}_FILE to a file that holds it",
            )
        return postgres.connect(uri, variable)

    @property
    def _server(self) -> PostgresServer:
        assert self.mapping.postgres is not None, "a source of tables in a database"
        return self.mapping.postgres

    def _place(self, entity: str) -> PostgresTable:
        place = self.mapping.tables[entity].postgres
        assert place is not None, "a table in a database"
        return place

    def _span_on_server(self) -> Span | None:
        table, place = self.mapping.tables["transactions"], self._place("transactions")
        mapped = table.columns["occurred_at"]
        if len(mapped.columns) != 1 or mapped.is_translated:
            return None
        with self.connect() as pg:
            columns = column_types(pg, place)
            name = find_column(columns, mapped.columns[0])
            kind = columns.get(name or "", "")
            if name is None or kind not in ("date", "timestamp", "timestamptz"):
                return None
            column = identifier(name)
            zone = self.mapping.time_zone or "UTC"
            if kind == "timestamptz":
                column = f"timezone($1, {column})"
            elif kind == "timestamp" and table.file_time_zone not in (None, self.mapping.time_zone):
                column = f"timezone($1, timezone($2, {column}))"
            values = [zone, table.file_time_zone][: column.count("$")]
            (found,) = pg.rows(
                f"select min({column})::date, max({column})::date from {relation(place)}"
                f" where isfinite({identifier(name)}) and {identifier(name)} >= '1900-01-01'"
                f" and {identifier(name)} <= now() + interval '1 day'",
                values,
            )
        return found if found[0] is not None else None

    def _sample(self, con: duckdb.DuckDBPyConnection, max_rows: int | None = None, *, entity: str) -> Records:
        table, place = self.mapping.tables[entity], self._place(entity)
        with self.connect() as pg:
            sql = whole_statement(place, column_types(pg, place), is_ordered=False)
            with closing(row_batches(pg, sql, [], max_rows or self._server.batch_rows)) as batches:
                chunk = next(batches)
        # First, because nothing can be registered while a result of the table before is open.
        drop_views(con)
        con.register("sampled", chunk)
        con.execute(
            "create or replace temp table sampled_rows as select *, row_number() over () - 1 as file_row_number"
            " from sampled"
        )
        con.unregister("sampled")
        return query_records(con, "select * from sampled_rows", label(entity, place), table, max_rows)

    # -- pulling ----------------------------------------------------------------------------------------------------

    def _extract(self, entity: str, path: Path) -> Extract:
        place = self._place(entity)
        changes = "replace" if place.watermark is None else "add"
        # What is pulled is always Parquet, whatever the defaults say of files.
        read_as = {"format": "parquet", "file_changes": changes, "settle_seconds": 0}
        table = self.mapping.tables[entity].model_copy(update=read_as)
        extract = file_extract(self.mapping, entity, path, label(entity, place), table)
        # Pulled by this process: nobody else writes it.
        return replace(extract, mapping=self._fingerprint(entity), seen=None)

    def _fingerprint(self, entity: str) -> str:
        """Everything that decides which rows are pulled and what becomes of them."""
        place = self._place(entity)
        parts = f"{self.mapping.fingerprint(entity)}:{place.table}:{place.query}:{place.watermark}"
        return hashlib.sha256(parts.encode()).hexdigest()[:16]

    def _land_whole(self, settings: Settings, entity: str, progress: Progress) -> list[Batch]:
        place = self._place(entity)
        with self.connect() as pg, self._spool(settings, entity) as spool:
            sql = whole_statement(place, column_types(pg, place))
            extracts: list[Extract] = []
            for chunk in row_batches(pg, sql, [], self._server.batch_rows):
                if chunk.num_rows:
                    extracts.append(self._extract(entity, write_parquet(chunk, spool / f"{len(extracts)}.parquet")))
            if not extracts:
                progress(f"{self.name}: {label(entity, place)} is empty")
                return []
            landed = land_extracts(extracts, settings, progress)
        self._retire_other_mappings(settings, entity)
        return landed

    def _land_by_watermark(self, settings: Settings, entity: str, progress: Progress) -> list[Batch]:
        place = self._place(entity)
        pulled = PulledFolder.of_table(settings, self.name, entity)
        landed: list[Batch] = []
        n_known = 0
        with self.connect() as pg, landing_connection(settings) as con, self._spool(settings, entity) as spool:
            columns = column_types(pg, place)
            column = watermark_column(self.mapping.path, entity, place, columns)
            mark = Watermark(column, columns[column], place.overlap)
            low = pulled.load_known(con, self._active_content(settings, entity), mark, clock(pg))
            for chunk in row_batches(pg, *pull_statement(place, columns, column, low), self._server.batch_rows):
                fresh, remembered = fresh_rows(con, chunk, mark)
                n_known += chunk.num_rows - fresh.num_rows
                if fresh.num_rows:
                    path = write_parquet(fresh, spool / "0.parquet")
                    # Before the batch, because from the batch on it must be known what is in it.
                    pulled.remember(remembered, hash_files([path])[0])
                    landed += land_extracts([self._extract(entity, path)], settings, progress)
        progress(
            f"pulled {label(entity, place)}: {sum(b.rows_in for b in landed):,} new or changed rows"
            + (f", {n_known:,} of the overlap known already" if n_known else "")
        )
        self._retire_other_mappings(settings, entity)
        return landed

    @contextmanager
    def _spool(self, settings: Settings, entity: str) -> Iterator[Path]:
        """Where pulled batches wait to be landed, empty: what a pull that died left there is removed."""
        folder = settings.raw / ".pull" / f"{self.name}--{entity}"
        _clear(folder)
        folder.mkdir(parents=True)
        yield folder
        _clear(folder)

    def _active_content(self, settings: Settings, entity: str) -> set[str]:
        """The contents of the batches that today's mapping and query made, and that count."""
        fingerprint = self._fingerprint(entity)
        return {b.sha256 for b in read_batches(settings, [self.name], entity) if b.mapping == fingerprint}

    def _retire_other_mappings(self, settings: Settings, entity: str) -> None:
        """What an older mapping or query made of this table is superseded once all of it has been pulled again."""
        fingerprint = self._fingerprint(entity)
        for batch in read_batches(settings, [self.name], entity):
            if batch.mapping != fingerprint:
                supersede_batch(settings, batch)
        PulledFolder.of_table(settings, self.name, entity).forget_all_but(self._active_content(settings, entity))


def _clear(folder: Path) -> None:
    for path in folder.glob("*"):
        path.unlink()
    if folder.exists():
        folder.rmdir()
