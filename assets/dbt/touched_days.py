"""Which days of `features.customer_day` must be recomputed, and that they have been.

In: the batches selected now (`ingest.batches`) and those that the table already reflects. Out:
`ingest.touched_days` for the incremental model. A batch that came, went or was replaced re-opens exactly the
days it touches, so nothing depends on the order in which batches arrived.
"""

import duckdb

#: (batch_id, code): the batches that customer_day reflects, and the fingerprint of the SQL that made it.
_STATE = "create table if not exists features.customer_day_state (batch_id text, code text)"


def plan(con: duckdb.DuckDBPyConnection, code: str) -> bool:
    """Write `ingest.touched_days` (day). Returns True when the whole table must be rebuilt: it does not exist, or
    the SQL behind it (`code`, a fingerprint) has changed."""
    con.execute("create schema if not exists features")
    con.execute(_STATE)
    exists = con.execute(
        "select count(*) from duckdb_tables() where schema_name = 'features' and table_name = 'customer_day'"
    ).fetchone()[0]
    stale = con.execute("select count(*) from features.customer_day_state where code <> ?", [code]).fetchone()[0]
    # The state stays until the rebuild has succeeded: a run that dies in between must find the same reason again.
    rebuild = not exists or stale > 0
    # Days of a batch that is gone are not in batch_days any more: they are read from the kept copy.
    con.execute("create table if not exists features.customer_day_batch_days (batch_id text, day date)")
    con.execute(
        """
        create or replace table ingest.touched_days as
        with applied as (select batch_id from features.customer_day_state),
        come as (select distinct day from ingest.batch_days where batch_id not in (select batch_id from applied)),
        gone as (
            select distinct day from features.customer_day_batch_days
            where batch_id in (select batch_id from applied)
              and batch_id not in (select batch_id from ingest.batches)
        )
        select day from come union select day from gone
        """
    )
    return bool(rebuild)


def mark_applied(con: duckdb.DuckDBPyConnection, code: str) -> None:
    """Record that customer_day reflects the batches selected now. Called after dbt has succeeded; a run that dies
    before it only recomputes the same days once more."""
    con.execute("begin")
    con.execute("delete from features.customer_day_state")
    con.execute(
        "insert into features.customer_day_state select batch_id, ? from ingest.batches where entity = 'transactions'",
        [code],
    )
    con.execute(
        "create or replace table features.customer_day_batch_days as select batch_id, day from ingest.batch_days"
    )
    con.execute("commit")
