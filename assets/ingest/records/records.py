"""One file as rows of raw values: which of its columns hold the mapped ones, and how many rows there are.

In: a path and its mapping. Out: on the given connection the temporary views
- `records` (line_number, shape_rule, shape_reason, raw_1 …): one row a record with every column of the file;
  `shape_rule` is set when the record could not be split into these, and its fields are then NULL,
- `record_texts` (line_number, raw_text): the record as the file has it,
and a `Records` that says which raw column is which. Types, meanings and rules of values do not belong here
(`conversion`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import duckdb

from assets.ingest.mapping.language import ColumnRef, did_you_mean
from assets.ingest.mapping.source import TableMapping
from assets.ingest.refusals import FileRefused

#: Why a row with a NUL byte is refused.
NUL_REASON = "it holds a NUL byte, which no text has: the file is damaged here"


@dataclass(frozen=True)
class Records:
    """The file's columns, and the raw columns of the view `records` that hold the mapped ones."""

    file: str
    header: tuple[str, ...]
    #: (name, DuckDB type) of every column: what is needed to read a quarantined row of the file again
    columns: tuple[tuple[str, str], ...] = ()
    #: source column as the mapping refers to it -> (name in `records`, DuckDB type)
    raw: Mapping[ColumnRef, tuple[str, str]] = field(default_factory=dict)
    is_text: bool = True

    @property
    def unmapped(self) -> list[str]:
        """Columns of the file that the mapping does not use."""
        used = {alias for alias, _ in self.raw.values()}
        return [name for at, name in enumerate(self.header) if raw_name(at) not in used]


def raw_name(at: int) -> str:
    """What the view `records` calls the file's column at position `at`, from 0."""
    return f"raw_{at + 1}"


def drop_views(con: duckdb.DuckDBPyConnection) -> None:
    """Remove the views of the file before."""
    for name in ("records", "record_texts"):
        con.execute(f"drop view if exists {name}")


# -- Where the mapped columns are -----------------------------------------------------------------------------------


def positions_of(label: str, header: tuple[str, ...], table: TableMapping) -> dict[ColumnRef, int]:
    """Each mapped column's position in the file, from 0. Exact names first, then without regard to case.

    Raises FileRefused when the file lacks one that must be there, or has its name twice."""
    positions: dict[ColumnRef, int] = {}
    missing: list[ColumnRef] = []
    for ref, is_optional in table.mapped_columns().items():
        found = _places(ref, header)
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


def _places(ref: ColumnRef, header: tuple[str, ...]) -> list[int]:
    if isinstance(ref, int):
        return [ref - 1] if ref <= len(header) else []
    exact = [at for at, name in enumerate(header) if name == ref]
    return exact or [at for at, name in enumerate(header) if name.casefold() == ref.strip().casefold()]


def _missing_columns(label: str, missing: list[ColumnRef], header: tuple[str, ...], table: TableMapping) -> FileRefused:
    needed_by = {ref: table.needed_by(ref) for ref in missing}
    first = missing[0]
    if len(missing) == 1:
        what = f"{label}: column {first!r}, mapped to {needed_by[first]}, is not in the file"
    else:
        named = ", ".join(f"{ref!r} ({names})" for ref, names in needed_by.items())
        what = f"{label}: the columns {named} are not in the file"
    return FileRefused("missing_column", what, _missing_remedy(missing, header, table))


#: Characters that separate columns in most files.
DELIMITERS = (";", ",", "\t", "|")


def shown_delimiter(delimiter: str) -> str:
    """As the YAML has it."""
    return "tab" if delimiter == "\t" else repr(delimiter)


def _are_values(header: tuple[str, ...]) -> bool:
    """Is it a row rather than names of columns? Names begin with letters and stand once."""
    cells = [cell for cell in header if cell]
    return sum(cell[0].isdigit() or cell[0] in "-+" for cell in cells) * 2 >= len(cells) > 0


def _missing_remedy(missing: list[ColumnRef], header: tuple[str, ...], table: TableMapping) -> str:
    if len(header) == 1:
        other = next((d for d in DELIMITERS if d in header[0] and d != table.delimiter), None)
        if other:
            return f"the file's only column is {header[0]!r}: set `delimiter` to {shown_delimiter(other)}"
    if isinstance(missing[0], int):
        return f"the file has {len(header)} columns; positions count from 1"
    if not table.header:
        return (
            f"by the mapping the file has no header: refer to its {len(header)} columns by position "
            "(customer_id: 1), or name them in their order: `column_names: [A, B, C]`"
        )
    if len(missing) > 1 and _are_values(header):
        return (
            f"its first line holds values and no names: set `header: false` and refer to the {len(header)} columns by "
            f"position (customer_id: 1), or name them in their order: `column_names: [A, B, C]`. It says: "
            f"{', '.join(header)}"
        )
    if len(missing) > 1:
        return f"correct the mapping or the file, which has: {', '.join(header)}"
    return f"correct the mapping or the file; {did_you_mean(missing[0], header)}"
