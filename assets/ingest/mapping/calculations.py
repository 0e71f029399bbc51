"""Numbers that are made of several cells, or changed on the way: their SQL.

In: the cells of a row. Out: one number of the column's type, or NULL where one of its cells cannot be read. The keys
are those of `ColumnMapping`; how a single number is written does not belong here (`numbers`).
"""

from assets.ingest.canonical import Column
from assets.ingest.mapping.columns import ColumnKeys, RawColumns, text_sql
from assets.ingest.mapping.numbers import NumberKeys, is_number_type, number_sql
from assets.shared.quoting import lowered


def given_parts(raw: RawColumns, keys: ColumnKeys, column: Column) -> list[str]:
    """Select list: the cells of the parts, what the column of its sign says, and -1 or 1 for it (NULL where that is
    unknown), of a number that is calculated."""
    mapping = keys.columns[column.name]
    found = []
    for at, part in enumerate(mapping.parts):
        alias, kind = raw.get(part.ref, ("null", "VARCHAR"))
        cell = alias if is_number_type(kind) else text_sql(keys, alias, kind, mapping)
        if not is_number_type(kind):
            cell = mapping.through_steps(cell, column)
        found.append(f"{cell} as {_part(column, at)}")
    if mapping.sign is not None:
        flag = text_sql(keys, *raw[mapping.sign.column])
        arms = [
            f"when coalesce(lower({flag}), '') in {lowered(texts)} then {sign}"
            for texts, sign in ((mapping.sign.negative, -1), (mapping.sign.known_positive, 1))
            if texts
        ]
        found.append(f"{flag} as sign_{column.name}")
        found.append(f"case {' '.join(arms)} end as side_{column.name}")
    return found


def calculated_sql(
    raw: RawColumns, keys: ColumnKeys, numbers: NumberKeys, column: Column, kind: str, marks: str
) -> str:
    """Expression: the number. `kind`: the DuckDB type as which a number of one cell is given."""
    mapping = keys.columns[column.name]
    if not mapping.parts:
        total = _cell(f"given_{column.name}", kind, numbers, column, marks)
    else:
        cells = [
            (_part(column, at), _cell(_part(column, at), raw.get(part.ref, ("", "VARCHAR"))[1], numbers, column, marks))
            for at, part in enumerate(mapping.parts)
        ]
        unread = " or ".join(f"({given} is not null and {number} is null)" for given, number in cells)
        added = " ".join(
            f"{'-' if part.sign < 0 else '+'} coalesce({number}, 0)"
            for part, (_, number) in zip(mapping.parts, cells, strict=True)
        )
        total = f"case when given_{column.name} is not null and not ({unread}) then {added.removeprefix('+ ')} end"
    if mapping.sign is not None:
        side = f"side_{column.name}"
        total = f"case when {side} < 0 then -({total}) when {side} > 0 then {total} end"
    if mapping.negate:
        total = f"-({total})"
    if mapping.scale != 1:
        # Of 19 digits: up to 18 the engine computes in 64 bits and stops at the first overflow.
        total = f"cast({total} as decimal(19,4)) * cast({mapping.scale!r} as decimal(18,8))"
    return f"try_cast({total} as {column.type})"


def _part(column: Column, at: int) -> str:
    return f"part_{at}_{column.name}"


def _cell(given: str, kind: str, numbers: NumberKeys, column: Column, marks: str) -> str:
    if is_number_type(kind):
        return f"try_cast({given} as {column.type})"
    return number_sql(given, numbers, column.type, marks)
