"""What is to be sent tonight, one file a channel: `exports/<as_of_date>/<channel>.csv`, for a CRM or mail tool.

In: the contacts of a night that is public, addresses from schema `personal`. Out: the files, which only their owner may
read, each with the one address that its channel needs; a row a contact in the export ledger.

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


def export_night(con: duckdb.DuckDBPyConnection, settings: Settings, plan: str, night: SetId) -> dict[str, int]:
    """Write the files of `night`. `plan` is its table retention_actions, as it is called in a statement; `con` is the
    working warehouse. The same plan again changes nothing.

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
            left join ingest.id_changes as changes on exported_before.customer_id = changes.old_customer_id
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
    contents = {channel: _file(con, channel, address) for channel, address in ADDRESSES.items()}
    _write_files(settings.exports / day.isoformat(), {name: text for name, (text, _) in contents.items()})
    con.execute("drop table exported_before; drop table exported_now")
    return {channel: n_rows for channel, (_, n_rows) in contents.items()}


def withdraw_after(con: duckdb.DuckDBPyConnection, settings: Settings, day: date) -> list[date]:
    """Take the files of nights after `day` away, when people go back to an earlier one. Returns those nights."""
    withdrawn = []
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


def _file(con: duckdb.DuckDBPyConnection, channel: str, address: str) -> tuple[str, int]:
    """The text of one channel's file, best contacts first, and its rows. An address that nobody delivered is empty: the
    tool that sends may know the customer by id."""
    extra = EXTRA_COLUMNS.get(channel, ())
    columns = (*COLUMNS, *extra)
    rows = con.execute(
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
            left join ingest.id_changes as changes on personal.customer_id = changes.old_customer_id
            where personal.{address} is not null
        )

        select {", ".join(f"exported_now.{name}" for name in columns)}, known.address
        from exported_now
        left join known on exported_now.customer_id = known.customer_id and known.age_rank = 1
        where exported_now.channel = $channel
        order by plan_rank, contact_id
        """,
        {"channel": channel},
    ).fetchall()
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    writer.writerow((*columns, address))
    writer.writerows(rows)
    return written.getvalue(), len(rows)


def _write_files(folder: Path, contents: dict[str, str]) -> None:
    """The files of one night in the place of those of before, unless they are the same."""
    written = {f"{name}.csv": text.encode() for name, text in contents.items()}
    if folder.is_dir() and {path.name: path.read_bytes() for path in folder.iterdir()} == written:
        return
    folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with replacing_folder(folder) as unfinished:
        unfinished.chmod(0o700)
        for name, content in written.items():
            descriptor = os.open(unfinished / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
