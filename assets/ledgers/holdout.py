"""Who is never contacted, so that the effect of contacting can be measured: the persistent control group.

In: customers seen before the date, the share and the salt. Out: `ledgers.holdout_ledger` and its append-only file.

A person's place in [0, 1) is the start of SHA-256 over salt and person: the same on every machine and every night,
whoever else is there, and a larger share only adds people. A customer who got another id (`identity.id_changes`) keeps
the place of the first one; where several ids became one, the group is not left by it: whoever was recorded in it under
one of them stays. Membership of the active group is that number against
the share, so it does not depend on what earlier runs left behind; the file is the record of it: rows are only added,
for the first date they were planned for, and it keeps the groups of earlier salts and when a smaller share released
somebody. A run reads what was recorded for its own date or an earlier one, so that dates may be run in any order.
"""

from datetime import date
from pathlib import Path

import duckdb

from assets.shared.params import Params
from assets.shared.plan_ledger import replace_parquet
from assets.shared.warehouse import count_rows, fetch_value

#: 13 hexadecimal digits are 52 bits: every value is exact in a double.
_HEX_DIGITS = 13

FILE_COLUMNS = {
    "person_id": "varchar",
    "customer_id": "varchar",
    "holdout_kind": "varchar",
    "salt": "varchar",
    "share": "double",
    "valid_from": "date",
    "hash_value": "double",
    "recorded_for": "date",
    "released_on": "date",
}


def global_hash_sql(person_sql: str) -> str:
    """SQL for a person's place in the global control group, a double in [0, 1), evenly spread; the salt is the
    parameter `$salt`. The slice of an action has the same form, with a text of its own (dbt macro `hash_share`)."""
    text_sql = f"'global|' || $salt || '|' || {person_sql}"
    return f"cast('0x' || substr(sha256({text_sql}), 1, {_HEX_DIGITS}) as bigint) / {16**_HEX_DIGITS}.0::double"


def build_holdout_ledger(
    con: duckdb.DuckDBPyConnection, params: Params, as_of_date: date, ledgers: Path
) -> dict[str, int]:
    """Record new members of the control group and write `ledgers.holdout_ledger` as of `as_of_date`.

    One row a person and salt; only persons seen before `as_of_date` (first order or joining). `valid_from` is the first
    date that was planned with them in it, never one before: what they got until then, nobody held back. `valid_to` is
    null for the active group. Rows of an earlier salt end on the first date planned with the present one; rows that a
    smaller share released end on the first date planned with it. Reads features.customer_features and
    ledgers/holdout.parquet.

    Returns counts: active, newly_recorded, persons_seen.
    """
    path = ledgers / "holdout.parquet"
    _load_record(con, path)
    con.execute(_RECORD_OF_NOW)
    values = {"salt": params.actions_holdout_salt, "as_of": as_of_date, "share": params.actions_global_holdout_share}
    con.execute(
        f"""
        create or replace temp table holdout_members as
        with customers as (
            select
                customer_id,
                least({global_hash_sql("coalesce(first_ids.old_customer_id, customer_id)")}, kept.hash_value)
                    as hash_value
            from features.customer_features
            left join (select * from identity.id_changes where is_first_id) as first_ids using (customer_id)
            left join (
                select person_id, min(hash_value) as hash_value from record_of_now
                where salt = $salt and is_kept and recorded_for <= $as_of
                group by person_id
            ) as kept on customer_id = kept.person_id
        )

        select customer_id as person_id, customer_id, hash_value
        from customers
        where hash_value < $share
        """,
        values,
    )
    added = fetch_value(
        con,
        """
        insert into holdout_record
        select
            m.person_id, m.customer_id, 'global', $salt, $share, $as_of, m.hash_value, $as_of, null
        from holdout_members as m
        where not exists (
            select 1 from record_of_now as r
            where r.person_id = m.person_id and r.salt = $salt and r.recorded_for <= $as_of
        )
        """,
        values,
    )
    # A release is recorded once, for the earliest date planned without the person; a larger share takes it back.
    released = fetch_value(
        con,
        """
        update holdout_record set released_on = case when hash_value >= $share then $as_of end
        where salt = $salt and recorded_for <= $as_of
            and case
                when hash_value >= $share then released_on is null or released_on > $as_of
                else released_on <= $as_of
            end
        """,
        values,
    )
    if added or released or not path.exists():
        ledgers.mkdir(parents=True, exist_ok=True)
        record = con.sql("select * from holdout_record order by recorded_for, salt, person_id").to_arrow_table()
        replace_parquet(record, path)
    con.execute(_RECORD_OF_NOW)
    con.execute("create schema if not exists ledgers")
    con.execute(
        """
        create or replace table ledgers.holdout_ledger as
        with known as (
            -- A person is recorded again for an earlier date that was run later: the earliest record counts.
            select distinct on (person_id, salt)
                * replace (
                    case when released_on <= $as_of then released_on end as released_on,
                    -- Files of before said here since when the person was known.
                    recorded_for as valid_from
                )
            from record_of_now
            where recorded_for <= $as_of
            order by person_id, salt, recorded_for
        ),

        present as (
            select min(recorded_for) as since from known where salt = $salt
        ),

        active as (
            select
                m.person_id, m.customer_id, r.holdout_kind, r.salt, r.share, r.valid_from,
                cast(null as date) as valid_to, m.hash_value
            from holdout_members as m
            inner join known as r on m.person_id = r.person_id and r.salt = $salt
        ),

        ended as (
            select
                r.person_id, r.customer_id, r.holdout_kind, r.salt, r.share, r.valid_from,
                cast(
                    case
                        when r.salt = $salt then greatest(r.valid_from, coalesce(r.released_on, $as_of))
                        else greatest(r.valid_from, coalesce(least(r.released_on, present.since), $as_of))
                    end as date
                ) as valid_to,
                r.hash_value
            from known as r
            cross join present
            where r.valid_from < $as_of and (r.salt <> $salt or r.hash_value >= $share)
        )

        select * from active
        union all
        select * from ended
        order by salt, person_id
        """,
        values,
    )
    active = fetch_value(con, "select count(*) from ledgers.holdout_ledger where valid_to is null")
    seen = count_rows(con, "features.customer_features")
    con.execute("drop table holdout_members")
    con.execute("drop table holdout_record")
    con.execute("drop table record_of_now")
    return {"active": active, "newly_recorded": added, "persons_seen": seen}


#: The record under the ids of now. An id that took the place of another says nothing of its own, unless it had been
#: recorded before: `is_kept`.
_RECORD_OF_NOW = """
create or replace temp table record_of_now as
select
    record.* replace (
        coalesce(changes.customer_id, record.person_id) as person_id,
        coalesce(changes.customer_id, record.customer_id) as customer_id
    ),
    taken.next_customer_id is null or record.recorded_for < taken.valid_from as is_kept
from holdout_record as record
left join identity.id_changes as changes on record.person_id = changes.old_customer_id
left join (
    select next_customer_id, min(coalesce(valid_from, date '1900-01-01')) as valid_from
    from identity.id_changes group by next_customer_id
) as taken on record.person_id = taken.next_customer_id
"""


def _load_record(con: duckdb.DuckDBPyConnection, path: Path) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in FILE_COLUMNS.items())
    con.execute(f"create or replace temp table holdout_record ({columns})")
    if path.exists():
        # By name: a file of before releases were recorded has no released_on.
        con.execute("insert into holdout_record by name select * from read_parquet(?)", [str(path)])
