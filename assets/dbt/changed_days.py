"""Which days of the tables of days must be recomputed, and that they have been.

In: the deliveries selected now (`ingest.batch_days`: batches, and rows re-driven into them), the ids that changed
(`identity.id_changes`), and those that each table already reflects. Out: `platform.changed_days` for the incremental
models. A batch that came, went or was replaced re-opens exactly the days it touches, so nothing depends on the order in
which batches arrived; an id that is another one from now on re-opens the days on which its customer bought. Lines of
other days are read by nobody.
"""

from collections.abc import Collection

import duckdb

from assets.shared.warehouse import fetch_value

#: The table whose days depend on who a customer is.
OF_CUSTOMERS = "features.customer_day"
#: Tables that hold days, or months of days, computed again only where a day is changed.
BY_CHANGED_DAYS = (OF_CUSTOMERS, "features.customer_category_month", "staging.transaction_days")

#: The batches that each table reflects with the fingerprint of the SQL that made it, the days these batches had, and
#: the ids that `OF_CUSTOMERS` shows in the place of earlier ones.
_STATE = """
create schema if not exists platform;
create table if not exists platform.applied_batches (table_name text, batch_id text, code text);
create table if not exists platform.applied_batch_days (table_name text, batch_id text, day date);
create table if not exists platform.applied_id_changes (old_customer_id text, customer_id text)
"""

#: Days of customers whose lines get another id: the rows are found under the id that they were built with.
_OF_CHANGED_IDS = f"""
select distinct days.day
from {OF_CUSTOMERS} as days
inner join (
    select coalesce(applied.customer_id, changes.old_customer_id) as customer_id
    from identity.id_changes as changes
    full join platform.applied_id_changes as applied on changes.old_customer_id = applied.old_customer_id
    where changes.customer_id is distinct from applied.customer_id
) as changed on days.customer_id = changed.customer_id
"""


def plan_changed_days(
    con: duckdb.DuckDBPyConnection,
    code: str,
    tables: Collection[str] = BY_CHANGED_DAYS,
    are_there: bool | None = None,
) -> bool:
    """Write `platform.changed_days` (day): the days that changed since any of `tables` was last built, because stages
    may run one at a time. Returns True when everything must be rebuilt, and then all days are changed: one of the
    tables does not exist, or the SQL behind them (`code`, a fingerprint) has changed. `are_there`: whether they exist,
    where they are not tables of the warehouse."""
    con.execute(_STATE)
    stale = fetch_value(
        con,
        "select count(*) from platform.applied_batches where code <> $1 and table_name in (select unnest($2))",
        [code, list(tables)],
    )
    # The state stays until the rebuild has succeeded: a run that dies in between must find the same reason again.
    rebuild = not (has_tables(con, tables) if are_there is None else are_there) or stale > 0
    of_changed_ids = f"union {_OF_CHANGED_IDS}" if OF_CUSTOMERS in tables and not rebuild else ""
    # Days of a batch that is gone are not in batch_days any more: they are read from the kept copy.
    con.execute(
        f"""
        create or replace table platform.changed_days as
        with built as (select unnest($tables) as table_name),
        come as (
            select distinct batch_days.day from ingest.batch_days as batch_days cross join built
            where not exists (
                select 1 from platform.applied_batches as applied
                where applied.table_name = built.table_name and applied.batch_id = batch_days.batch_id
            )
        ),
        gone as (
            select distinct day from platform.applied_batch_days
            where table_name in (select table_name from built)
              and batch_id not in (select batch_id from ingest.batch_days)
        )
        select day from come union select day from gone
        union select day from ingest.batch_days where $rebuild
        {of_changed_ids}
        """,
        {"rebuild": rebuild, "tables": list(tables)},
    )
    return bool(rebuild)


def has_tables(con: duckdb.DuckDBPyConnection, tables: Collection[str] = BY_CHANGED_DAYS) -> bool:
    """Whether each of `tables` is there."""
    present = fetch_value(
        con,
        "select count(*) from duckdb_tables() where database_name = current_database()"
        " and schema_name || '.' || table_name in (select unnest(?))",
        [list(tables)],
    )
    return present == len(tables)


def mark_applied(con: duckdb.DuckDBPyConnection, code: str, tables: Collection[str] = BY_CHANGED_DAYS) -> None:
    """Record that `tables` reflect the batches selected now. Called after dbt has built these days and their tests have
    passed: those look at changed days only, so a day that fails must stay touched until it passes. A run that dies
    before it only recomputes the same days once more."""
    con.execute("begin")
    for state in ("applied_batches", "applied_batch_days"):
        con.execute(f"delete from platform.{state} where table_name in (select unnest(?))", [list(tables)])
    con.execute(
        "insert into platform.applied_batches select distinct unnest($1), batch_id, $2 from ingest.batch_days",
        [list(tables), code],
    )
    con.execute(
        "insert into platform.applied_batch_days select unnest($1), batch_id, day from ingest.batch_days",
        [list(tables)],
    )
    if OF_CUSTOMERS in tables:
        con.execute("delete from platform.applied_id_changes")
        con.execute(
            "insert into platform.applied_id_changes select old_customer_id, customer_id from identity.id_changes"
        )
    con.execute("commit")
