"""Rules that refuse a row, as SQL: what each kind of value and each key adds to the list.

In: nothing. Out: `Rule`, and the pieces of SQL that reasons are written with. The rules themselves stand with the keys
and kinds that they are about; the order in which they are tried is that of `conversion`.
"""

from typing import NamedTuple

from assets.ingest.canonical import Column

#: The rule of rows that nobody wants: they are left out on purpose, which is no refusal.
LEFT_OUT = "left_out"


class Rule(NamedTuple):
    """`name` stays the same between releases; `condition` and `reason` are SQL over the row, the reason a text."""

    name: str
    condition: str
    reason: str


def shown(column: Column) -> str:
    """Expression: the beginning of what the file gave, for a reason."""
    return f"left(cast(given_{column.name} as varchar), 60)"


def is_unread(column: Column) -> str:
    """Condition: there is a value, and it could not be read as what it should be."""
    return f"given_{column.name} is not null and typed_{column.name} is null"
