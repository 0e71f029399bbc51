"""A text file as records: lines split into fields, quoting undone, every line accounted for.

In: a path. Out: the views `records` and `record_texts` (see `records`). A text file is split here and not by the
engine's CSV reader, because every non-blank line must end up in exactly one record.
"""

from pathlib import Path

import duckdb

from assets.ingest.mapping.source import TableMapping
from assets.ingest.mapping.text_layout import Grammar
from assets.ingest.records.quoted_lines import join_quoted_lines
from assets.ingest.records.records import NUL_REASON, Records, positions_of, raw_name
from assets.ingest.records.text_lines import read_lines
from assets.ingest.refusals import FileRefused
from assets.shared.quoting import literal
from assets.shared.warehouse import fetch_row, fetch_value


def text_records(
    con: duckdb.DuckDBPyConnection, path: Path, label: str, table: TableMapping, max_rows: int | None = None
) -> Records:
    """The views of a text file. Raises FileRefused where it cannot be read, or lacks a mapped column."""
    _load_lines(con, path, label, table, max_rows)
    header, header_line = _header(con, label, table)
    # Before the costly part: a file without its columns is refused at once.
    positions_of(label, header, table)
    join_quoted_lines(con, Grammar(table), len(header))
    con.execute(
        """
        create temp view record_texts as
        select line_number, line as raw_text from raw_lines
        where trim(line) <> '' and line_number not in (select line_number from swallowed_lines)
        union all
        select line_number, text from joined_records
        """
    )
    return split_texts(con, label, header, table, header_line)


def split_texts(
    con: duckdb.DuckDBPyConnection, label: str, header: tuple[str, ...], table: TableMapping, header_line: str = ""
) -> Records:
    """The view `records` over the texts of `record_texts`."""
    positions = positions_of(label, header, table)
    raw = {ref: (raw_name(at), "VARCHAR") for ref, at in positions.items()}
    grammar = Grammar(table)
    # Files that were put one after the other bring their header again.
    again = f"raw_text = {literal(header_line)}" if header_line else "false"
    fields = ",\n".join(
        f"case when shape_rule is null then field_values[{at + 1}] end as {raw_name(at)}"
        for at in sorted(set(positions.values()))
    )
    n_columns = len(header)
    short = f"n_fields < {n_columns}" if table.short_rows == "quarantine" else "false"
    con.execute(
        f"""
        create temp view records as
        with split as (
            select line_number, raw_text, {grammar.fields("raw_text")} as fields from record_texts
        ),
        counted as (
            select
                line_number,
                {grammar.values("raw_text", "fields")} as field_values,
                len(fields) as n_fields,
                contains(raw_text, chr(0)) as has_nul,
                {again} as is_header,
                {grammar.is_malformed("raw_text", "fields")} as is_malformed
            from split
        ),
        judged as (
            select
                line_number,
                field_values,
                n_fields,
                case
                    when is_header then 'repeated_header'
                    when has_nul then 'nul_byte'
                    when is_malformed then 'malformed_quotes'
                    when {short} or n_fields > {n_columns} then 'wrong_number_of_columns'
                end as shape_rule
            from counted
        )
        select
            line_number,
            shape_rule,
            case shape_rule
                when 'repeated_header' then 'the header stands here again'
                when 'nul_byte' then {literal(NUL_REASON)}
                when 'malformed_quotes' then 'a quote is not closed, or text follows a closing quote'
                when 'wrong_number_of_columns' then
                    concat('{n_columns} columns expected, ', n_fields, ' found')
            end as shape_reason,
            {fields}
        from judged
        """
    )
    return Records(label, header, tuple((name, "VARCHAR") for name in header), raw)


def count_text_records(con: duckdb.DuckDBPyConnection) -> int:
    """Records of the file, counted from its lines and not from `records`: the other side of the conservation check."""
    return fetch_value(
        con,
        """
        select
            (select count(*) from raw_lines where trim(line) <> '')
            - (select count(*) from swallowed_lines inner join raw_lines using (line_number) where trim(line) <> '')
            + (select count(*) from joined_records)
        """,
    )


def _load_lines(
    con: duckdb.DuckDBPyConnection, path: Path, label: str, table: TableMapping, max_rows: int | None
) -> None:
    """Table `raw_lines` (line_number, line) without the skipped ones; blank lines stay, quoted fields may need them."""
    con.execute("create or replace temp table raw_lines (line_number bigint, line varchar)")
    last = None if max_rows is None else max_rows + table.skip_lines + 1
    for batch in read_lines(path, table.encoding):
        con.register("line_batch", batch)
        con.execute(
            "insert into raw_lines select line_number, line from line_batch where line_number > ? and line_number <= ?",
            [table.skip_lines, last if last is not None else 2**62],
        )
        con.unregister("line_batch")
        if last is not None and batch["line_number"][-1].as_py() >= last:
            break
    if fetch_value(con, "select count(*) from raw_lines where trim(line) <> ''") == 0:
        raise FileRefused(
            "empty",
            f"{label} is empty" + (f" after {table.skip_lines} skipped lines" if table.skip_lines else ""),
            "export it again, or move it out of the folder" + ("; it lacks even the header" if table.header else ""),
        )


def _header(con: duckdb.DuckDBPyConnection, label: str, table: TableMapping) -> tuple[tuple[str, ...], str]:
    """Names of the file's columns, and the header line, which leaves `raw_lines`. Without a header: the given names, or
    as many positions as most of the first lines have fields."""
    grammar = Grammar(table)
    if not table.header:
        if table.column_names:
            return table.column_names, ""
        # The first lines, because one ragged line must not decide for the file.
        n = fetch_value(
            con,
            f"""
            select mode(n) from (
                select len({grammar.fields("line")}) as n from raw_lines
                where trim(line) <> '' order by line_number limit 1000
            )
            """,
        )
        return tuple(str(at + 1) for at in range(n)), ""
    line_number, line = fetch_row(
        con, "select line_number, line from raw_lines where trim(line) <> '' order by line_number limit 1"
    )
    values = grammar.values("line", grammar.fields("line"))
    names = fetch_value(con, f"select {values} from (select ? as line)", [line])
    con.execute("delete from raw_lines where line_number <= ?", [line_number])
    header = tuple((name or "").strip() for name in names)
    if not any(header):
        raise FileRefused(
            "no_header", f"{label}: line {line_number} holds no column names", "set `header: false` or `skip_lines`"
        )
    return header, line
