"""What is to be sent tonight, one file a channel: `exports/<as_of_date>/<channel>.csv`, for a CRM or mail tool.

In: the contacts of a night that is public, addresses from schema `personal`. Out: the files, which only their owner may
read, each with the one address that its channel needs; a row a contact in the export ledger. Where the settings say so,
the same rows as Parquet beside them, and in a table of Postgres that only its owner may read.

Nothing is exported twice, whatever dies and whatever runs again. The ledger is written first: a night that dies before
its files has promised contacts that nobody makes, which the grace time frees, and never the reverse. The folder of a
night is replaced as a whole, under ids that are the same in every run. When a night is made again with another plan, a
customer who was in its files keeps to what stood there: that contact may be under way, so no other one is added on the
same date, and one that is no longer planned is only taken out. How results come back is not said here (stage
candidates).
"""

import csv
import io
import os
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from assets.publish.postgres_target import PostgresTarget
from assets.publish.release_ledger import SetId
from assets.shared.erasure_ledger import PSEUDONYM
from assets.shared.export_ledger import load_exports, replace_exports
from assets.shared.files import remove_folder, replacing_folder
from assets.shared.quoting import literal
from assets.shared.settings import Settings

#: The personal column of customers that each channel reaches them by.
ADDRESSES = {"email": "email", "sms": "phone", "phone": "phone", "mail": "postal_code"}

#: What some channels need beside.
EXTRA_COLUMNS = {"phone": ("owner",)}

#: Columns of every file, before the address.
COLUMNS = ("contact_id", "customer_id", "action_id", "due_on", "plan_rank")


#: Columns of the one table that a sender reads from Postgres.
TABLE_SCHEMA = pa.schema(
    [
        ("as_of_date", pa.date32()),
        ("contact_id", pa.string()),
        ("channel", pa.string()),
        ("customer_id", pa.string()),
        ("action_id", pa.string()),
        ("due_on", pa.date32()),
        ("plan_rank", pa.int64()),
        ("owner", pa.string()),
        ("address", pa.string()),
    ]
)


def export_night(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    plan: str,
    night: SetId,
    target: PostgresTarget | None = None,
) -> dict[str, int]:
    """Write the files of `night`. `plan` is its table retention_actions, as it is called in a statement; `con` is the
    working warehouse; `target` gets the rows where the settings say so. The same plan again changes nothing.

    Returns the contacts in the file of each channel.
    """
    day = night.as_of_date
    load_exports(con, "exported_before", settings.ledgers, day)
    # A blocked night of an earlier version is due on its own date.
    known = {name for name, *_ in con.execute(f"describe select * from {plan}").fetchall()}
    due_on = "due_on" if "due_on" in known else "as_of_date"
    owner = "plan.owner" if "owner" in known else "cast(null as varchar)"
    con.execute(
        f"""
        create or replace temp table exported_now as
        with earlier as (
            select coalesce(changes.customer_id, exported_before.customer_id) as customer_id, contact_id, channel
            from exported_before
            left join identity.id_changes as changes on exported_before.customer_id = changes.old_customer_id
        )

        select
            plan.candidate_id as contact_id, plan.customer_id, plan.action_id, plan.channel, plan.{due_on} as due_on,
            plan.plan_rank, {owner} as owner
        from {plan} as plan
        where plan.decision = 'contact' and not starts_with(plan.customer_id, {literal(PSEUDONYM)}) and not exists (
            select 1 from earlier
            where earlier.customer_id = plan.customer_id
                and (earlier.contact_id, earlier.channel) <> (plan.candidate_id, plan.channel)
        )
        """
    )
    _write_ledger(con, settings.ledgers, night)
    rows = {channel: _rows(con, channel, address) for channel, address in ADDRESSES.items()}
    files = {f"{channel}.csv": _csv(found) for channel, found in rows.items()}
    if "parquet" in settings.export_as:
        files |= {f"{channel}.parquet": _parquet(found) for channel, found in rows.items()}
    _write_files(settings.exports / day.isoformat(), files)
    if "postgres" in settings.export_as and target is not None:
        target.replace_contacts(_one_table(rows, day), day)
    con.execute("drop table exported_before; drop table exported_now")
    return {channel: found.num_rows for channel, found in rows.items()}


