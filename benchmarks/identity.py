"""How well, and how fast, accounts of one person are found.

In: the accounts of a simulated business with its truth, or as many synthetic accounts as asked for. Out: precision and
recall over pairs of accounts, and seconds of a night. `rough` makes the accounts as they are in practice: numbers and
names in another writing, households with one phone or mailbox, the shop's own number, dates of birth that are missing.

    python -m benchmarks.identity --simulated FOLDER     # of `holdfast simulate`
    python -m benchmarks.identity --accounts 2000000 --new 20000
"""

import argparse
import json
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import duckdb

from assets.identity.night import build_identity

DAY = date(2024, 9, 1)

#: Parameters as they are by default.
MAX_SHARED, MAX_ACCOUNTS = 4, 8

_SCHEMA = """
create schema ingest; create schema personal;
create table ingest.source_status as select 'shop' as source, true as is_matched;
create table ingest.batches as select 'b1' as batch_id, timestamp '2024-01-01' as loaded_at;
create table ingest.transactions (customer_id varchar, occurred_at timestamp);
create table ingest.id_changes (
    old_customer_id varchar, customer_id varchar, next_customer_id varchar, valid_from date, is_first_id boolean,
    is_circular boolean, source varchar, batch_id varchar
);
create table personal.customers (
    customer_id varchar, email varchar, phone varchar, birth_date date, full_name varchar, loyalty_number varchar,
    national_id varchar, source varchar default 'shop', batch_id varchar default 'b1'
)
"""

#: Of the accounts as delivered, by a hash of the id: every account in its own way, the same each time.
_ROUGH = """
select
    customer_id,
    case when hash(customer_id, 'mail') % 100 < 20 then upper(email) else email end as email,
    case
        -- A household has one number, the shop gives its own where somebody says none.
        when hash(customer_id, 'home') % 100 < 6 then '+99 7' || lpad(cast(customer_id::bigint // 3 as varchar), 8, '0')
        when hash(customer_id, 'shop') % 100 < 2 then '+99 300000001'
        when hash(customer_id, 'form') % 100 < 30 then '0' || substr(phone, 5)
        else phone
    end as phone,
    case when hash(customer_id, 'born') % 100 < 15 then null else birth_date end as birth_date,
    case
        when hash(customer_id, 'name') % 100 < 10
            then split_part(full_name, ' ', 2) || ', ' || split_part(full_name, ' ', 1)
        when hash(customer_id, 'typo') % 100 < 5 then left(full_name, 4) || substr(full_name, 6)
        else full_name
    end as full_name
from accounts
"""


def world(accounts: str, rough: bool, con: duckdb.DuckDBPyConnection | None = None) -> duckdb.DuckDBPyConnection:
    """A warehouse with the rows of `accounts` (customer_id, email, phone, birth_date, full_name), a relation."""
    con = con or duckdb.connect()
    con.execute(_SCHEMA)
    con.execute(f"create temp view accounts as select * replace (customer_id::varchar as customer_id) from {accounts}")
    con.execute(f"insert into personal.customers by name {_ROUGH if rough else 'select * from accounts'}")
    return con


def quality(simulated: Path, rough: bool) -> dict[str, float]:
    """Pairs of accounts that are one person, by the truth of a simulated business: found rightly, and of all."""
    columns = "customer_id, email, phone, birth_date, full_name"
    accounts = f"(select {columns} from '{simulated}/landing/customers.parquet')"
    with world(accounts, rough) as con, tempfile.TemporaryDirectory() as ledgers:
        build_identity(con, (), DAY, Path(ledgers), MAX_SHARED, MAX_ACCOUNTS)
        found = con.execute(
            f"""
            with truth as (
                select customer_id, person_id from '{simulated}/truth/customers.parquet'
                where customer_id in (select customer_id from personal.customers)
            ),

            found as (
                select truth.customer_id, truth.person_id, coalesce(changes.customer_id, truth.customer_id) as found_id
                from truth left join identity.id_changes as changes on truth.customer_id = changes.old_customer_id
            )

            select
                count(*) filter (where one.found_id = other.found_id and one.person_id = other.person_id) as n_right,
                count(*) filter (where one.found_id = other.found_id) as n_found,
                count(*) filter (where one.person_id = other.person_id) as n_true
            from found as one
            inner join found as other on one.customer_id < other.customer_id
                and (one.found_id = other.found_id or one.person_id = other.person_id)
            """
        ).fetchone()
        waiting = con.execute("select count(*) from identity.identity_review").fetchone()
    assert found and waiting
    n_right, n_found, n_true = found
    return {
        "pairs": n_true,
        "precision": n_right / n_found if n_found else 1.0,
        "recall": n_right / n_true if n_true else 1.0,
        "to_review": waiting[0],
    }


def seconds(n_accounts: int, n_new: int) -> dict[str, float]:
    """A first night over synthetic accounts of which one in fifty is a second one, a night with new ones, and a night
    that brings nothing."""
    rows = """(
        select
            range as customer_id, 'p' || range // 1.02::double::bigint || '@example.com' as email,
            '+99 ' || (100000000 + range) as phone, cast(null as date) as birth_date, cast(null as varchar) as full_name
        from range({first}, {last})
    )"""
    made = (
        "select * replace (case when customer_id % 50 = 0 then 'p' || (customer_id + 1) || '@example.com' else 'p' ||"
    )
    made += " customer_id || '@example.com' end as email) from "
    with tempfile.TemporaryDirectory() as folder:
        con = duckdb.connect(f"{folder}/warehouse.duckdb")
        world(f"({made}{rows.format(first=0, last=n_accounts)})", rough=False, con=con)
        found: dict[str, float] = {"accounts": n_accounts, "new": n_new}
        for n, name in enumerate(("first_night", "night_with_new", "night_without")):
            if name == "night_with_new":
                new = rows.format(first=n_accounts, last=n_accounts + n_new)
                con.execute(
                    "insert into personal.customers by name select * replace (customer_id::varchar as customer_id, case"
                    " when customer_id % 2 = 0 then 'p' || customer_id - 1000000 || '@example.com'"
                    f" else 'p' || customer_id || '@example.com' end as email) from {new}"
                )
            started = time.monotonic()
            counts = build_identity(con, (), DAY + timedelta(n), Path(folder), MAX_SHARED, MAX_ACCOUNTS)
            found[name] = round(time.monotonic() - started, 1)
            found[f"{name}_looked_at"] = counts["looked_at"]
        con.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulated", type=Path, metavar="FOLDER")
    parser.add_argument("--accounts", type=int, metavar="N")
    parser.add_argument("--new", type=int, default=20_000, metavar="N")
    arguments = parser.parse_args()
    if arguments.simulated:
        for rough in (False, True):
            print(json.dumps({"rough": rough, **quality(arguments.simulated, rough)}))
    if arguments.accounts:
        print(json.dumps(seconds(arguments.accounts, arguments.new)))


if __name__ == "__main__":
    main()
