"""Connected components, set-based: which records are connected by pairs, over any number of steps.

In: a table of pairs (`customer_id`, `other_customer_id`). Out: a table with the smallest id of each component.
"""

import duckdb

from assets.shared.warehouse import fetch_value


def write_components(con: duckdb.DuckDBPyConnection, pairs: str, target: str) -> None:
    """Write temp table `target` (customer_id, component, n_records) of the records in table `pairs`.

    Each round takes the smallest component of all neighbours, and then the component of that one: a chain of n records
    needs about log n rounds.
    """
    con.execute(
        f"""
        create or replace temp table both_ways as
        select customer_id as one, other_customer_id as other from {pairs}
        union select other_customer_id, customer_id from {pairs};

        create or replace temp table labels as
        select one as customer_id, least(one, min(other)) as component from both_ways group by one
        """
    )
    while True:
        con.execute(
            """
            create or replace temp table labels_next as
            with lowest as (
                select labels.customer_id, least(labels.component, min(neighbours.component)) as component
                from labels
                inner join both_ways on labels.customer_id = both_ways.one
                inner join labels as neighbours on both_ways.other = neighbours.customer_id
                group by labels.customer_id, labels.component
            )

            select lowest.customer_id, least(lowest.component, beyond.component) as component
            from lowest inner join lowest as beyond on lowest.component = beyond.customer_id
            """
        )
        n_changed = fetch_value(
            con,
            "select count(*) from labels inner join labels_next using (customer_id)"
            " where labels.component <> labels_next.component",
        )
        con.execute("drop table labels; alter table labels_next rename to labels")
        if not n_changed:
            break
    con.execute(
        f"create or replace temp table {target} as"
        " select customer_id, component, count(*) over (partition by component) as n_records from labels;"
        "drop table labels; drop table both_ways"
    )
