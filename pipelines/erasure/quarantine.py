"""Rows that left the quarantine for good count as left out, so that the rows of a file still add up.

In: a home whose quarantine was rewritten. Out: the facts of its batches.
"""

import json
from pathlib import Path

import duckdb

from assets.ingest.batch_files import QUARANTINED
from assets.ingest.batches import current_quarantine_file, read_all_batches
from assets.shared.files import write_whole
from assets.shared.quoting import literal
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_value


def write_empty_quarantine(path: Path) -> None:
    """A quarantine of no rows."""
    nulls = ", ".join(f"cast(null as {column.split()[1]}) as {column.split()[0]}" for column in QUARANTINED.split(", "))
    with duckdb.connect() as con:
        con.execute(f"copy (select {nulls} where false) to {literal(path)} (format parquet, compression zstd)")
    path.chmod(0o600)


def count_quarantine(settings: Settings, also: tuple[str, ...] = ()) -> None:
    """Say of each batch how many of its rows left the quarantine: they count as left out, and in the fields `also`.
    Read from the files, so that it can be repeated."""
    sources = [path.name for path in settings.raw.glob("*") if path.is_dir()]
    for batch in read_all_batches(settings, sources):
        if not batch.rows_quarantined:
            continue
        path = current_quarantine_file(settings, batch)
        with duckdb.connect() as con:
            n_gone = batch.rows_quarantined - fetch_value(con, "select count(*) from read_parquet(?)", [str(path)])
        if n_gone:
            folder = settings.raw / batch.source / batch.entity / batch.batch_id
            place = folder / "batch.json"
            if batch.parts:
                place = folder / "redriven" / batch.parts[-1].part_id / "part.json"
            facts = json.loads(place.read_text(encoding="utf-8"))
            facts["rows_quarantined"] -= n_gone
            for name in ("rows_left_out", *also):
                facts[name] = facts.get(name, 0) + n_gone
            write_whole(place, json.dumps(facts, indent=1))
