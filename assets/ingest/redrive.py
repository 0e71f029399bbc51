"""Quarantined rows read again, by the mapping and the rules of today.

In: an active batch and how its source reads the entity now. Out: a part of the batch (`batches.Part`): the rows that
now parse, accepted exactly once and under the batch that delivered them, and the rest with its new reasons. Rows in
stay rows accepted plus rows quarantined. Needs the kept raw texts only: the file itself may be gone.
"""

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from assets.ingest.batch_files import QUARANTINED, days_of_accepted, write_accepted, write_refused_rows
from assets.ingest.batches import (
    Batch,
    Part,
    current_quarantine_file,
    data_files,
    write_part,
)
from assets.ingest.canonical import ENTITIES, Entity
from assets.ingest.conversion import convert_records
from assets.ingest.engine import landing_connection
from assets.ingest.erased_persons import leave_out_erased
from assets.ingest.extracts import Extract
from assets.ingest.mapping.duplicates import has_key, key_columns
from assets.ingest.mapping.rules import LEFT_OUT
from assets.ingest.mapping.source import TableMapping
from assets.ingest.records.reading import kept_records
from assets.ingest.refusals import FileRefused
from assets.shared.errors import UserError
from assets.shared.quoting import literal, path_list, path_literal
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_row, fetch_value


@dataclass(frozen=True)
class Redriven:
    """What one re-drive did: rows tried, accepted, and still in quarantine (those not tried included)."""

    batch: Batch
    n_tried: int
    n_accepted: int
    n_quarantined: int


def redrive_batch(settings: Settings, batch: Batch, template: Extract, rule: str | None = None) -> Redriven:
    """Read the batch's quarantined rows (of one `rule`) again as `template` reads today.

    Nothing is written when no row is accepted and no reason changes, so a second call changes nothing. The caller holds
    the home's lock. Raises UserError when the batch was landed before raw columns were kept, or when today's mapping
    needs a column that its file did not have.
    """
    kept = current_quarantine_file(settings, batch)
    if batch.rows_quarantined == 0:
        return Redriven(batch, 0, 0, 0)
    if batch.columns is None:
        raise UserError(
            f"batch {batch.batch_id} ({batch.file}) was landed by a release that did not keep the file's columns",
            "put the file into the folder again and run: it is then landed by today's mapping",
        )
    entity, table = ENTITIES[batch.entity], template.table
    if table.reads_rows_together:
        raise UserError(
            f"batch {batch.batch_id} ({batch.file}): its rows are read together with the others of their order, so "
            "quarantined ones cannot be read alone",
            "correct the file or the mapping and put the file into the folder again: it is then landed anew",
        )
    with landing_connection(settings) as con:
        n_tried = _load_texts(con, kept, rule)
        if n_tried == 0:
            return Redriven(batch, 0, 0, batch.rows_quarantined)
        try:
            records = kept_records(con, batch.file, batch.columns, batch.is_text, table)
        except FileRefused as error:
            raise UserError(f"batch {batch.batch_id}: {error.what}", error.remedy) from None
        convert_records(con, records, entity, table, template.reading(batch.batch_id))
        n_erased = leave_out_erased(con, settings, entity)
        _refuse_known_ids(con, entity, table, data_files(settings, batch))
        accepted, n_left_out, n_left, n_changed = _sort_out(con, batch)
        if accepted or n_left_out or n_changed:
            _put_part(con, settings, batch, template.mapping, accepted, n_left_out, n_left, n_erased)
        return Redriven(batch, n_tried, len(accepted), n_left)


def _load_texts(con: duckdb.DuckDBPyConnection, kept: Path, rule: str | None) -> int:
    con.execute("drop view if exists record_texts")
    # Earlier releases kept no day.
    con.execute(f"create or replace temp table kept_rows ({QUARANTINED})")
    con.execute(f"insert into kept_rows by name select * from read_parquet({path_literal(kept)})")
    con.execute(
        f"""
        create or replace temp table record_texts as
        select line_number, raw_text from kept_rows
        where {"true" if rule is None else f"rule = {literal(rule)}"}
        """
    )
    return fetch_value(con, "select count(*) from record_texts")


