"""A published set of a test's own making: Parquet files of its history, and the set that lists them."""

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import duckdb

from assets.shared.files import replace_link
from assets.shared.published_history import DATABASE, ActiveFiles, shown_contents, write_contents
from assets.shared.settings import Settings


def publish_tables(settings: Settings, day: date, tables: Mapping[str, str], con=None, run_id: str = "run") -> Path:
    """Publish `tables` (name to SQL of its rows, on `con`) as of `day` next to what was published before. Returns the
    folder of the set; its database is empty."""
    con = con or duckdb.connect()
    before = shown_contents(settings)
    files: ActiveFiles = {} if before is None else {table: dict(dates) for table, dates in before.files.items()}
    for table, sql in tables.items():
        folder = settings.published / "history" / table
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{day}--{run_id}.parquet"
        con.execute(f"copy ({sql}) to '{folder / name}' (format parquet)")
        files.setdefault(table, {})[day] = name
    made = settings.published / "sets" / f"{day}--{run_id}"
    made.mkdir(parents=True, exist_ok=True)
    duckdb.connect(str(made / DATABASE)).close()
    write_contents(made, day, run_id, files)
    replace_link(settings.published_db, made / DATABASE)
    return made
