"""One delivery that is to be landed: which file or rows, of which table, read by which mapping.

In: a path, or whatever makes the rows. Out: an `Extract`, which can be read, and asked whether somebody is still
writing it. Which extracts a source has belongs to the sources, what becomes of one to `landing`.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import duckdb

from assets.ingest.batches import Content, batch_identity
from assets.ingest.canonical import ENTITIES, Entity
from assets.ingest.conversion import Reading
from assets.ingest.known_content import KnownContent
from assets.ingest.mapping.accounts import Accounts
from assets.ingest.mapping.rates import Rates
from assets.ingest.mapping.source import SourceMapping, TableMapping
from assets.ingest.records.reading import read_records
from assets.ingest.records.records import Records
from assets.ingest.refusals import FileRefused

#: (size in bytes, time of the last change in nanoseconds).
FileState = tuple[int, int]


class RecordReader(Protocol):
    """Makes the views `records` and `record_texts` on a connection (see `records`)."""

    def __call__(self, con: duckdb.DuckDBPyConnection, max_rows: int | None = None) -> Records: ...


@dataclass(frozen=True)
class Extract:
    """One file (or, of the built-in source, a few that make one table) to be landed as one batch."""

    source: str
    entity: str
    #: how the user knows the file
    file: str
    paths: tuple[Path, ...]
    table: TableMapping
    #: fingerprint of everything that decides what becomes of the rows
    mapping: str
    read: RecordReader
    time_zone: str | None = None
    currency: str | None = None
    rates: Rates | None = None
    accounts: Accounts = Accounts()
    #: the file's state when it was found; None where it cannot change (a package's own files, a pull)
    seen: FileState | None = None
    #: a file that is not even to be opened: it is not complete yet, or not one of the source's own
    refused: FileRefused | None = None

    @property
    def canonical(self) -> Entity:
        return ENTITIES[self.entity]

    def reading(self, batch_id: str) -> Reading:
        return Reading(
            batch_id=batch_id,
            time_zone=self.time_zone,
            currency=self.currency,
            rates=self.rates,
            accounts=self.accounts,
        )


def file_extract(
    mapping: SourceMapping, entity: str, path: Path, label: str, read_as: TableMapping | None = None
) -> Extract:
    """An extract of one file on disk, which need not be there. `read_as`: its table, where it is read otherwise than
    the mapping says."""
    table = read_as or mapping.tables[entity]

    def read(con: duckdb.DuckDBPyConnection, max_rows: int | None = None) -> Records:
        return read_records(con, path, label, table, max_rows)

    return Extract(
        source=mapping.name,
        entity=entity,
        file=label,
        paths=(path,),
        table=table,
        mapping=mapping.fingerprint(entity),
        read=read,
        time_zone=mapping.time_zone,
        currency=mapping.currency,
        rates=mapping.conversion,
        accounts=mapping.accounts_of(entity),
        seen=_state_of(path),
    )


def content_of(extract: Extract, known: KnownContent) -> Content:
    """What the extract holds. Raises FileRefused where it must not or cannot be opened, or is still being written."""
    if extract.refused is not None:
        raise extract.refused
    try:
        sha256, size = known.hash(extract.paths)
    except OSError as error:
        raise FileRefused(
            "unreadable",
            f"{extract.file} cannot be read: {error.strerror}",
            "check that the file exists and may be read",
        ) from None
    refuse_unfinished(extract)
    return Content(sha256, size, batch_identity(sha256, extract.mapping))


def refuse_unfinished(extract: Extract) -> None:
    """Raise FileRefused when the file is not the one that was found: somebody is writing it."""
    if extract.seen is None:
        return
    if _state_of(extract.paths[0]) != extract.seen:
        raise _unfinished(extract.file, "it changed while it was read")
    settle = extract.table.settle_seconds
    if settle and time.time() - extract.seen[1] / 1e9 < settle:
        raise _unfinished(extract.file, f"it changed less than {settle} seconds ago")


def _state_of(path: Path) -> FileState | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _unfinished(file: str, why: str) -> FileRefused:
    return FileRefused(
        "still_being_written",
        f"{file} is still being written: {why}",
        "it is taken by the next run; writers that use another name until they are done (.tmp, .part) avoid the wait",
    )