def _refuse_known_ids(con: duckdb.DuckDBPyConnection, entity: Entity, table: TableMapping, files: list[Path]) -> None:
    """A row whose id the batch already has stays a duplicate: the accepted one came first."""
    if not has_key(entity, table):
        return
    keys, parts = key_columns(entity)
    # What the file gave; a posting number may be the row's own place, and the same row has another place here.
    content = ", ".join(name for name in entity.names if name in table.columns)
    same = " and ".join(f"tried.{key} is not distinct from there.{key}" for key in keys)
    con.execute(
        f"""
        update converted set
            rule = case when found.is_same then 'duplicate_same_content' else 'duplicate_different_content' end,
            reason = case
                when found.is_same then 'the batch holds the same row already'
                else 'the batch holds its id already, with other content'
            end
        from (
            select tried.line_number, bool_or(tried.content is not distinct from there.content) as is_same
            from (select line_number, {parts}, row({content}) as content from converted where rule is null)
                as tried
            inner join (select {parts}, row({content}) as content from read_parquet({path_list(files)}))
                as there on {same}
            group by tried.line_number
        ) as found
        where found.line_number = converted.line_number
        """
    )


def _sort_out(con: duckdb.DuckDBPyConnection, batch: Batch) -> tuple[list[int], int, int, int]:
    """Table `left_over` (line_number, rule, reason, raw_text, day): what stays in quarantine. Returns (line numbers
    that are accepted now, rows that are left out on purpose now, rows that stay, those of them with another reason)."""
    con.execute(
        f"""
        create or replace temp table left_over as
        select kept.line_number, converted.rule, converted.reason, kept.raw_text, kept.day,
            converted.rule is distinct from kept.rule or converted.reason is distinct from kept.reason as is_changed
        from kept_rows as kept
        inner join converted on converted.line_number = kept.line_number
        where converted.rule is not null and converted.rule <> {literal(LEFT_OUT)}
        union all
        select line_number, rule, reason, raw_text, day, false from kept_rows
        where line_number not in (select line_number from converted)
        """
    )
    n_left, n_changed = fetch_row(con, "select count(*), count(*) filter (is_changed) from left_over")
    accepted = [n for (n,) in con.execute("select line_number from converted where rule is null order by 1").fetchall()]
    n_left_out = fetch_value(con, "select count(*) from converted where rule = ?", [LEFT_OUT])
    if len(accepted) + n_left_out + n_left != batch.rows_quarantined:
        raise RuntimeError(
            f"batch {batch.batch_id}: {batch.rows_quarantined} rows in quarantine became {len(accepted)} accepted + "
            f"{n_left_out} left out + {n_left}"
        )
    return accepted, n_left_out, n_left, n_changed


def _put_part(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    batch: Batch,
    mapping: str,
    accepted: list[int],
    n_left_out: int,
    n_left: int,
    n_erased: int,
) -> None:
    """Write the accepted rows of `converted` and those of `left_over` as a part of the batch."""
    identity = f"{batch.batch_id}:{mapping}:{len(batch.parts)}:{accepted}"
    part = Part(
        part_id=hashlib.sha256(identity.encode()).hexdigest()[:16],
        mapping=mapping,
        loaded_at=datetime.now(UTC).replace(tzinfo=None),
        rows_accepted=len(accepted),
        rows_quarantined=n_left,
        rows_left_out=n_left_out,
        rows_erased=n_erased,
        days=days_of_accepted(con) if batch.entity == "transactions" else (),
    )
    write_part(
        settings,
        batch,
        part,
        lambda path: write_accepted(con, batch, path),
        lambda path: write_refused_rows(
            con, batch, "select line_number, rule, reason, raw_text, day from left_over", path
        ),
    )
