"""One file as rows of raw text: lines split into fields, quoting undone, every line accounted for.

In: a path and its `TableMapping`. Out: on the given connection the temporary views
- `records` (line_number, shape_rule, shape_reason, raw_1 …): one row a record; `shape_rule` is set when the record
  could not be split into the file's columns, and its fields are then NULL,
- `record_texts` (line_number, raw_text): the record as the file has it,
and a `Records` that says which raw column is which. Types, meanings and rules of values do not belong here
(`conversion`).

A text file is split here and not by the engine's CSV reader, because every non-blank line must end up in exactly one
record: a stray quote may cost its own line, never the ones after it.
"""

from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from assets.ingest.mapping import ColumnRef, TableMapping, did_you_mean
from assets.ingest.refusals import FileRefused
from assets.ingest.text_lines import read_lines
from assets.shared.quoting import identifier, literal, path_literal

#: A quoted field may span lines. One that spans more is a quote that was never closed.
MAX_QUOTED_LINES = 200


@dataclass(frozen=True)
class Records:
    """The file's columns, and the raw columns of the view `records` that hold the mapped ones."""

    file: str
    header: tuple[str, ...]
    #: (name, DuckDB type) of every column: what is needed to read a quarantined row of the file again
    columns: tuple[tuple[str, str], ...] = ()
    #: source column as the mapping refers to it -> (name in `records`, DuckDB type)
    raw: dict[ColumnRef, tuple[str, str]] = field(default_factory=dict)
    is_text: bool = True


def is_parquet(path: Path, table: TableMapping) -> bool:
    return (table.format or ("parquet" if path.suffix.lower() in (".parquet", ".pq") else "csv")) == "parquet"


def read_records(
    con: duckdb.DuckDBPyConnection, path: Path, label: str, table: TableMapping, max_rows: int | None = None
) -> Records:
    """Make the views `records` and `record_texts` of the file. `label` is how the user knows the file, `max_rows`
    reads only its beginning.

    Raises FileRefused when the whole file is unusable: not readable, empty, or without a column that the mapping needs.
    """
    for name in ("records", "record_texts"):
        con.execute(f"drop view if exists {name}")
    if is_parquet(path, table):
        return _parquet_records(con, path, label, table, max_rows)
    return _text_records(con, path, label, table, max_rows)


def mapped_columns(table: TableMapping) -> dict[ColumnRef, bool]:
    """Every column of the file that the mapping refers to -> may it be absent."""
    refs: dict[ColumnRef, bool] = {}
    for column in table.columns.values():
        for ref in column.columns:
            refs[ref] = refs.get(ref, True) and column.optional
    if table.return_flag:
        refs[table.return_flag.column] = False
    return refs


def _positions(label: str, header: tuple[str, ...], table: TableMapping) -> dict[ColumnRef, int]:
    """Each mapped column's position in the file, from 0. Exact names first, then without regard to case."""
    positions: dict[ColumnRef, int] = {}
    missing: list[ColumnRef] = []
    for ref, is_optional in mapped_columns(table).items():
        if isinstance(ref, int):
            found = [ref - 1] if ref <= len(header) else []
        else:
            found = [i for i, name in enumerate(header) if name == ref] or [
                i for i, name in enumerate(header) if name.casefold() == ref.strip().casefold()
            ]
        if len(found) > 1:
            raise FileRefused(
                "ambiguous_column",
                f"{label}: column {ref!r} stands {len(found)} times in the header",
                "refer to it by its position, counted from 1",
            )
        if found:
            positions[ref] = found[0]
        elif not is_optional:
            missing.append(ref)
    if missing:
        raise _missing_columns(label, missing, header, table)
    return positions


def _missing_columns(label: str, missing: list[ColumnRef], header: tuple[str, ...], table: TableMapping) -> FileRefused:
    needed_by = {
        ref: ", ".join(name for name, column in table.columns.items() if ref in column.columns) or "returns"
        for ref in missing
    }
    first = missing[0]
    if len(missing) == 1:
        what = f"{label}: column {first!r}, mapped to {needed_by[first]}, is not in the file"
    else:
        named = ", ".join(f"{ref!r} ({names})" for ref, names in needed_by.items())
        what = f"{label}: the columns {named} are not in the file"
    if len(header) == 1:
        other = next((d for d in (";", ",", "\t", "|") if d in header[0] and d != table.delimiter), None)
        if other:
            shown = "tab" if other == "\t" else repr(other)
            return FileRefused(
                "missing_column", what, f"the file's only column is {header[0]!r}: set `delimiter` to {shown}"
            )
    if isinstance(first, int):
        return FileRefused("missing_column", what, f"the file has {len(header)} columns; positions count from 1")
    if len(missing) > 1:
        return FileRefused("missing_column", what, f"correct the mapping or the file, which has: {', '.join(header)}")
    return FileRefused("missing_column", what, f"correct the mapping or the file; {did_you_mean(first, header)}")


