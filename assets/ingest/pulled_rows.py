"""Which rows of a database's table were landed before, so that the overlap of a pull counts once.

In: the rows of a pull. Out: those that are new or changed, by a hash of their whole content. What was pulled is
remembered in `raw/<source>/<entity>/.pulled/<sha256 of the batch's file>.parquet`, written before the batch and
counting only while that batch is active: the state of a pull advances exactly with the landed batch, whenever the
process dies.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from assets.ingest.postgres_statements import WATERMARKS
from assets.shared.files import replacing
from assets.shared.quoting import identifier, path_list
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_value

_HASH, _MARK = "row_hash", "watermark"


@dataclass(frozen=True)
class Watermark:
    """The column that says what is new, its Postgres type, and how far back is asked again."""

    column: str
    type: str
    overlap: str

    @property
    def engine_type(self) -> str:
        return WATERMARKS[self.type]


@dataclass(frozen=True)
class PulledFolder:
    """What is remembered of one table."""

    path: Path

    @classmethod
    def of_table(cls, settings: Settings, source: str, entity: str) -> "PulledFolder":
        return cls(settings.raw / source / entity / ".pulled")

    def remember(self, rows: pa.Table, sha256: str) -> None:
        """Remember the rows of the batch with this content."""
        write_parquet(rows, self.path / f"{sha256}.parquet")

    def forget_all_but(self, kept: Collection[str]) -> None:
        """Remove what is remembered of batches other than those with these contents."""
        for path in self.path.glob("*.parquet"):
            if path.stem not in kept:
                path.unlink()

    def load_known(
        self, con: duckdb.DuckDBPyConnection, active: Collection[str], mark: Watermark, now: datetime
    ) -> Any:
        """Make the table `known_rows` with the hashes of the overlap, from the batches with the contents `active`.
        Returns from which watermark on rows are asked for again; None: from the beginning."""
        con.execute(f"create or replace temp table known_rows ({_HASH} varchar)")
        files = [path for path in sorted(self.path.glob("*.parquet")) if path.stem in active]
        if not files:
            return None
        remembered, type_ = f"read_parquet({path_list(files)})", mark.engine_type
        low = fetch_value(con, _low_statement(remembered, mark), _low_values(mark, now))
        if low is None:
            con.execute(f"insert into known_rows select {_HASH} from {remembered}")
        else:
            con.execute(
                f"insert into known_rows select {_HASH} from {remembered}"
                f" where {_MARK} is null or {_MARK} >= cast(? as {type_})",
                [low],
            )
        return low


def _low_statement(remembered: str, mark: Watermark) -> str:
    type_ = mark.engine_type
    if type_ == "bigint":
        newest, less = f"max({_MARK})", f" - {int(mark.overlap)}"
    else:
        # A row dated ahead must not carry the watermark past rows that are still to come.
        newest, less = f"least(max({_MARK}), cast($now as {type_}))", f" - interval '{mark.overlap}'"
    return f"select cast(cast({newest}{less} as {type_}) as varchar) from {remembered}"


def _low_values(mark: Watermark, now: datetime) -> Mapping[str, datetime]:
    return {} if mark.engine_type == "bigint" else {"now": now}


def fresh_rows(con: duckdb.DuckDBPyConnection, chunk: pa.Table, mark: Watermark) -> tuple[pa.Table, pa.Table]:
    """(rows that are not in `known_rows`, what has to be remembered of them). A row is known by all of its content."""
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
    column, type_ = identifier(mark.column), mark.engine_type
    order = f"{column} nulls last, {_HASH}"
    fresh = con.sql(f"select * exclude ({_HASH}) from fresh_rows order by {order}").to_arrow_table()
    remembered = con.sql(
        f"select {_HASH}, cast({column} as {type_}) as {_MARK} from fresh_rows order by {order}"
    ).to_arrow_table()
    return fresh, remembered


def write_parquet(rows: pa.Table, path: Path) -> Path:
    """Write rows as one Parquet file, whole or not at all; returns its path."""
    import pyarrow.parquet

    with replacing(path) as unfinished:
        pyarrow.parquet.write_table(rows, unfinished, compression="zstd")
    return path
