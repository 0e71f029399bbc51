"""What the nights found, beyond one night: `ledgers/identity/DATE.parquet`, a file a night with what it changed.

In: the folder and a date. Out: temp tables of the state before it, and one atomically replaced file a date. A file
holds rows of two kinds: `member` (a record is of a person from this night on) and `edge` (a pair shows evidence from
this night on, in a state; `gone`: no more). There is no value in it, only ids. A night reads files of dates before its
own, so that it can be made again; a night that is older than the newest file shows what was known then, and writes
nothing.
"""

from datetime import date
from pathlib import Path

import duckdb

from assets.shared.files import replacing
from assets.shared.plan_ledger import files_before, ledger_file
from assets.shared.quoting import literal, path_list

GONE = "gone"

#: What a file says of how it was made: pairs are judged anew when it changes.
_MADE_WITH = "holdfast_identity"

COLUMNS = (
    "day date, kind varchar, customer_id varchar, person_id varchar, other_customer_id varchar, rule varchar,"
    " weight double, state varchar, reason varchar"
)


def is_past(folder: Path, as_of_date: date) -> bool:
    """Whether a later night has been made already."""
    return len(files_before(folder, date.max)) > len(files_before(folder, date.fromordinal(as_of_date.toordinal() + 1)))


def load_record(con: duckdb.DuckDBPyConnection, folder: Path, before: date) -> None:
    """Write `identity_record`: the rows of all nights before a date, under the ids of then."""
    con.execute(f"create or replace temp table identity_record ({COLUMNS})")
    if files := files_before(folder, before):
        con.execute(f"insert into identity_record by name select * from read_parquet({path_list(files)})")


def made_with(con: duckdb.DuckDBPyConnection, folder: Path, before: date) -> str | None:
    """What the newest night before a date was made with; None where there is none."""
    files = files_before(folder, before)
    if not files:
        return None
    found = con.execute(
        "select decode(value) from parquet_kv_metadata(?) where decode(key) = ?", [str(files[-1]), _MADE_WITH]
    ).fetchone()
    return found[0] if found else None


def load_state(con: duckdb.DuckDBPyConnection) -> None:
    """Write `known_members` (customer_id, person_id, valid_from) and `known_edges` (pair, rule, weight, state,
    first_seen, first_state_seen) from `identity_record`, under the ids of now."""
    con.execute(
        f"""
        create or replace temp table known_members as
        with newest as (
            select customer_id, max_by(person_id, day) as person_id, max(day) as valid_from
            from identity_record where kind = 'member' group by customer_id
        )

        select
            coalesce(own.customer_id, newest.customer_id) as customer_id,
            coalesce(persons.customer_id, newest.person_id) as person_id,
            newest.valid_from
        from newest
        left join ingest.id_changes as own on newest.customer_id = own.old_customer_id
        left join ingest.id_changes as persons on newest.person_id = persons.old_customer_id
        qualify row_number() over (
            partition by coalesce(own.customer_id, newest.customer_id)
            order by own.customer_id is null desc, own.is_first_id desc, newest.customer_id
        ) = 1;

        create or replace temp table known_edges as
        with numbered as (
            select
                *,
                max(day) filter (where state = '{GONE}')
                    over (partition by customer_id, other_customer_id, rule) as gone_on
            from identity_record where kind = 'edge'
        ),

        newest as (
            select
                customer_id, other_customer_id, rule, max_by(weight, day) as weight, max_by(state, day) as state,
                min(day) filter (where gone_on is null or day > gone_on) as first_seen
            from numbered group by customer_id, other_customer_id, rule
        ),

        renamed as (
            select
                least(coalesce(one.customer_id, newest.customer_id),
                    coalesce(other.customer_id, newest.other_customer_id)) as customer_id,
                greatest(coalesce(one.customer_id, newest.customer_id),
                    coalesce(other.customer_id, newest.other_customer_id)) as other_customer_id,
                newest.rule, newest.weight, newest.state, newest.first_seen
            from newest
            left join ingest.id_changes as one on newest.customer_id = one.old_customer_id
            left join ingest.id_changes as other on newest.other_customer_id = other.old_customer_id
            where newest.state <> '{GONE}'
        )

        select
            customer_id, other_customer_id, rule, max(weight) as weight, min_by(state, first_seen) as state,
            min(first_seen) as first_seen
        from renamed
        where customer_id <> other_customer_id
        group by customer_id, other_customer_id, rule
        """
    )


def write_night(con: duckdb.DuckDBPyConnection, folder: Path, as_of_date: date, made: str) -> None:
    """Write table `identity_changes` (`COLUMNS`) as the file of a date; a night without changes writes an empty one."""
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(ledger_file(folder, as_of_date)) as unfinished:
        con.execute(
            "copy (select * from identity_changes order by kind, customer_id, other_customer_id, rule)"
            f" to {literal(str(unfinished))} (format parquet, kv_metadata {{{_MADE_WITH}: {literal(made)}}})"
        )
