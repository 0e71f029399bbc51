"""A warehouse that stage identity reads: accounts, what they say, and who bought how often."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb

from assets.identity.links import Link
from assets.identity.night import build_identity

COLUMNS = ("email", "phone", "birth_date", "full_name", "loyalty_number", "national_id")


class World:
    """One source, `shop`, whose accounts are compared."""

    def __init__(self, ledgers: Path):
        self.ledgers, self.con = ledgers, duckdb.connect(config={"threads": 1})
        kinds = ", ".join(f"{name} {'date' if name == 'birth_date' else 'varchar'}" for name in COLUMNS)
        self.con.execute(
            f"""
            create schema ingest; create schema personal; create schema features;
            create table ingest.source_status as select 'shop' as source, true as is_matched;
            create table ingest.batches (batch_id varchar, loaded_at timestamp);
            create table ingest.transactions (customer_id varchar, occurred_at timestamp);
            create table ingest.id_changes (
                old_customer_id varchar, customer_id varchar, next_customer_id varchar, valid_from date,
                is_first_id boolean, is_circular boolean, source varchar, batch_id varchar
            );
            create table personal.customers (customer_id varchar, {kinds}, source varchar, batch_id varchar)
            """
        )
        self.n_batches = 0

    def deliver(self, **accounts: dict) -> None:
        """A batch with what some accounts say now; `lines` is how many transactions they have in all."""
        self.n_batches += 1
        batch = f"b{self.n_batches:04d}"
        self.con.execute(
            "insert into ingest.batches values (?, make_timestamp(2024, 1, 1, 0, ?, 0))", [batch, self.n_batches % 60]
        )
        for customer, said in accounts.items():
            values = [said.get(name) for name in COLUMNS]
            self.con.execute(
                f"insert into personal.customers values (?{', ?' * len(COLUMNS)}, 'shop', ?)",
                [customer, *values, batch],
            )
            if said.get("lines"):
                self.con.execute(
                    "insert into ingest.transactions select ?, timestamp '2024-01-01' from range(?)",
                    [customer, said["lines"]],
                )

    def night(self, day: date, links: Sequence[Link] = (), max_records: int = 4, max_accounts: int = 8) -> dict:
        return build_identity(self.con, links, day, self.ledgers, max_records, max_accounts)

    def persons(self) -> dict[str, str]:
        """Account to person, of accounts that are now under another id."""
        return dict(
            self.con.execute("select old_customer_id, customer_id from identity.id_changes order by 1").fetchall()
        )

    def rows(self, table: str, columns: str = "*") -> list[tuple]:
        return self.con.execute(f"select {columns} from identity.{table} order by all").fetchall()
