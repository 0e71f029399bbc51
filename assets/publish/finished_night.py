"""May this night be published? Its verdict, and whether the marts are still those that the verdict is about.

In: the working warehouse (or a blocked set that is attached), the night, the declared marts. Out: the verdict, and
UserErrors for marts that are missing, rebuilt since, or hold personal columns. What follows from a verdict does not
belong here.
"""

from dataclasses import dataclass

import duckdb

from assets.publish.history_files import COMMIT_TABLE
from assets.publish.marts import Marts
from assets.publish.release_ledger import SetId
from assets.shared.commands import command
from assets.shared.errors import UserError
from assets.shared.quoting import quoted
from assets.shared.warehouse import fetch_row


@dataclass(frozen=True)
class NightVerdict:
    """What validation said of a night. `page` is None where it wrote none."""

    passed: bool
    reason: str
    page: str | None


def verdict_on(con: duckdb.DuckDBPyConnection, night: SetId) -> NightVerdict:
    """The newest verdict on this night. Raises UserError when there is none."""
    try:
        found = con.execute(
            "select * from validate.verdicts where as_of_date = ? and run_id = ? order by decided_at desc limit 1",
            [night.as_of_date, night.run_id],
        )
        names, row = [column[0] for column in found.description], found.fetchone()
    except duckdb.CatalogException:
        names, row = [], None
    if row is None:
        raise UserError(
            f"the marts as of {night.as_of_date} made by run {night.run_id} have not been validated",
            f"run the whole job for that date: {command('run', '--as-of', night.as_of_date)}",
        )
    verdict = dict(zip(names, row, strict=True))
    return NightVerdict(verdict["passed"], verdict["reason"], verdict.get("page"))


def refuse_incomplete(con: duckdb.DuckDBPyConnection, night: SetId, marts: Marts, verdict: NightVerdict) -> None:
    """Raise UserError when a mart is missing or of another night; it says too what a failed verdict was about."""
    remedy = f"run the whole job for that date again: {command('run', '--as-of', night.as_of_date)}"
    also = "" if verdict.passed else f"; validation also said: {verdict.reason}"
    if missing := sorted(set(marts.tables) - present_marts(con)):
        raise UserError(f"marts are missing in the working warehouse: {', '.join(missing)}{also}", remedy)
    for table in marts.tables:
        n_strange, n_rows = fetch_row(
            con,
            "select count(*) filter (where as_of_date is distinct from $1 or run_id is distinct from $2), count(*)"
            f" from marts.{quoted(table)}",
            [night.as_of_date, night.run_id],
        )
        if n_strange or (table == COMMIT_TABLE and n_rows != 1):
            raise UserError(
                f"marts.{table} holds rows of another date or run than {night.as_of_date}, {night.run_id}: it was"
                f" rebuilt since the verdict{also}",
                remedy,
            )


def refuse_personal(con: duckdb.DuckDBPyConnection, marts: Marts, catalog: str = "") -> None:
    """Raise UserError when a mart (of another database: `catalog`) has a column that must never be published."""
    forbidden = {name.lower() for name in marts.forbidden_columns}
    found = [
        f"{table}.{column}"
        for table, column in con.execute(
            "select table_name, column_name from duckdb_columns()"
            " where database_name = coalesce(nullif(?, ''), current_database()) and schema_name = 'marts' order by all",
            [catalog],
        ).fetchall()
        if table in marts.tables and column.lower() in forbidden
    ]
    if found:
        raise UserError(
            f"personal data would be published: {', '.join(found)}",
            "remove these columns from the marts; readers keep the last complete set",
        )


def present_marts(con: duckdb.DuckDBPyConnection, catalog: str = "") -> set[str]:
    """Names of the tables and views in schema `marts` of the working warehouse, or of another database."""
    rows = con.execute(
        "select table_name from information_schema.tables"
        " where table_catalog = coalesce(nullif(?, ''), current_database()) and table_schema = 'marts'",
        [catalog],
    ).fetchall()
    return {name for (name,) in rows}
