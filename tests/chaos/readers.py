"""A BI tool that never rests: opens the published set again and again, or holds it open, and asks each table.

In: the published database. Out: a JSON file with the number of queries, the sets seen, and every error in words.

    python -m tests.chaos.readers HOME OUT.json --hold SECONDS     (0: opens again for each look)
"""

import argparse
import json
import os
import signal
import time
from pathlib import Path

import duckdb

from tests.chaos.state import Mixed, refuse_mixed, tables

#: Between two looks: enough for the job under test to have the core as well.
PAUSE_SECONDS = 0.1


def main() -> None:
    """Read until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--hold", type=float, default=0)
    arguments = parser.parse_args()
    reader = Reader(arguments.home / "published" / "holdfast.duckdb", arguments.hold)
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    written = 0.0
    while not stopped:
        reader.look()
        if time.monotonic() - written > 1:
            reader.write(arguments.out)
            written = time.monotonic()
        time.sleep(PAUSE_SECONDS)
    reader.close()
    reader.write(arguments.out)


class Reader:
    """One reader. `hold`: seconds for which a connection is kept; 0 opens one for each look."""

    def __init__(self, path: Path, hold: float):
        self.path, self.hold = path, hold
        self.con: duckdb.DuckDBPyConnection | None = None
        self.opened = 0.0
        self.set_seen: tuple[str, str] | None = None
        self.queries = self.opens = 0
        self.sets: dict[str, int] = {}
        self.errors: list[str] = []

    def look(self) -> None:
        """Ask every table of the set; every error, and every mixture, is a finding."""
        try:
            if self.con is None:
                self.con = duckdb.connect(str(self.path), read_only=True, config={"threads": 1})
                self.opened, self.set_seen = time.monotonic(), None
                self.opens += 1
            seen = refuse_mixed(self.con)
            if self.set_seen not in (None, seen):
                raise Mixed(f"a connection that is held went from {self.set_seen} to {seen}")
            self.set_seen = seen
            for table in tables(self.con, "marts"):
                self.con.execute(f"select * from marts.{table} limit 3").fetchall()
            self.queries += 3 * len(tables(self.con, "marts"))
            self.sets["{} {}".format(*seen)] = self.sets.get("{} {}".format(*seen), 0) + 1
        except Exception as error:  # whatever it is, a reader must not meet it
            self.errors.append(f"{time.strftime('%H:%M:%S')} {type(error).__name__}: {str(error)[:500]}")
            self.close()
            return
        if time.monotonic() - self.opened >= self.hold:
            self.close()

    def close(self) -> None:
        if self.con is not None:
            self.con.close()
            self.con = None

    def write(self, out: Path) -> None:
        beside = out.with_suffix(f".{os.getpid()}.tmp")
        beside.write_text(
            json.dumps(
                {
                    "queries": self.queries,
                    "opens": self.opens,
                    "sets": len(self.sets),
                    "errors": self.errors[:50],
                    "n_errors": len(self.errors),
                }
            )
        )
        beside.replace(out)


if __name__ == "__main__":
    main()
