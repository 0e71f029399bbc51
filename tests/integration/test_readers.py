"""BI readers while the real job runs: never a lock, a missing table or two dates in one set."""

import multiprocessing
import time
from datetime import timedelta

import duckdb
import pytest

from tests.integration import shop
from tests.integration.command_line import MARTS, ran

pytestmark = pytest.mark.slow


def read_without_pause(path: str, stop, answers) -> None:
    """Open, look at every table, close, again and again; puts (reads, dates seen, errors)."""
    reads, dates, errors = 0, set(), []
    while not stop.is_set():
        try:
            with duckdb.connect(path, read_only=True) as con:
                names = con.execute("select table_name from duckdb_tables() where schema_name = 'marts'").fetchall()
                seen = set()
                for (name,) in names:
                    seen |= set(con.execute(f"select distinct as_of_date, run_id from marts.{name}").fetchall())
                con.execute("select count(*) from history.churn_scores").fetchone()
            if len(names) != len(MARTS) or len(seen) != 1:
                errors.append(f"{len(names)} tables of {seen}")
            dates |= {str(day) for day, _ in seen}
            reads += 1
        except Exception as error:  # every error is a finding
            errors.append(repr(error))
        time.sleep(0.01)
    answers.put((reads, dates, errors))


@pytest.mark.campaign
def test_readers_see_complete_sets_only(tmp_path):
    yaml = shop.write(tmp_path / "shop", shop.lines(n_customers=60))
    home = tmp_path / "home"
    nights = [shop.AS_OF - timedelta(days=n) for n in (1, 0)]
    ran(home, "--source", str(yaml), "--as-of", str(nights[0]))
    context = multiprocessing.get_context("spawn")
    stop, answers = context.Event(), context.Queue()
    readers = [
        context.Process(
            target=read_without_pause, args=(str(home / "published" / "holdfast.duckdb"), stop, answers), daemon=True
        )
        for _ in range(2)
    ]
    for reader in readers:
        reader.start()
    try:
        ran(home, "--source", str(yaml), "--as-of", str(nights[1]))
        time.sleep(1)
    finally:
        stop.set()
        found = [answers.get(timeout=60) for _ in readers]
        for reader in readers:
            reader.join(30)
    for reads, dates, errors in found:
        assert not errors, errors[:3]
        assert reads > 10
        assert {str(night) for night in nights} == dates
