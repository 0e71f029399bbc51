"""Records whose quoted field spans lines, put together again.

In: the table `raw_lines` (line_number, line). Out: the tables `joined_records` and `swallowed_lines`. A stray quote may
cost its own line, never the ones after it.
"""

import duckdb

from assets.ingest.mapping.text_layout import Grammar

#: A quoted field may span lines. One that spans more is a quote that was never closed.
MAX_QUOTED_LINES = 200


def join_quoted_lines(con: duckdb.DuckDBPyConnection, grammar: Grammar, n_columns: int) -> None:
    """Table `joined_records` (line_number, last_line_number, text): records whose quoted field spans lines, and
    `swallowed_lines` (line_number): the lines they are made of.

    Only lines with an odd number of quotes can open or close such a field. Each is tried with the next one; a pair
    counts when its joined text is a record of the right width. Of a run of overlapping valid pairs every other one
    is taken, so that the text between two records is not mistaken for a field.
    """
    con.execute(
        "create or replace temp table joined_records (line_number bigint, last_line_number bigint, text varchar)"
    )
    con.execute("create or replace temp table swallowed_lines (line_number bigint)")
    if not grammar.quote:
        return
    con.execute(
        f"""
        create or replace temp table odd_lines as
        select line_number, lead(line_number) over (order by line_number) as next_number,
            row_number() over (order by line_number) as position
        from raw_lines where ({grammar.n_quotes("line")}) % 2 = 1
        """
    )
    con.execute(
        f"""
        insert into joined_records
        with pairs as (
            select line_number, next_number, position from odd_lines
            where next_number - line_number <= {MAX_QUOTED_LINES}
        ),
        members as (
            select line_number, next_number, position, unnest(range(line_number, next_number + 1)) as member
            from pairs
        ),
        joined as (
            select
                members.line_number,
                members.next_number,
                members.position,
                string_agg(raw_lines.line, chr(10) order by raw_lines.line_number) as text
            from members
            inner join raw_lines on raw_lines.line_number = members.member
            group by all
        ),
        split as (
            select *, {grammar.strict_fields("text")} as fields from joined
        ),
        valid as (
            select line_number, next_number, position, text from split
            where len(fields) = {n_columns} and not {grammar.is_malformed("text", "fields")}
        ),
        runs as (
            select *, position - row_number() over (order by position) as run from valid
        ),
        counted as (
            select *, row_number() over (partition by run order by position) as place from runs
        )
        select line_number, next_number, text from counted where place % 2 = 1
        """
    )
    con.execute(
        "insert into swallowed_lines select unnest(range(line_number, last_line_number + 1)) from joined_records"
    )