# -- Parquet ------------------------------------------------------------------------------------------------------


def _parquet_records(
    con: duckdb.DuckDBPyConnection, path: Path, label: str, table: TableMapping, max_rows: int | None
) -> Records:
    rows = f"read_parquet({path_literal(path)}, file_row_number = true)"
    try:
        described = con.execute(f"select * from {rows} limit 0").description
        types = {name: str(kind) for name, kind, *_ in described if name != "file_row_number"}
        con.execute(f"select count(*) from {rows}").fetchone()
    except duckdb.Error as error:
        raise damaged_parquet(label, error) from None
    return relation_records(con, rows, types, label, table, max_rows)


#: What the engine says of a file whose end, where Parquet keeps its table of contents, is not there.
_NO_END = ("No magic bytes", "too small to be a Parquet", "Footer length")


def damaged_parquet(label: str, error: duckdb.Error) -> FileRefused:
    """The refusal of a file that the engine could not read as Parquet."""
    why = _first_line(error)
    if "file_row_number" in why:
        return FileRefused(
            "reserved_column",
            f"{label} has a column file_row_number, by which the reader itself counts rows",
            "rename the column in the export",
        )
    if any(words in why for words in _NO_END):
        why = "its end is missing, so it was cut short, is still being written, or is no Parquet file"
    return FileRefused(
        "damaged_parquet", f"{label} cannot be read as Parquet: {why}", "wait until it is complete, or export it again"
    )


def relation_records(
    con: duckdb.DuckDBPyConnection,
    rows: str,
    types: dict[str, str],
    label: str,
    table: TableMapping,
    max_rows: int | None = None,
) -> Records:
    """The views from a relation with typed columns `types` and a `file_row_number` counted from 0."""
    header = tuple(types)
    positions = _positions(label, header, table)
    raw = {ref: (f"raw_{at + 1}", types[header[at]]) for ref, at in positions.items()}
    columns = ", ".join(f"{identifier(header[at])} as raw_{at + 1}" for at in sorted(set(positions.values())))
    limit = f"where file_row_number < {max_rows:d}" if max_rows else ""
    texts = sorted({header[at] for at in positions.values() if types[header[at]] == "VARCHAR"})
    shape = _nul_rule([identifier(name) for name in texts])
    con.execute(
        f"""
        create temp view records as
        select
            file_row_number + 1 as line_number,
            {shape},
            {columns}
        from {rows} {limit}
        """
    )
    everything = ", ".join(f"{identifier(name)} := {identifier(name)}" for name in header)
    con.execute(
        f"""
        create temp view record_texts as
        select file_row_number + 1 as line_number, cast(to_json(struct_pack({everything})) as varchar) as raw_text
        from {rows} {limit}
        """
    )
    return Records(label, header, tuple(types.items()), raw, is_text=False)


def kept_records(
    con: duckdb.DuckDBPyConnection, label: str, columns: tuple[tuple[str, str], ...], is_text: bool, table: TableMapping
) -> Records:
    """The view `records` over texts that were kept: a table `record_texts` (line_number, raw_text) is there already,
    and `columns` are the ones its file had."""
    con.execute("drop view if exists records")
    if is_text:
        return _split_texts(con, label, tuple(name for name, _ in columns), table)
    header = tuple(name for name, _ in columns)
    types = {
        name: "VARCHAR" if any(mark in kind for mark in "(<[") and not kind.startswith("DECIMAL") else kind
        for name, kind in columns
    }
    positions = _positions(label, header, table)
    raw = {ref: (f"raw_{at + 1}", types[header[at]]) for ref, at in positions.items()}
    text = {at: f"json_extract_string(raw_text, {literal(_pointer(header[at]))})" for at in positions.values()}
    shape = _nul_rule([text[at] for at in sorted(text) if types[header[at]] == "VARCHAR"])
    fields = ", ".join(f"try_cast({text[at]} as {types[header[at]]}) as raw_{at + 1}" for at in sorted(text))
    con.execute(
        f"""
        create temp view records as
        select line_number, {shape}, {fields}
        from record_texts
        """
    )
    return Records(label, header, columns, raw, is_text=False)


