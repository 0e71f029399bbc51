"""Which days of `features.customer_day` must be recomputed, and that they have been.

In: the deliveries selected now (`ingest.batch_days`: batches, and rows re-driven into them) and those that the table
already reflects. Out:
`ingest.changed_days` for the incremental models. A batch that came, went or was replaced re-opens exactly the
days it touches, so nothing depends on the order in which batches arrived. Lines of other days are read by nobody.
"""

import duckdb

from assets.shared.warehouse import fetch_value

#: Tables that hold days, computed anew only where a day is changed.
BY_CHANGED_DAYS = ("features.customer_day", "staging.transaction_days")

#: (batch_id, code): the batches that customer_day reflects, and the fingerprint of the SQL that made it.
_STATE = "create table if not exists features.customer_day_state (batch_id text, code text)"


def plan_changed_days(con: duckdb.DuckDBPyConnection, code: str) -> bool:
    """Write `ingest.changed_days` (day). Returns True when everything must be rebuilt, and then all days are changed:
    a table that lives by changed days does not exist, or the SQL behind them (`code`, a fingerprint) has changed."""
    con.execute("create schema if not exists features")
    con.execute(_STATE)
    stale = fetch_value(con, "select count(*) from features.customer_day_state where code <> ?", [code])
    # The state stays until the rebuild has succeeded: a run that dies in between must find the same reason again.
    rebuild = not has_tables(con) or stale > 0
    # Days of a batch that is gone are not in batch_days any more: they are read from the kept copy.
    con.execute("create table if not exists features.customer_day_batch_days (batch_id text, day date)")
    con.execute(
        """
        create or replace table ingest.changed_days as
        with applied as (select batch_id from features.customer_day_state),
        come as (select distinct day from ingest.batch_days where batch_id not in (select batch_id from applied)),
        gone as (
            select distinct day from features.customer_day_batch_days
            where batch_id in (select batch_id from applied)
              and batch_id not in (select batch_id from ingest.batch_days)
        )
        select day from come union select day from gone
        union select day from ingest.batch_days where $rebuild
        """,
        {"rebuild": rebuild},
    )
    return bool(rebuild)


def has_tables(con: duckdb.DuckDBPyConnection) -> bool:
    """Whether every table that holds days is there."""
    present = fetch_value(
        con,
        "select count(*) from duckdb_tables() where database_name = current_database()"
        " and schema_name || '.' || table_name in (select unnest(?))",
        [list(BY_CHANGED_DAYS)],
    )
    return present == len(BY_CHANGED_DAYS)


def mark_applied(con: duckdb.DuckDBPyConnection, code: str) -> None:
    """Record that customer_day reflects the batches selected now. Called after dbt has built these days and their
    tests have passed: those look at changed days only, so a day that fails must stay touched until it passes. A run
    that dies before it only recomputes the same days once more."""
    con.execute("begin")
    con.execute("delete from features.customer_day_state")
    con.execute(
        "insert into features.customer_day_state select distinct batch_id, ? from ingest.batch_days",
        [code],
    )
    con.execute(
        "create or replace table features.customer_day_batch_days as select batch_id, day from ingest.batch_days"
    )
    con.execute("commit")
