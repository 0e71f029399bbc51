"""What the evidence makes of records: which pairs are applied, and which wait for a person to look at them.

In: temp tables `open_edges` (pair, rule, weight) and `open_links` (pair, kind) of the records looked at. Out:
`judged_edges` (the edges with a `state`) and `parts` (record to the smallest record of its person). It depends on these
two tables only, so that nights one after the other and one rebuild find the same persons.

- A pair under `cannot_link` is never applied, one under `must_link` always.
- A cluster of more records than a person has (`identity_max_accounts`) merges nothing by itself.
- A pair that agrees by one rule only, and alone holds two groups of two or more together, is a bridge: not applied.
- Where a `cannot_link` is still met over other records, pairs are applied by weight as long as it is kept.
"""

import duckdb

from assets.identity.components import write_components
from assets.identity.links import CANNOT, MUST, Groups

#: State of a pair that is applied; the others are `too_large`, `bridge`, `kept_apart` and `cannot_link`.
MERGED = "merged"

#: Records on each side from which a single pair is a bridge.
BRIDGE_SIDE = 2


def judge_edges(con: duckdb.DuckDBPyConnection, max_accounts: int) -> None:
    """Write `judged_edges` (customer_id, other_customer_id, rule, weight, state) and `parts` (customer_id, part)."""
    con.execute(
        f"""
        create or replace temp table all_edges as
        select * from open_edges
        union all
        select customer_id, other_customer_id, kind, 1.0 from open_links where kind = '{MUST}';

        create or replace temp table pairs as
        select
            edges.customer_id, edges.other_customer_id, count(*) as n_rules, sum(edges.weight) as weight,
            bool_or(edges.rule = '{MUST}') as is_said
        from all_edges as edges
        anti join (select * from open_links where kind = '{CANNOT}') as apart
            on edges.customer_id = apart.customer_id and edges.other_customer_id = apart.other_customer_id
        group by edges.customer_id, edges.other_customer_id
        """
    )
    write_components(con, "pairs", "clusters")
    con.execute(
        f"""
        create or replace temp table doubtful as
        select pairs.customer_id, pairs.other_customer_id, 'too_large' as state
        from pairs inner join clusters using (customer_id)
        where clusters.n_records > {max_accounts} and not pairs.is_said
        """
    )
    _find_bridges(con, max_accounts)
    con.execute(
        "create or replace temp table applied as"
        " select * from pairs anti join doubtful using (customer_id, other_customer_id)"
    )
    write_components(con, "applied", "clusters")
    _keep_apart(con)
    write_components(con, "applied", "clusters")
    con.execute(
        f"""
        create or replace temp table judged_edges as
        select
            edges.customer_id, edges.other_customer_id, edges.rule, edges.weight,
            case
                when applied.customer_id is not null then '{MERGED}'
                else coalesce(doubtful.state, '{CANNOT}')
            end as state
        from all_edges as edges
        left join applied using (customer_id, other_customer_id)
        left join doubtful using (customer_id, other_customer_id)
        union all
        select customer_id, other_customer_id, kind, 0.0, '{CANNOT}' from open_links where kind = '{CANNOT}';

        create or replace temp table parts as select customer_id, component as part from clusters;
        drop table pairs; drop table all_edges; drop table applied; drop table doubtful; drop table clusters
        """
    )


def _find_bridges(con: duckdb.DuckDBPyConnection, max_accounts: int) -> None:
    """Add pairs to `doubtful`: everything that is reached from one end without the pair is one side."""
    con.execute(
        f"""
        insert into doubtful
        with recursive candidates as (
            select pairs.customer_id, pairs.other_customer_id, clusters.n_records
            from pairs inner join clusters using (customer_id)
            where pairs.n_rules = 1 and not pairs.is_said
                and clusters.n_records between {2 * BRIDGE_SIDE} and {max_accounts}
        ),

        ways as (
            select customer_id as one, other_customer_id as other, customer_id, other_customer_id from pairs
            union all
            select other_customer_id, customer_id, customer_id, other_customer_id from pairs
        ),

        reached as (
            select customer_id, other_customer_id, n_records, customer_id as record from candidates
            union
            select reached.customer_id, reached.other_customer_id, reached.n_records, ways.other
            from reached inner join ways
                on reached.record = ways.one
                and (ways.customer_id, ways.other_customer_id) <> (reached.customer_id, reached.other_customer_id)
        )

        select customer_id, other_customer_id, 'bridge'
        from reached
        group by customer_id, other_customer_id, n_records
        having not bool_or(record = other_customer_id)
            and count(*) >= {BRIDGE_SIDE} and n_records - count(*) >= {BRIDGE_SIDE}
        """
    )


def _keep_apart(con: duckdb.DuckDBPyConnection) -> None:
    """Take pairs out of `applied` where records that are apart would still be one person. Such clusters are few, so
    that they are walked pair by pair: what is said first, then by weight."""
    rows = con.execute(
        f"""
        with met as (
            select distinct one.component
            from open_links as links
            inner join clusters as one on links.customer_id = one.customer_id
            inner join clusters as other
                on links.other_customer_id = other.customer_id and one.component = other.component
            where links.kind = '{CANNOT}'
        )

        select applied.customer_id, applied.other_customer_id
        from applied
        inner join clusters using (customer_id)
        inner join met using (component)
        order by applied.is_said desc, applied.weight desc, applied.customer_id, applied.other_customer_id
        """
    ).fetchall()
    if not rows:
        return
    apart = con.execute(
        f"select customer_id, other_customer_id from open_links where kind = '{CANNOT}'"
        " and customer_id in (select unnest($1)) and other_customer_id in (select unnest($1))",
        [sorted({record for pair in rows for record in pair})],
    ).fetchall()
    groups, refused = Groups(), []
    for one, other in rows:
        sides = {groups.of(one), groups.of(other)}
        if len(sides) == 2 and any({groups.of(a), groups.of(b)} == sides for a, b in apart):
            refused.append((one, other))
        else:
            groups.join(one, other)
    if refused:
        con.executemany("insert into doubtful values (?, ?, 'kept_apart')", refused)
        con.execute(
            "delete from applied where (customer_id, other_customer_id) in"
            " (select (customer_id, other_customer_id) from doubtful)"
        )
