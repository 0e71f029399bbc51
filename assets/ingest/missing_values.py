"""Why a value is missing, where the rows that lack it share a reason: the amount stands in another column, or the rows
are no sales.

In: a connection with the views of one sampled file (`records`) and the table `converted`. Out: hints with the keys to
write into the mapping.
"""

import re
from collections.abc import Iterator, Mapping

import duckdb

from assets.ingest.mapping.columns import text_sql
from assets.ingest.mapping.conditions import KEYWORDS
from assets.ingest.mapping.numbers import number_sql
from assets.ingest.mapping.source import TableMapping
from assets.ingest.records.records import Records, raw_name
from assets.shared.warehouse import fetch_row

#: Fewer rows share much by chance.
MIN_MISSING = 3
#: The other half of an amount stands on at least so many of the rows without one, and on at most so many of the others.
EXPLAINED_SHARE, BOTH_SHARE = 0.9, 0.1
#: A column with more values among the rows that lack something is no kind of row.
MAX_KINDS = 5
#: A kind stands on many rows; what nearly every row has for itself is a name or a text.
ROWS_PER_KIND = 2
#: Kinds have names; amounts and days have none.
_NAMED = re.compile(r"[^\W\d_]")
_ESSENTIAL = ("customer_id", "occurred_at", "amount")


def guess_missing(
    con: duckdb.DuckDBPyConnection, records: Records, table: TableMapping, failing: Mapping[str, int]
) -> Iterator[str]:
    """Hints about missing values. `failing`: rows by the rule that they break."""
    for name in _ESSENTIAL:
        rule = f"{name}_missing"
        if failing.get(rule, 0) < MIN_MISSING or name not in table.columns:
            continue
        found = _other_half(con, records, table, rule) if name == "amount" else None
        found = found or _rows_of_a_kind(con, records, table, rule)
        if found is not None:
            yield found


def _other_half(con: duckdb.DuckDBPyConnection, records: Records, table: TableMapping, rule: str) -> str | None:
    """Where the rows without an amount have a number in a column that is empty on the others: one column holds what is
    spent, the other what comes in."""
    columns = table.columns["amount"].columns
    if len(columns) != 1:
        return None
    (column,) = columns
    for name, cell in _cells(records, table, only_unmapped=True):
        lacking, others = _shares(con, rule, number_sql(cell, table, "double"), cell)
        if lacking >= EXPLAINED_SHARE and others <= BOTH_SHARE:
            return (
                f"amount: where {column!r} is empty, {name!r} holds a number. Where one is money spent and the other"
                f" money received, say amount: {{debit: {column}, credit: {name}}} (or the other way round)"
            )
    return None


def _rows_of_a_kind(con: duckdb.DuckDBPyConnection, records: Records, table: TableMapping, rule: str) -> str | None:
    """Where the rows that break the rule have values in a column of kinds that no accepted row has."""
    for name, cell in _cells(records, table, only_unmapped=False):
        kinds, n, n_accepted_kinds, n_accepted, n_shared = fetch_row(
            con,
            f"""
            with kinds as (
                select {cell} as kind, count(*) filter (converted.rule = $rule) as n_lacking,
                    count(*) filter (converted.rule is null) as n_accepted
                from records inner join converted on records.line_number = converted.line_number
                group by all
            )
            select
                list(kind order by kind) filter (n_lacking > 0 and kind is not null),
                coalesce(sum(n_lacking), 0),
                count(*) filter (n_accepted > 0 and kind is not null),
                coalesce(sum(n_accepted), 0), count(*) filter (n_lacking > 0 and n_accepted > 0)
            from kinds
            """,
            {"rule": rule},
        )
        is_a_kind = (
            kinds
            and all(_NAMED.search(kind) for kind in kinds)
            and len(kinds) <= MAX_KINDS
            and n >= ROWS_PER_KIND * len(kinds)
        )
        if is_a_kind and not n_shared and 0 < n_accepted_kinds * ROWS_PER_KIND <= n_accepted:
            listed = ", ".join(_word(kind) for kind in kinds)
            return (
                f"{rule.removesuffix('_missing')}: every row that lacks it has {name!r} {', '.join(kinds)}, and no"
                f' accepted row has. If these are no sales, leave them out: where: "{_word(name)} not in ({listed})"'
            )
    return None


def _cells(records: Records, table: TableMapping, *, only_unmapped: bool) -> Iterator[tuple[str, str]]:
    """(column of the file, expression of its text) in the file's order."""
    unmapped = set(records.unmapped)
    for at, (name, kind) in enumerate(records.columns):
        if name and (name in unmapped or not only_unmapped):
            yield name, text_sql(table, raw_name(at), kind)


def _shares(con: duckdb.DuckDBPyConnection, rule: str, number: str, cell: str) -> tuple[float, float]:
    """Share of the rows that break the rule with a number in the column, of the accepted ones with anything in it."""
    lacking, others = fetch_row(
        con,
        f"""
        select
            avg(cast({number} is not null as integer)) filter (converted.rule = $rule),
            avg(cast({cell} is not null as integer)) filter (converted.rule is null)
        from records inner join converted on records.line_number = converted.line_number
        """,
        {"rule": rule},
    )
    return lacking or 0.0, others if others is not None else 1.0


def _word(name: str) -> str:
    """As a condition has it: a plain word as it is, everything else in quotes or brackets."""
    if name.replace("_", "").isalnum() and name.isascii() and name.lower() not in KEYWORDS:
        return name
    return f"'{name}'" if "'" not in name else f"[{name}]"