def withdraw_after(
    con: duckdb.DuckDBPyConnection, settings: Settings, day: date, target: PostgresTarget | None = None
) -> list[date]:
    """Take the files of nights after `day` away, when people go back to an earlier one. Returns those nights."""
    withdrawn = []
    if "postgres" in settings.export_as and target is not None:
        target.withdraw_contacts(day)
    for folder in sorted(settings.exports.glob("[!.]*")):
        try:
            exported = date.fromisoformat(folder.name)
        except ValueError:
            continue
        if exported <= day:
            continue
        remove_folder(folder)
        load_exports(con, "exported_before", settings.ledgers, exported)
        rows = con.sql("select * replace (true as is_withdrawn) from exported_before order by contact_id, channel")
        replace_exports(rows.to_arrow_table(), settings.ledgers, exported)
        con.execute("drop table exported_before")
        withdrawn.append(exported)
    return withdrawn


def _write_ledger(con: duckdb.DuckDBPyConnection, ledgers: Path, night: SetId) -> None:
    rows = con.sql(
        """
        select
            as_of_date, contact_id, customer_id, action_id, channel, run_id, exported_at,
            not exists (
                select 1 from exported_now
                where exported_now.contact_id = exported_before.contact_id
                    and exported_now.channel = exported_before.channel
            ) as is_withdrawn
        from exported_before

        union all

        select $day, contact_id, customer_id, action_id, channel, $run_id, $now, false
        from exported_now
        where not exists (
            select 1 from exported_before
            where exported_now.contact_id = exported_before.contact_id
                and exported_now.channel = exported_before.channel
        )
        order by contact_id, channel
        """,
        params={"day": night.as_of_date, "run_id": night.run_id, "now": datetime.now(UTC).replace(tzinfo=None)},
    )
    replace_exports(rows.to_arrow_table(), ledgers, night.as_of_date)


def _rows(con: duckdb.DuckDBPyConnection, channel: str, address: str) -> pa.Table:
    """What one channel is told, best contacts first. An address that nobody delivered is null: the tool that sends may
    know the customer by id."""
    extra = EXTRA_COLUMNS.get(channel, ())
    columns = (*COLUMNS, *extra)
    found = con.sql(
        f"""
        with known as (
            select
                coalesce(changes.customer_id, personal.customer_id) as customer_id,
                personal.{address} as address,
                row_number() over (
                    partition by coalesce(changes.customer_id, personal.customer_id)
                    order by batches.loaded_at desc nulls last, personal.batch_id desc, personal.source desc,
                        personal.{address} desc
                ) as age_rank
            from personal.customers as personal
            left join ingest.batches as batches on personal.batch_id = batches.batch_id
            left join identity.id_changes as changes on personal.customer_id = changes.old_customer_id
            where personal.{address} is not null
        )

        select {", ".join(f"exported_now.{name}" for name in columns)}, known.address as {address}
        from exported_now
        left join known on exported_now.customer_id = known.customer_id and known.age_rank = 1
        where exported_now.channel = $channel
        order by plan_rank, contact_id
        """,
        params={"channel": channel},
    )
    kinds = {field.name: field.type for field in TABLE_SCHEMA} | {address: pa.string()}
    return found.to_arrow_table().cast(pa.schema([(name, kinds[name]) for name in (*columns, address)]))


def _csv(rows: pa.Table) -> bytes:
    """The text of a file; what is not known is empty."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow(rows.column_names)
    writer.writerows(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    return written.getvalue().encode()


def _parquet(rows: pa.Table) -> bytes:
    import pyarrow.parquet as pq

    written = io.BytesIO()
    pq.write_table(rows, written)
    return written.getvalue()


def _one_table(rows: dict[str, pa.Table], day: date) -> pa.Table:
    """The rows of all channels in the columns of TABLE_SCHEMA."""
    parts = []
    for channel, found in rows.items():
        known = {
            **dict(zip(found.column_names, found.columns, strict=True)),
            "address": found.column(ADDRESSES[channel]),
        }
        known |= {"as_of_date": pa.array([day] * found.num_rows), "channel": pa.array([channel] * found.num_rows)}
        nothing = pa.nulls(found.num_rows, pa.string())
        parts.append(
            pa.table({field.name: known.get(field.name, nothing) for field in TABLE_SCHEMA}).cast(TABLE_SCHEMA)
        )
    return pa.concat_tables(parts)


def _write_files(folder: Path, written: dict[str, bytes]) -> None:
    """The files of one night in the place of those of before, unless they are the same."""
    if folder.is_dir() and {path.name: path.read_bytes() for path in folder.iterdir()} == written:
        return
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with replacing_folder(folder) as unfinished:
        unfinished.chmod(0o700)
        for name, content in written.items():
            descriptor = os.open(unfinished / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
