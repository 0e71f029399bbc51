"""The engine that files are landed with: in memory, apart from the warehouse, which stays closed meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb

from assets.shared.settings import Settings
from assets.shared.warehouse import configure


@contextmanager
def landing_connection(settings: Settings | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own, spilling into the home folder where there is one."""
    con = duckdb.connect()
    try:
        if settings is not None:
            configure(con, settings)
            # The engine makes the last folder only, and only when memory runs out.
            settings.raw.mkdir(parents=True, exist_ok=True)
            con.execute("set temp_directory = ?", [str(settings.raw / ".spill")])
        con.execute("set TimeZone = 'UTC'")
        # Landing a large file takes seconds; the engine's own bar would run through whatever we print.
        con.execute("set enable_progress_bar = false")
        yield con
    finally:
        con.close()
