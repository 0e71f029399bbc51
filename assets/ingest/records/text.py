"""A text file as records: lines split into fields, quoting undone, every line accounted for.

In: a path. Out: the views `records` and `record_texts` (see `records`). A text file is split here and not by the
engine's CSV reader, because every non-blank line must end up in exactly one record.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from assets.ingest.mapping.rules import LEFT_OUT
from assets.ingest.mapping.source import TableMapping
from assets.ingest.mapping.text_layout import Grammar, TextKeys, beginning_of
from assets.ingest.records.quoted_lines import join_quoted_lines
from assets.ingest.records.records import DELIMITERS, NUL_REASON, Records, positions_of, raw_name, shown_delimiter
from assets.ingest.records.text_lines import read_lines
from assets.ingest.refusals import FileRefused
from assets.shared.quoting import literal
from assets.shared.warehouse import fetch_row, fetch_value

#: `header: find` looks at so many lines: exports explain themselves in dozens, never in hundreds.
HEADER_IS_WITHIN = 200


def text_records(
    con: duckdb.DuckDBPyConnection, path: Path, label: str, table: TableMapping, max_rows: int | None = None
) -> Records:
    """The views of a text file. Raises FileRefused where it cannot be read, or lacks a mapped column."""
    is_whole = _load_lines(con, path, label, table, max_rows)
    header, header_line = _header(con, label, table)
    _mark_last_lines(con, table, is_whole)
    # Before the costly part: a file without its columns is refused at once.
    try:
        positions_of(label, header, table)
    except FileRefused as error:
        raise _with_place_of_header(con, table, error) from None
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
    con.execute("create temp table if not exists last_lines (line_number bigint)")
    positions = positions_of(label, header, table)
    raw = {ref: (raw_name(at), "VARCHAR") for ref, at in positions.items()}
    grammar = Grammar(table)
    # Files that were put one after the other bring their header again.
    again = f"raw_text = {literal(header_line)}" if header_line else "false"
    fields = ",\n".join(
        f"case when shape_rule is null then field_values[{at + 1}] end as {raw_name(at)}" for at in range(len(header))
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
                raw_text,
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
                    when {_is_footer(table)} then '{LEFT_OUT}'
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


def _mark_last_lines(con: duckdb.DuckDBPyConnection, table: TextKeys, is_whole: bool) -> None:
    """Table `last_lines` (line_number) of a footer that is a number of lines. The beginning of a file has none."""
    con.execute("create or replace temp table last_lines (line_number bigint)")
    if isinstance(table.footer, int) and is_whole:
        con.execute(
            "insert into last_lines select line_number from raw_lines where trim(line) <> '' "
            "order by line_number desc limit ?",
            [table.footer],
        )


def _is_footer(table: TextKeys) -> str:
    """Condition: is the record no row but a part of the footer?"""
    if isinstance(table.footer, int):
        return "line_number in (select line_number from last_lines)"
    if not table.footer:
        return "false"
    first = "lower(coalesce(list_filter(field_values, lambda f: trim(f) <> '')[1], ''))"
    return " or ".join(f"regexp_matches(trim({first}), {literal(beginning_of(word))})" for word in table.footer)


def _found_header(con: duckdb.DuckDBPyConnection, label: str, table: TableMapping) -> tuple[tuple[str, ...], str]:
    """The first line that names every column which must be there. It and all lines above it leave `raw_lines`."""
    wanted, lines = _wanted_names(table), _first_lines(con, table)
    for line_number, line, header in lines:
        if wanted <= _folded(header):
            con.execute("delete from raw_lines where line_number <= ?", [line_number])
            return header, line
    n, at, _ = max(((len(wanted & _folded(header)), -at, header) for at, _, header in lines), default=(0, 0, ()))
    nearest = f"line {-at} names {n} of them" if n else "no line names any of them"
    for other in DELIMITERS:
        split = [(number, [cell.strip(' "') for cell in line.split(other)]) for number, line, _ in lines]
        named = next((number for number, cells in split if wanted <= _folded(cells)), None)
        if named is not None and other != table.delimiter:
            nearest = f"line {named} names them all with another one: set `delimiter` to {shown_delimiter(other)}"
            break
    raise FileRefused(
        "no_header",
        f"{label}: none of its first {HEADER_IS_WITHIN} lines names all of the columns {', '.join(sorted(wanted))}",
        f"correct the mapping, `delimiter` or `encoding`; {nearest}",
    )


def _with_place_of_header(con: duckdb.DuckDBPyConnection, table: TableMapping, error: FileRefused) -> FileRefused:
    """The refusal of a file that lacks a column, with the line further down that has them all, if there is one."""
    wanted = _wanted_names(table)
    found = [at for at, _, header in _first_lines(con, table) if wanted and wanted <= _folded(header)]
    if not table.header or not found:
        return error
    return FileRefused(
        error.rule,
        error.what,
        f"the header stands in line {found[0]}: set `header: find` (or `skip_lines: {found[0] - 1}`)",
    )


def _wanted_names(table: TableMapping) -> set[str]:
    """The names of columns that must be there, in one case."""
    refs = table.mapped_columns().items()
    return {ref.strip().casefold() for ref, is_optional in refs if isinstance(ref, str) and not is_optional}


def _folded(header: Sequence[str]) -> set[str]:
    return {name.casefold() for name in header}


def _first_lines(con: duckdb.DuckDBPyConnection, table: TextKeys) -> list[tuple[int, str, tuple[str, ...]]]:
    """(line number, line, its fields) of the lines among which a header is looked for."""
    grammar = Grammar(table)
    values = grammar.values("line", grammar.fields("line"))
    return [
        (line_number, line, tuple((name or "").strip() for name in names))
        for line_number, line, names in con.execute(
            f"select line_number, line, {values} from raw_lines where trim(line) <> '' and line_number <= ? "
            "order by line_number",
            [HEADER_IS_WITHIN],
        ).fetchall()
    ]


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
) -> bool:
    """Table `raw_lines` (line_number, line) without the skipped ones; blank lines stay, quoted fields may need them.
    Returns whether the file ends there."""
    is_whole = True
    con.execute("create or replace temp table raw_lines (line_number bigint, line varchar)")
    above = HEADER_IS_WITHIN if table.header == "find" else table.skip_lines
    last = None if max_rows is None else max_rows + above + 1
    for batch in read_lines(path, table.encoding):
        con.register("line_batch", batch)
        con.execute(
            "insert into raw_lines select line_number, line from line_batch where line_number > ? and line_number <= ?",
            [table.skip_lines, last if last is not None else 2**62],
        )
        con.unregister("line_batch")
        if last is not None and batch["line_number"][-1].as_py() > last:
            is_whole = False
            break
    if fetch_value(con, "select count(*) from raw_lines where trim(line) <> ''") == 0:
        raise FileRefused(
            "empty",
            f"{label} is empty" + (f" after {table.skip_lines} skipped lines" if table.skip_lines else ""),
            "export it again, or move it out of the folder" + ("; it lacks even the header" if table.header else ""),
        )
    return is_whole


def _header(con: duckdb.DuckDBPyConnection, label: str, table: TableMapping) -> tuple[tuple[str, ...], str]:
    """Names of the file's columns, and the header line, which leaves `raw_lines`. Without a header: the given names, or
    as many positions as most of the first lines have fields."""
    grammar = Grammar(table)
    if table.header == "find":
        return _found_header(con, label, table)
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
