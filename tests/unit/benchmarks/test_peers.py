"""The peers of the benchmark make the same tables, and the comparison finds it when they do not."""

from datetime import date

import duckdb
import pytest

from benchmarks.peers import floor, pandas, program
from benchmarks.peers.equality import differences

AS_OF = date(2021, 6, 1)

#: Lines of forty customers over half a year, with returns, days of returns alone, lines without category or channel.
LINES = """
copy (
    select
        (hash(i) % 40)::bigint as customer_id,
        (i // 3)::bigint as order_id,
        i % 3 as line_id,
        timestamp '2021-01-01' + to_hours((hash(i // 3) % 3600)::int) as occurred_at,
        (1 + hash(i, 1) % 2000 / 100)::decimal(12, 2) as amount,
        if(hash(i, 2) % 15 = 0, -1, 1 + hash(i, 3) % 3)::smallint as quantity,
        if(hash(i, 4) % 4 = 0, 0.5, 0)::decimal(12, 2) as discount_amount,
        if(hash(i, 5) % 9 = 0, null, 'c' || hash(i, 6) % 5) as category,
        if(hash(i // 3, 7) % 9 = 0, null, ['web', 'shop'][1 + (hash(i // 3, 8) % 2)::int]) as channel
    from range(3000) as r(i)
) to '{path}'
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Tables of the floor (in `con`), and a folder with what each peer made."""
    landing, out = tmp_path_factory.mktemp("landing"), tmp_path_factory.mktemp("out")
    duckdb.execute(LINES.format(path=landing / "transactions_1.parquet")).fetchall()
    floor.build(landing, AS_OF, out / "floor", _watch(out / "floor"))
    return landing, out


def _watch(folder):
    folder.mkdir(parents=True, exist_ok=True)
    return program.Stopwatch()


def _differences(out, peer: str) -> dict[str, dict[str, int]]:
    found = {}
    with duckdb.connect() as con:
        for table in program.TABLES:
            for name in ("floor", peer):
                con.read_parquet(str(out / name / f"{table}.parquet")).create_view(f"{name}_{table}")
            found[table] = differences(con, table, f"floor_{table}", f"{peer}_{table}")
    return found


@pytest.mark.parametrize("peer", ["pandas", "polars"])
def test_a_peer_makes_the_same_tables(made, peer):
    landing, out = made
    if peer == "polars":
        pytest.importorskip("polars", reason="polars is in requirements-bench.lock only")
        from benchmarks.peers import polars as program_of_peer
    else:
        program_of_peer = pandas
    program_of_peer.build(landing, AS_OF, out / peer, _watch(out / peer))
    assert _differences(out, peer) == {"customer_day": {}, "customer_features": {}}


def test_a_difference_is_found_and_named(made):
    _, out = made
    (out / "other").mkdir()
    with duckdb.connect() as con:
        for table, change in (
            ("customer_day", "n_categories + (customer_id = 7)::int as n_categories"),
            ("customer_features", "if(customer_id = 7, null, gap_cv) as gap_cv"),
        ):
            path = out / "floor" / f"{table}.parquet"
            con.execute(
                f"copy (select * replace ({change}) from '{path}' where customer_id <> 9)"
                f" to '{out / 'other' / table}.parquet'"
            )
        days = con.execute(f"select count(*) from '{out / 'floor' / 'customer_day.parquet'}' where customer_id = 7")
        n_days = days.fetchall()[0][0]
    found = _differences(out, "other")
    assert found["customer_day"].pop("missing") >= 1
    assert found["customer_features"].pop("missing") == 1
    # The customer that is missing differs in every measure; the changed cells stand out by their number.
    missing = found["customer_day"]["n_orders"]
    assert found["customer_day"]["n_categories"] == missing + n_days
    assert found["customer_features"]["gap_cv"] == found["customer_features"]["n_orders"] + 1
