"""Text inside generated SQL.

In: a Python string. Out: an SQL literal that means exactly that string. Views and the expressions that a mapping
turns into cannot take bound parameters, so text enters generated SQL through this module and nowhere else.
Identifiers do not belong here (`assets.shared.warehouse.quoted`).
"""

from collections.abc import Iterable
from pathlib import Path


def literal(text: str) -> str:
    """`text` as an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[str]) -> str:
    """A parenthesised list for `in`."""
    return "(" + ", ".join(literal(text) for text in texts) + ")"


def path_literal(path: Path) -> str:
    """A file path for DuckDB's readers, which would take `*`, `?` and `[` in a folder's name for wildcards."""
    escaped = "".join(f"[{c}]" if c in "*?[" else c for c in str(path))
    return literal(escaped)


def path_list(paths: Iterable[Path]) -> str:
    """A list of file paths for DuckDB's readers."""
    return "[" + ", ".join(path_literal(path) for path in paths) + "]"
