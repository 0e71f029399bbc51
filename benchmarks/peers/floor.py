"""The floor: a hand-written DuckDB script for the two tables. The least that SQL on this machine can take."""

import os
from datetime import date
from pathlib import Path

import duckdb

from benchmarks.peers import program, sql


def connect(scratch: Path) -> duckdb.DuckDBPyConnection:
    """An empty database file in `scratch`, with the memory limit of the environment: as a user would write it."""
    con = duckdb.connect(str(scratch / "floor.duckdb"))
    con.execute("set preserve_insertion_order = false")
    if limit := os.environ.get("HOLDFAST_MEMORY_LIMIT"):
        con.execute("set memory_limit = ?", [limit])
    return con


def customer_day(con: duckdb.DuckDBPyConnection, landing: Path) -> None:
    """Table customer_day from the landed files."""
    con.read_parquet(program.transactions(landing)).create_view("landed")
    con.execute(f"create view lines as {sql.LINES}")
    con.execute(f"create table customer_day as {sql.CUSTOMER_DAY} order by customer_id, day")


def customer_features(con: duckdb.DuckDBPyConnection, as_of: date) -> None:
    """Table customer_features from customer_day."""
    query = sql.customer_features(sql.duckdb_days, "$as_of::date")
    con.execute(f"create table customer_features as {query}", {"as_of": as_of})


def build(landing: Path, as_of: date, out: Path, watch: program.Stopwatch) -> None:
    with connect(out) as con:
        customer_day(con, landing)
        watch.mark("customer_day")
        customer_features(con, as_of)
        watch.mark("customer_features")
        for table in program.TABLES:
            con.execute(f"copy {table} to '{out / table}.parquet'")


if __name__ == "__main__":
    program.run(build)
