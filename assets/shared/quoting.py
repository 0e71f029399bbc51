"""Names and texts inside generated SQL, for DuckDB and Postgres alike.

In: a Python value. Out: an SQL identifier or literal that means exactly that value. A statement takes its values as
parameters; what takes none (names, attach, copy, comments, the definition of a view, the expressions that a mapping
turns into) is written through this module and nowhere else.
"""

from collections.abc import Iterable
from pathlib import Path


def identifier(name: str) -> str:
    """`name` as one identifier: a dot in it is part of the name."""
    return '"' + name.replace('"', '""') + '"'


def quoted(name: str) -> str:
    """An identifier such as `schema.table`, quoted part by part."""
    return ".".join(map(identifier, name.split(".")))


def literal(value: object) -> str:
    """The text of `value` as a literal. Backslashes mean themselves."""
    return "'" + str(value).replace("'", "''") + "'"


def literals(texts: Iterable[object]) -> str:
    """A parenthesised list for `in`."""
    return "(" + ", ".join(map(literal, texts)) + ")"


def lowered(texts: Iterable[object]) -> str:
    """A parenthesised list for `lower(…) in`, in lower case as the engine makes it: Python's differs at times."""
    return "(" + ", ".join(f"lower({literal(text)})" for text in texts) + ")"


def path_literal(path: Path) -> str:
    """A file path for DuckDB's readers, which would take `*`, `?` and `[` in a folder's name for wildcards."""
    return literal("".join(f"[{c}]" if c in "*?[" else c for c in str(path)))


def path_list(paths: Iterable[Path]) -> str:
    """A list of file paths for DuckDB's readers."""
    return "[" + ", ".join(map(path_literal, paths)) + "]"
