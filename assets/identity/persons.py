"""Which records are one person tonight, and by which id: what changed since the night before, and nothing else.

In: temp tables `found_records`, `found_edges`, `links` of tonight, and `known_members`, `known_edges` of before. Out:
`identity_changes`, what tonight's file of the record holds.

A person's id is the id of one of its records, so that the one mapping of `identity.id_changes` serves rows and
ledgers alike. A cluster keeps the id of the person most of whose transactions are in it; of a person that is parted,
the part with the record of that id keeps it, and every other part is known by its record with most transactions.
"""

from datetime import date

import duckdb

from assets.identity.clusters import MERGED, judge_edges
from assets.identity.links import CANNOT, MUST
from assets.identity.record import GONE
from assets.shared.erasure_ledger import PSEUDONYM
from assets.shared.quoting import literal


def write_changes(con: duckdb.DuckDBPyConnection, as_of_date: date, max_accounts: int, everything: bool) -> int:
    """Write `identity_changes`. everything: judge all records anew and not only those whose evidence changed.

    Returns the number of records that were looked at.
    """
    _write_now(con)
    n_touched = _write_touched(con, everything)
    con.execute(
        """
        create or replace temp table open_edges as
        select edges_now.* from edges_now inner join touched using (customer_id);
        create or replace temp table open_links as
        select links.* from links inner join touched using (customer_id)
        """
    )
    judge_edges(con, max_accounts)
    _write_persons(con, as_of_date)
    con.execute(
        f"""
        create or replace temp table identity_changes as
        select
            $as_of as day, 'member' as kind, now.customer_id, now.person_id, cast(null as varchar) as other_customer_id,
            cast(null as varchar) as rule, cast(null as double) as weight, cast(null as varchar) as state,
            case
                when now.person_id = now.customer_id then case
                    when known.customer_id is null then 'new'
                    when now.customer_id in (select unnest([customer_id, other_customer_id]) from links
                        where kind = '{CANNOT}') then '{CANNOT}'
                    else 'no_evidence'
                end
                when now.customer_id in (select unnest([customer_id, other_customer_id]) from links
                    where kind = '{MUST}') then '{MUST}'
                else 'match'
            end as reason
        from persons_now as now
        left join known_members as known using (customer_id)
        where known.person_id is distinct from now.person_id

        union all

        select
            $as_of, 'edge', now.customer_id, null, now.other_customer_id, now.rule, now.weight, now.state, null
        from judged_edges as now
        left join known_edges as known using (customer_id, other_customer_id, rule)
        where known.state is distinct from now.state or known.weight is distinct from now.weight

        union all

        select
            $as_of, 'edge', known.customer_id, null, known.other_customer_id, known.rule, known.weight, '{GONE}', null
        from known_edges as known
        inner join touched using (customer_id)
        anti join judged_edges as now using (customer_id, other_customer_id, rule)
        """,
        {"as_of": as_of_date},
    )
    con.execute("drop table open_edges; drop table open_links; drop table persons_now; drop table parts")
    con.execute("drop table judged_edges; drop table touched; drop table edges_now")
    return n_touched


def _write_now(con: duckdb.DuckDBPyConnection) -> None:
    """`edges_now`: what was found, and what held of erased persons, whose values are gone: the past adds up on."""
    erased = " or ".join(f"starts_with({c}, {literal(PSEUDONYM)})" for c in ("customer_id", "other_customer_id"))
    con.execute(
        f"""
        create or replace temp table edges_now as
        select * from found_edges
        union
        select customer_id, other_customer_id, rule, weight from known_edges
        where state = '{MERGED}' and ({erased})
        """
    )


def _write_touched(con: duckdb.DuckDBPyConnection, everything: bool) -> int:
    """`touched`: records that are new, whose evidence came or went, and all that are connected with them now."""
    con.execute(
        f"""
        create or replace temp table said_now as
        select customer_id, other_customer_id, rule from edges_now
        union all select customer_id, other_customer_id, kind from links;

        create or replace temp table changed_pairs as
        (
            select customer_id, other_customer_id, rule from said_now
            except select customer_id, other_customer_id, rule from known_edges
        )
        union
        (
            select customer_id, other_customer_id, rule from known_edges
            except select customer_id, other_customer_id, rule from said_now
        );

        create or replace temp table touched as
        select customer_id from changed_pairs
        union select other_customer_id from changed_pairs
        union select customer_id from found_records where customer_id not in (select customer_id from known_members)
        -- A person whose own record went over to another one, as by an alias table.
        union
        select members.customer_id
        from known_members as members
        inner join known_members as own on members.person_id = own.customer_id
        where own.person_id <> own.customer_id
        {"union select customer_id from known_members union select customer_id from edges_now" if everything else ""}
        {"union select other_customer_id from edges_now" if everything else ""}
        """
    )
    # Who is connected with them now: through evidence that is applied or not, and through what somebody said.
    while True:
        (n_added,) = con.execute(
            """
            insert into touched
            select distinct beyond.customer_id
            from (
                select customer_id as one, other_customer_id as customer_id from said_now
                union select other_customer_id, customer_id from said_now
                union
                select one.customer_id, other.customer_id
                from known_members as one
                inner join known_members as other on one.person_id = other.person_id
                where one.person_id in (select person_id from known_members where person_id <> customer_id)
            ) as beyond
            inner join touched on beyond.one = touched.customer_id
            anti join touched as seen on beyond.customer_id = seen.customer_id
            """
        ).fetchall()[0]
        if not n_added:
            break
    (n_touched,) = con.execute("select count(*) from touched").fetchall()[0]
    con.execute("drop table said_now; drop table changed_pairs")
    return n_touched


