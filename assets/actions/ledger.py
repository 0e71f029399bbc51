"""What the night planned, kept for the nights that follow.

In: `actions.contact_plan`, the options of its candidates. Out: the ledger files of the date, of the plan
(`shared.plan_ledger` has its form and its versions) and of who was a candidate. How later nights read them does not
belong here (stage ledgers).
"""

from datetime import date
from pathlib import Path

import duckdb

from assets.shared.plan_ledger import (
    files_before,
    flagged_folder,
    ledger_columns,
    ledger_file,
    replace_parquet,
    replace_plan,
)


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


def write_flagged(con: duckdb.DuckDBPyConnection, ledgers: Path, as_of_date: date) -> Path:
    """Write who was a candidate for what on `as_of_date`, and whether some channel reached them, but for those of whom
    an earlier night of the month said so already: the funnel counts a customer once a month."""
    folder = flagged_folder(ledgers)
    folder.mkdir(parents=True, exist_ok=True)
    con.execute(
        "create or replace temp table flagged_before (customer_id varchar, action_id varchar, is_reachable bool)"
    )
    month = as_of_date.replace(day=1)
    if files := [path for path in files_before(folder, as_of_date) if date.fromisoformat(path.stem) >= month]:
        con.execute(
            "insert into flagged_before select customer_id, action_id, bool_or(is_reachable) from read_parquet(?)"
            " group by all",
            [[str(path) for path in files]],
        )
    rows = con.sql(
        """
        with tonight as (
            select
                candidates.customer_id,
                candidates.action_id,
                bool_or(options.is_consented and options.is_reachable) as is_reachable
            from candidates.candidates as candidates
            inner join candidates.contact_options as options on candidates.candidate_id = options.candidate_id
            group by all
        )

        select cast($as_of as date) as as_of_date, tonight.*
        from tonight
        left join flagged_before using (customer_id, action_id)
        where flagged_before.customer_id is null or (tonight.is_reachable and not flagged_before.is_reachable)
        order by customer_id, action_id
        """,
        params={"as_of": as_of_date},
    ).to_arrow_table()
    con.execute("drop table flagged_before")
    replace_parquet(rows, ledger_file(folder, as_of_date))
    return ledger_file(folder, as_of_date)
