"""What earlier nights planned, as a table that the models of stage candidates read.

In: the ledgers of plans, candidates and exports, one file a date each, and which ids stand for others now. Out:
`ledgers.past_plans` and `ledgers.past_flagged`, of the ids of now. Whether a plan was carried out is not said here.
"""

from datetime import date
from pathlib import Path

import duckdb

from assets.shared.export_ledger import exports_folder
from assets.shared.plan_ledger import files_before, flagged_folder, ledger_columns
from assets.shared.tables import declared_table
from assets.shared.warehouse import count_rows


def build_past_plans(con: duckdb.DuckDBPyConnection, as_of_date: date, ledgers: Path) -> int:
    """Write `ledgers.past_plans`: the rows of all ledger files of dates before `as_of_date`. Returns their number.

    Files of the date itself and of later ones are not read, so that a plan made again finds what it found the first
    time.
    """
    table = declared_table("ledgers.past_plans")
    con.execute("create schema if not exists ledgers")
    con.execute(f"create or replace table ledgers.past_plans ({table.column_list})")
    files = files_before(ledgers / "plan", as_of_date)
    if files:
        read = "from read_parquet(?, union_by_name = true)"
        paths = [[str(path) for path in files]]
        # A column that came later is empty in the files of before.
        known = {name for name, *_ in con.execute(f"describe {read}", paths).fetchall()}
        columns = ", ".join(
            f"coalesce(changes.customer_id, plans.{name}) as {name}" if name == "customer_id" else f"plans.{name}"
            for name in ledger_columns()
            if name in known
        )
        first_export = _load_exported(con, ledgers, as_of_date)
        # Before the first export of a home the plan itself was what people worked from.
        con.execute(
            f"""
            insert into ledgers.past_plans by name
            select
                {columns},
                case when plans.as_of_date >= ? then exported.customer_id is not null end as is_exported
            {read} as plans
            left join identity.id_changes as changes on plans.customer_id = changes.old_customer_id
            left join exported
                on plans.as_of_date = exported.as_of_date and plans.customer_id = exported.customer_id
            """,
            [first_export, *paths],
        )
        con.execute("drop table exported")
    return count_rows(con, table.name)


def build_past_flagged(con: duckdb.DuckDBPyConnection, as_of_date: date, ledgers: Path) -> int:
    """Write `ledgers.past_flagged`: candidates of dates before `as_of_date`, from the first of the month a year ago.
    Returns their number."""
    table = declared_table("ledgers.past_flagged")
    con.execute(f"create or replace table ledgers.past_flagged ({table.column_list})")
    first = as_of_date.replace(year=as_of_date.year - 1, day=1)
    files = [
        path for path in files_before(flagged_folder(ledgers), as_of_date) if date.fromisoformat(path.stem) >= first
    ]
    if files:
        con.execute(
            """
            insert into ledgers.past_flagged by name
            select flagged.* replace (coalesce(changes.customer_id, flagged.customer_id) as customer_id)
            from read_parquet(?) as flagged
            left join identity.id_changes as changes on flagged.customer_id = changes.old_customer_id
            """,
            [[str(path) for path in files]],
        )
    return count_rows(con, table.name)


def _load_exported(con: duckdb.DuckDBPyConnection, ledgers: Path, as_of_date: date) -> date:
    """Temp table `exported` (as_of_date, customer_id), under the ids of then: a contact that was exported and planned
    anew by a later run of its date is under way all the same. Returns the first night that was exported."""
    files = files_before(exports_folder(ledgers), as_of_date)
    con.execute("create or replace temp table exported (as_of_date date, customer_id varchar)")
    if not files:
        return date.max
    con.execute(
        "insert into exported select distinct as_of_date, customer_id from read_parquet(?)",
        [[str(path) for path in files]],
    )
    return date.fromisoformat(files[0].stem)