def _write_persons(con: duckdb.DuckDBPyConnection, as_of_date: date) -> None:
    """`persons_now` (customer_id, person_id) of all touched records."""
    con.execute(
        """
        create or replace temp table parts_now as
        select touched.customer_id, coalesce(parts.part, touched.customer_id) as part
        from touched left join parts using (customer_id);

        -- Lines count only where an id has to be chosen.
        create or replace temp table lines_of_records as
        with choices as (
            select customer_id from parts_now
            qualify count(*) over (partition by part) > 1
        ),

        ids as (
            select customer_id as id, customer_id from choices
            union
            select changes.old_customer_id, choices.customer_id
            from ingest.id_changes as changes inner join choices on changes.customer_id = choices.customer_id
        )

        select ids.customer_id, count(*) as n_lines
        from ingest.transactions as transactions
        inner join ids on transactions.customer_id = ids.id
        where transactions.occurred_at < $as_of
        group by ids.customer_id
        """,
        {"as_of": as_of_date},
    )
    con.execute(
        """
        create or replace temp table persons_now as
        with records as (
            select
                parts_now.customer_id, parts_now.part, known.person_id, coalesce(lines.n_lines, 0) as n_lines,
                case when known.person_id = parts_now.customer_id then 2 when known.person_id is not null then 1 else 0
                end as standing
            from parts_now
            left join known_members as known using (customer_id)
            left join lines_of_records as lines using (customer_id)
        ),

        weighed as (
            select
                *,
                case when standing = 2 then sum(n_lines) over (partition by part, person_id) else n_lines end as n_kept
            from records
        ),

        chosen as (
            select part, customer_id as person_id from weighed
            qualify row_number() over (
                partition by part order by standing desc, n_kept desc, n_lines desc, customer_id
            ) = 1
        )

        select records.customer_id, chosen.person_id
        from records inner join chosen using (part);

        drop table parts_now; drop table lines_of_records
        """
    )


def write_state_tables(con: duckdb.DuckDBPyConnection) -> None:
    """The tables of schema `identity` that show the record as of the night, from `identity_record` with tonight's rows,
    `known_members` and `known_edges` of its end, and `ingest.id_changes`."""
    con.execute(_TABLES)


_TABLES = f"""
create or replace table identity.identity_edges as
select customer_id, other_customer_id, rule, weight, first_seen, state
from known_edges
order by customer_id, other_customer_id, rule;

create or replace table identity.identity_members as
select
    customer_id, person_id, day as valid_from,
    max(day) over (partition by customer_id order by day rows between 1 following and 1 following) as valid_to,
    reason
from identity_record where kind = 'member'
order by customer_id, valid_from;

create or replace table identity.identity_events as
with moves as (
    select
        valid_from as day, customer_id, person_id,
        lag(person_id) over (partition by customer_id order by valid_from) as earlier_person_id
    from identity.identity_members
)

select
    day,
    case when bool_or(customer_id = earlier_person_id) then 'merge' else 'split' end as event,
    case when bool_or(customer_id = earlier_person_id) then person_id else earlier_person_id end as person_id,
    case when bool_or(customer_id = earlier_person_id) then earlier_person_id else person_id end as other_person_id,
    count(*) as n_accounts
from moves
where earlier_person_id <> person_id
group by day, person_id, earlier_person_id
order by day, event, person_id, other_person_id;

create or replace table identity.identity_review as
select
    customer_id, other_customer_id,
    string_agg(rule, ', ' order by weight desc, rule) as rules, sum(weight) as weight,
    min(first_seen) as first_seen, any_value(state) as reason
from known_edges
where state not in ('{MERGED}', '{CANNOT}')
group by customer_id, other_customer_id
order by weight desc, customer_id, other_customer_id;

create or replace table identity.id_changes as
with merged as (
    select customer_id, person_id, valid_from from known_members where customer_id <> person_id
)

select
    declared.old_customer_id, coalesce(merged.person_id, declared.customer_id) as customer_id,
    declared.next_customer_id, declared.valid_from,
    -- A person goes on as who the surviving record was first.
    declared.is_first_id and merged.person_id is null as is_first_id,
    declared.is_circular, declared.source, declared.batch_id
from ingest.id_changes as declared
left join merged on declared.customer_id = merged.customer_id

union all

select
    customer_id, person_id, person_id, valid_from, false, false, cast(null as varchar), cast(null as varchar)
from merged
where customer_id not in (select old_customer_id from ingest.id_changes)
order by old_customer_id;

create or replace table identity.person_accounts as
select
    customer_id, count(*) as n_accounts,
    '[' || string_agg('"' || account || '"', ', ' order by account) || ']' as accounts
from (
    select customer_id, old_customer_id as account from identity.id_changes where source is null
    union
    select customer_id, customer_id from identity.id_changes where source is null
) as accounts
group by customer_id
order by customer_id
"""
