"""What the night planned, kept for the nights that follow.

In: `actions.contact_plan`. Out: the ledger file of the date (`shared.plan_ledger` has its form and its versions). How
later nights read it does not belong here (stage ledgers).
"""

from datetime import date
from pathlib import Path

import duckdb

from assets.shared.plan_ledger import ledger_columns, replace_plan


def write_plan(con: duckdb.DuckDBPyConnection, folder: Path, as_of_date: date) -> Path:
    """Write the contact and holdout rows of `actions.contact_plan` as the ledger file of `as_of_date` in `folder`."""
    columns = ", ".join(f"cast({name} as {kind}) as {name}" for name, kind in ledger_columns().items())
    rows = con.sql(
        f"""
        select {columns} from actions.contact_plan
        where decision in ('contact', 'holdout')
        order by customer_id, action_id
        """
    ).to_arrow_table()
    return replace_plan(rows, folder, as_of_date)
