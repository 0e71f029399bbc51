"""Which id stands for a customer now: the alias tables of all sources, followed to their end.

In: `ingest.customer_aliases` as landed (old id, the id that holds from a day on), and a date. Out: `ingest.id_changes`,
one row an old id: the id that staging shows in its place. Rows of the raw tables stay as they arrived.

- A change holds for nights from its day on; without a day, always. For a night of before, the old id still counts.
- Chains are followed to their end: of `a` to `b` and `b` to `c` all become `c`.
- Several old ids with one new id are one customer from then on.
- Of several new ids of one old id the one with the latest day holds, then that of the newest delivery.
- The first id of a customer is the one that took nobody's place; of several, the one that was given up first.
- Changes that go round in a circle have no end: they are not applied, and a rule of validate stops the night.
"""

from datetime import date

import duckdb

#: Days that a change without a day holds from.
_ALWAYS = "date '1900-01-01'"

_ID_CHANGES = f"""
create or replace table ingest.id_changes as
with recursive newest as (
    select aliases.old_customer_id, aliases.customer_id, aliases.valid_from, aliases.source, aliases.batch_id
    from ingest.customer_aliases as aliases
    left join ingest.batches as batches on aliases.batch_id = batches.batch_id
    where coalesce(aliases.valid_from, {_ALWAYS}) <= $as_of and aliases.old_customer_id <> aliases.customer_id
    qualify row_number() over (
        partition by aliases.old_customer_id
        order by coalesce(aliases.valid_from, {_ALWAYS}) desc, batches.loaded_at desc, batches.batch_id desc,
            aliases.customer_id
    ) = 1
),

followed as (
    select old_customer_id, customer_id, [old_customer_id] as passed from newest
    union all
    select followed.old_customer_id, newest.customer_id, list_append(followed.passed, newest.old_customer_id)
    from followed
    inner join newest on followed.customer_id = newest.old_customer_id
    where not list_contains(followed.passed, newest.old_customer_id)
),

ended as (
    select followed.old_customer_id, followed.customer_id
    from followed
    left join newest on followed.customer_id = newest.old_customer_id
    where newest.old_customer_id is null
),

judged as (
    select
        newest.*, ended.customer_id as last_customer_id,
        newest.old_customer_id in (select customer_id from newest) as is_successor
    from newest
    left join ended on newest.old_customer_id = ended.old_customer_id
)

select
    old_customer_id,
    coalesce(last_customer_id, old_customer_id) as customer_id,
    customer_id as next_customer_id,
    valid_from,
    last_customer_id is not null and not is_successor and row_number() over (
        partition by last_customer_id, is_successor order by coalesce(valid_from, {_ALWAYS}), old_customer_id
    ) = 1 as is_first_id,
    last_customer_id is null as is_circular,
    source,
    batch_id
from judged
order by old_customer_id
"""


def write_id_changes(con: duckdb.DuckDBPyConnection, as_of: date) -> None:
    """Write `ingest.id_changes` as of a night, from what is landed."""
    con.execute(_ID_CHANGES, {"as_of": as_of})
