"""A working warehouse with three small marts and a verdict, and what a reader of the published file sees.

Run as a script it publishes one set, and kills itself without warning before the step named on the command line.
"""

import os
import signal
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb

from assets.publish.marts import Mart, Marts
from assets.publish.publication import publish_night
from assets.publish.published_set import PublishReport
from assets.publish.release_ledger import SetId
from assets.shared.settings import Settings

MARTS = Marts(
    {
        "customers": Mart(
            ["customer_id"],
            "It's one row a customer.",
            {"customer_id": "As the source wrote it.", "absent": "ignored"},
        ),
        "daily": Mart(["day", "customer_id"]),
        "run_manifest": Mart(["as_of_date"]),
    }
)


def settings_of(home: Path) -> Settings:
    home.mkdir(parents=True, exist_ok=True)
    return Settings(home=home, sources=("toy",))


def make_marts(settings: Settings, as_of: date, run_id: str, passed: bool = True, n: int = 50, extra: str = "") -> None:
    """Marts as of `as_of` whose values show which run made them; customers arrive in reverse order."""
    stamp = f"date '{as_of}' as as_of_date, '{run_id}' as run_id"
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create schema if not exists marts; create schema if not exists validate")
        con.execute(
            f"create or replace table marts.customers as select {stamp}, lpad(cast({n} - i as varchar), 6, '0')"
            f" as customer_id, '{run_id}' as made_by{extra} from range({n}) as t(i)"
        )
        con.execute(
            f"create or replace view marts.daily as select {stamp}, customer_id, date '2017-01-01' + cast(d as int)"
            " as day from marts.customers, range(3) as t(d)"
        )
        con.execute(
            f"create or replace table marts.run_manifest as select {stamp}, '{'passed' if passed else 'failed'}' as"
            " verdict, null::varchar as released_by, null::timestamp as released_at, null::varchar as release_reason"
        )
        con.execute(
            "create table if not exists validate.verdicts (as_of_date date, run_id varchar, passed boolean,"
            " reason varchar, page varchar, decided_at timestamp)"
        )
        con.execute("delete from validate.verdicts where as_of_date = ? and run_id = ?", [as_of, run_id])
        con.execute(
            "insert into validate.verdicts values (?, ?, ?, ?, ?, now()::timestamp)",
            [
                as_of,
                run_id,
                passed,
                "All checks passed." if passed else "marts.customers row_count: too few.",
                None if passed else "# The page\n\nRows: customer_id=000001\n",
            ],
        )


def publish_toy(home: Path, as_of: date, run_id: str, forbidden_columns=(), **options) -> PublishReport:
    marts = replace(MARTS, forbidden_columns=forbidden_columns)
    return publish_night(settings_of(home), SetId(as_of, run_id), marts, **options)


def make_and_publish(home: Path, as_of: date, run_id: str, **options) -> PublishReport:
    make_marts(settings_of(home), as_of, run_id)
    return publish_toy(home, as_of, run_id, **options)


def read(home: Path, sql: str) -> list[tuple]:
    """What a BI tool sees: opens the published file read-only, asks, closes."""
    with duckdb.connect(str(settings_of(home).published_db), read_only=True) as con:
        return con.execute(sql).fetchall()


def complete_sets(home: Path) -> set[tuple]:
    """The distinct (as_of_date, run_id) over all current tables, and the customers' rows."""
    return set(
        read(
            home,
            "select as_of_date, run_id, 50 from marts.run_manifest"
            " union all select as_of_date, run_id, count(*) from marts.customers group by all"
            " union all select as_of_date, run_id, count(*) // 3 from marts.daily group by all",
        )
    )


if __name__ == "__main__":
    folder, day, run, fatal_step = sys.argv[1:]

    def die_at(step: str) -> None:
        if step == fatal_step:
            os.kill(os.getpid(), signal.SIGKILL)

    make_and_publish(Path(folder), date.fromisoformat(day), run, on_step=die_at)
