"""One night of stage identity: evidence, what it changes, the record, and the tables that show it.

In: schemas `ingest` and `personal`, `person_links.csv`, the record of earlier nights. Out: schema `identity`. Where no
source says `identity: match`, nothing is compared and nothing kept: `identity.id_changes` is what alias tables say.
"""

import json
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb

from assets.identity.evidence import find_evidence
from assets.identity.links import Link
from assets.identity.persons import write_changes, write_state_tables
from assets.identity.record import COLUMNS, is_past, load_record, load_state, made_with, write_night
from assets.shared.plan_ledger import identity_folder
from assets.shared.warehouse import fetch_value

#: Raise it when pairs are judged by other rules: all are judged anew then.
_RULES = 1


def build_identity(
    con: duckdb.DuckDBPyConnection,
    links: Sequence[Link],
    as_of_date: date,
    ledgers: Path,
    max_records: int,
    max_accounts: int,
) -> dict[str, int]:
    """Write the tables of schema `identity` as of a date, and the night's file of the record. Returns counts."""
    con.execute("create schema if not exists identity")
    folder = identity_folder(ledgers)
    if not fetch_value(con, "select coalesce(bool_or(is_matched), false) from ingest.source_status"):
        con.execute(f"create or replace temp table identity_record ({COLUMNS})")
        load_state(con)
        write_state_tables(con)
        return {}
    counts: dict[str, int] = {}
    if is_past(folder, as_of_date):
        # Known as of then: what later nights found is not in it.
        load_record(con, folder, as_of_date + timedelta(1))
    else:
        load_record(con, folder, as_of_date)
        load_state(con)
        counts = find_evidence(con, max_records)
        _load_links(con, links)
        made = json.dumps({"rules": _RULES, "max_accounts": max_accounts})
        everything = made_with(con, folder, as_of_date) not in (None, made)
        counts["looked_at"] = write_changes(con, as_of_date, max_accounts, everything)
        write_night(con, folder, as_of_date, made)
        con.execute("insert into identity_record by name select * from identity_changes")
        con.execute("drop table identity_changes; drop table found_records; drop table found_edges; drop table links")
    load_state(con)
    write_state_tables(con)
    return counts


def _load_links(con: duckdb.DuckDBPyConnection, links: Sequence[Link]) -> None:
    """Temp table `links` (customer_id, other_customer_id, kind), under the ids of now."""
    con.execute("create or replace temp table links (customer_id varchar, other_customer_id varchar, kind varchar)")
    if links:
        con.executemany(
            "insert into links values (?, ?, ?)", [(n.customer_id, n.other_customer_id, n.kind) for n in links]
        )
    con.execute(
        """
        create or replace temp table links as
        select distinct
            least(coalesce(one.customer_id, links.customer_id), coalesce(other.customer_id, links.other_customer_id))
                as customer_id,
            greatest(coalesce(one.customer_id, links.customer_id), coalesce(other.customer_id, links.other_customer_id))
                as other_customer_id,
            links.kind
        from links
        left join ingest.id_changes as one on links.customer_id = one.old_customer_id
        left join ingest.id_changes as other on links.other_customer_id = other.old_customer_id
        """
    )
    con.execute("delete from links where customer_id = other_customer_id")