def _pointer(name: str) -> str:
    """Where a JSON object holds `name` (RFC 6901): a path in the engine's own form knows no quote inside a name."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


_NUL_REASON = "it holds a NUL byte, which no text has: the file is damaged here"


def _nul_rule(texts: list[str]) -> str:
    """The columns shape_rule and shape_reason of typed rows, given the expressions of their texts."""
    has_nul = " or ".join(f"coalesce(contains({text}, chr(0)), false)" for text in texts) or "false"
    return (
        f"case when {has_nul} then 'nul_byte' end as shape_rule, "
        f"case when {has_nul} then {literal(_NUL_REASON)} end as shape_reason"
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


# -- Text ---------------------------------------------------------------------------------------------------------


def _text_records(
    con: duckdb.DuckDBPyConnection, path: Path, label: str, table: TableMapping, max_rows: int | None
) -> Records:
    _load_lines(con, path, label, table, max_rows)
    header, header_line = _header(con, label, table)
    # Before the costly part: a file without its columns is refused at once.
    _positions(label, header, table)
    _join_quoted_lines(con, _Grammar(table), len(header))
    con.execute(
        """
        create temp view record_texts as
        select line_number, line as raw_text from raw_lines
        where trim(line) <> '' and line_number not in (select line_number from swallowed_lines)
        union all
        select line_number, text from joined_records
        """
    )
    return _split_texts(con, label, header, table, header_line)


def _split_texts(
    con: duckdb.DuckDBPyConnection, label: str, header: tuple[str, ...], table: TableMapping, header_line: str = ""
) -> Records:
    """The view `records` over the texts of `record_texts`."""
    positions = _positions(label, header, table)
    raw = {ref: (f"raw_{at + 1}", "VARCHAR") for ref, at in positions.items()}
    grammar = _Grammar(table)
    # Files that were put one after the other bring their header again.
    again = f"raw_text = {literal(header_line)}" if header_line else "false"
    fields = ",\n".join(
        f"case when shape_rule is null then field_values[{at + 1}] end as raw_{at + 1}"
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
                when 'nul_byte' then {literal(_NUL_REASON)}
                when 'malformed_quotes' then 'a quote is not closed, or text follows a closing quote'
                when 'wrong_number_of_columns' then
                    concat('{n_columns} columns expected, ', n_fields, ' found')
            end as shape_reason,
            {fields}
        from judged
        """
    )
    return Records(label, header, tuple((name, "VARCHAR") for name in header), raw)


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
    if con.execute("select count(*) from raw_lines where trim(line) <> ''").fetchone()[0] == 0:
        raise FileRefused(
            "empty",
            f"{label} is empty" + (f" after {table.skip_lines} skipped lines" if table.skip_lines else ""),
            "export it again, or move it out of the folder" + ("; it lacks even the header" if table.header else ""),
        )


def _header(con: duckdb.DuckDBPyConnection, label: str, table: TableMapping) -> tuple[tuple[str, ...], str]:
    """Names of the file's columns, and the header line, which leaves `raw_lines`. Without a header: the given names, or
    as many positions as most of the first lines have fields."""
    grammar = _Grammar(table)
    if not table.header:
        if table.column_names:
            return table.column_names, ""
        # The first lines, because one ragged line must not decide for the file.
        n = con.execute(
            f"""
            select mode(n) from (
                select len({grammar.fields("line")}) as n from raw_lines
                where trim(line) <> '' order by line_number limit 1000
            )
            """
        ).fetchone()[0]
        return tuple(str(at + 1) for at in range(n)), ""
    line_number, line = con.execute(
        "select line_number, line from raw_lines where trim(line) <> '' order by line_number limit 1"
    ).fetchone()
    values = grammar.values("line", grammar.fields("line"))
    names = con.execute(f"select {values} from (select ? as line)", [line]).fetchone()[0]
    con.execute("delete from raw_lines where line_number <= ?", [line_number])
    header = tuple((name or "").strip() for name in names)
    if not any(header):
        raise FileRefused(
            "no_header", f"{label}: line {line_number} holds no column names", "set `header: false` or `skip_lines`"
        )
    return header, line


