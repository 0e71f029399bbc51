"""What `make parity` runs its nights on: lines are held back, and none is lost."""

from datetime import date

import duckdb

from benchmarks.parity import ONE_IN, hold_back, nights


def test_late_lines_come_in_the_nights_and_none_is_lost(tmp_path):
    days = ("2024-01-08", "2024-01-09")
    for folder in ("landing", *(f"nights/{day}" for day in days)):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "last_date").write_text("2024-01-08\n")
    n = 10 * ONE_IN
    con = duckdb.connect()
    con.execute(f"copy (select i from range({n}) as t (i)) to '{tmp_path}/landing/transactions_1.parquet'")
    hold_back(tmp_path)
    seen = []
    for day in nights(tmp_path):
        counts = f"select count(*), count(distinct i) from '{tmp_path}/landing/*.parquet'"
        seen.append((day, con.execute(counts).fetchone()))
    late = n // ONE_IN
    assert seen == [
        (date(2024, 1, 8), (n - 2 * late, n - 2 * late)),
        (date(2024, 1, 9), (n - late, n - late)),
        (date(2024, 1, 10), (n, n)),
    ]
