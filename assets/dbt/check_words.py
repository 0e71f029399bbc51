"""What a data test of the dbt project checks, in words, for the pages of Dagster.

In: a test's node. Out: its own description, else a sentence from its arguments or from the comment that its SQL begins
with.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

_SENTENCES: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "unique_key": lambda given: f"No two rows have the same {_list(given['columns'])}, and none is empty.",
    "expressions_true": lambda given: "True in every row: " + "; ".join(map(_one_line, given["expressions"])) + ".",
    "unique": lambda given: f"No two rows have the same {given['column_name']}.",
    "not_null": lambda given: f"{given['column_name']} is never empty.",
    "accepted_values": lambda given: f"{given['column_name']} is one of {', '.join(map(str, given['values']))}.",
    "relationships": lambda given: f"Every {given['column_name']} is a {given['field']} of {_table_of(given['to'])}.",
}


def describe_check(node: Mapping[str, Any]) -> str:
    """One or a few sentences. Raises KeyError for a kind of generic test that has no sentence here."""
    if node.get("description"):
        return node["description"]
    test = node.get("test_metadata")
    return _SENTENCES[test["name"]](test["kwargs"]) if test else _opening_comment(node["raw_code"])


def _opening_comment(sql: str) -> str:
    """The comment that a file begins with, as one line."""
    block = re.match(r"\s*\{#-?(.*?)-?#\}", sql, re.DOTALL)
    if block:
        return _one_line(block[1])
    lines = []
    for line in sql.splitlines():
        if not line.startswith("--") or "depends_on" in line:
            break
        lines.append(line.removeprefix("--"))
    return _one_line(" ".join(lines))


def _table_of(reference: str) -> str:
    """`ref('reasons')` → `reasons`."""
    return re.sub(r".*'(\w+)'\)$", r"\1", reference)


def _list(columns: list[str]) -> str:
    return columns[0] if len(columns) == 1 else f"{', '.join(columns[:-1])} and {columns[-1]}"


def _one_line(text: str) -> str:
    return " ".join(text.split())