class _Grammar:
    """SQL expressions that split one record's text into fields, for the delimiter, quote and escape of a mapping.

    With quoting, a field is a quoted one (blanks around it allowed, the quote doubled inside or escaped), or one that
    does not start with a quote (a quote further inside is text, as in `27" monitor`).
    """

    def __init__(self, table: TableMapping):
        self.delimiter = table.delimiter
        self.is_whitespace = table.delimiter == "whitespace"
        self.quote = "" if self.is_whitespace else table.quote
        self.escape = table.escape if table.escape != table.quote else None
        d, q, e = (_in_class(c) for c in (table.delimiter[0], self.quote, self.escape or ""))
        if self.quote:
            body = f"(?:[^{q}]|{q}{q})*" if not self.escape else f"(?:[^{q}{e}]|{e}(?s:.)|{q}{q})*"
            blanks = "" if self.delimiter == " " else "[ ]*"
            quoted = f"{blanks}{q}{body}{q}{blanks}"
            self._lenient = f"{d}({quoted}|{blanks}(?:[^{d}{q} ][^{d}]*)?)"
            self._strict = f"{d}({quoted}|[^{d}{q}]*)"

    def fields(self, text: str, pattern: str | None = None) -> str:
        """The list of fields, still quoted."""
        if self.is_whitespace:
            return f"string_split_regex(trim({text}, {_BLANKS}), '[ \\t]+')"
        plain = f"string_split({text}, {literal(self.delimiter)})"
        if not self.quote:
            return plain
        by_pattern = (
            f"regexp_extract_all(concat({literal(self.delimiter)}, {text}), {literal(pattern or self._lenient)}, 1)"
        )
        return f"case when contains({text}, {literal(self.quote)}) then {by_pattern} else {plain} end"

    def is_malformed(self, text: str, fields: str) -> str:
        """True when the fields and their delimiters do not make up the whole text."""
        if not self.quote:
            return "false"
        found = f"coalesce(list_sum(list_transform({fields}, lambda f: length(f))), 0) + len({fields})"
        return f"(contains({text}, {literal(self.quote)}) and {found} <> length({text}) + 1)"

    def strict_fields(self, text: str) -> str:
        """As `fields`, but a quote inside an unquoted field matches nothing: for text joined from several lines."""
        return self.fields(text, self._strict)

    def n_quotes(self, text: str) -> str:
        """How many quotes the text holds, escaped ones not counted."""
        if self.escape:
            text = f"regexp_replace({text}, {literal(_in_class(self.escape) + '(?s:.)')}, '', 'g')"
        return f"length({text}) - length(replace({text}, {literal(self.quote)}, ''))"

    def unquoted(self, field: str) -> str:
        """The field's value."""
        if not self.quote:
            return field
        q = literal(self.quote)
        inner = f"replace(trim({field})[2:-2], {literal(self.quote * 2)}, {q})"
        if self.escape:
            inner = f"regexp_replace({inner}, {literal(_in_class(self.escape) + '((?s:.))')}, '\\1', 'g')"
        return f"case when starts_with(ltrim({field}), {q}) then {inner} else {field} end"

    def values(self, text: str, fields: str) -> str:
        """The list of the fields' values."""
        if not self.quote:
            return fields
        unquoted = f"list_transform({fields}, lambda f: {self.unquoted('f')})"
        return f"case when contains({text}, {literal(self.quote)}) then {unquoted} else {fields} end"


_BLANKS = "concat(' ', chr(9))"


def _in_class(character: str) -> str:
    """A character for use in a regular expression, inside brackets or alone."""
    return f"\\x{{{ord(character):x}}}" if character else ""


def _join_quoted_lines(con: duckdb.DuckDBPyConnection, grammar: _Grammar, n_columns: int) -> None:
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


def count_records(con: duckdb.DuckDBPyConnection, records: Records) -> int:
    """Records of the file, counted from its lines and not from `records`: the other side of the conservation check."""
    if not records.is_text:
        return con.execute("select count(*) from record_texts").fetchone()[0]
    return con.execute(
        """
        select
            (select count(*) from raw_lines where trim(line) <> '')
            - (select count(*) from swallowed_lines inner join raw_lines using (line_number) where trim(line) <> '')
            + (select count(*) from joined_records)
        """
    ).fetchone()[0]


def unmapped_columns(records: Records) -> list[str]:
    """Columns of the file that the mapping does not use."""
    used = {alias for alias, _ in records.raw.values()}
    return [name for at, name in enumerate(records.header) if f"raw_{at + 1}" not in used]
