"""Rows that come twice: the key that says what a repetition means, and the SQL that finds them.

In: the table `converted` with its rules so far. Out: the same table, in which rows with an id that an earlier row has
carry a rule. A row that comes again in another file does not belong here: staging lets the newest one win.
"""

from typing import Annotated, Literal

import duckdb

from assets.ingest.canonical import Entity
from assets.ingest.mapping.columns import ColumnKeys
from assets.ingest.mapping.language import Key


class DuplicateKeys(ColumnKeys):
    """What rows that come twice mean."""

    exact_duplicates: Annotated[
        Literal["keep", "quarantine"],
        Key(
            "`quarantine`: a row that repeats another one of its file character by character is refused. Only where "
            "rows have no id of their own; with one, repeated ids are always refused",
            example="exact_duplicates: quarantine",
            in_fingerprint="always",
        ),
    ] = "keep"


def is_keyed(entity: Entity, keys: ColumnKeys) -> bool:
    """Does the source name each row, so that the same row delivered twice differs from two rows?"""
    return entity.id_column is not None and entity.id_column in keys.columns


def has_key(entity: Entity, keys: ColumnKeys) -> bool:
    """Can rows of one file be compared by a key?"""
    return is_keyed(entity, keys) and bool(entity.key)


def key_columns(entity: Entity) -> tuple[list[str], str]:
    """(names of the parts of the key, the select list that makes them)."""
    names = [f"key_{at}" for at in range(len(entity.key))]
    return names, ", ".join(f"{part} as {name}" for part, name in zip(entity.key, names, strict=True))


def mark_duplicates(con: duckdb.DuckDBPyConnection, entity: Entity, keys: DuplicateKeys) -> None:
    """Of accepted rows with one key the first in the file stays; the others get a rule. Rows without an id of their
    own are only compared as a whole, and only where the mapping asks for it."""
    if has_key(entity, keys):
        _mark_by_key(con, entity)
    elif keys.exact_duplicates == "quarantine":
        con.execute(
            """
            update converted set
                rule = 'duplicate_row',
                reason = concat('the same row stands in line ', repeated.first_line)
            from (
                select line_number, min(line_number) over (partition by raw_text) as first_line
                from record_texts
            ) as repeated
            where repeated.line_number = converted.line_number
                and repeated.first_line < converted.line_number
                and converted.rule is null
            """
        )


def _mark_by_key(con: duckdb.DuckDBPyConnection, entity: Entity) -> None:
    names, parts = key_columns(entity)
    same = " and ".join(f"keyed.{name} is not distinct from repeated.{name}" for name in names)
    # Grouping finds the few repeated keys first; only their rows are compared.
    con.execute(
        f"""
        create or replace temp table duplicates as
        with keyed as (
            select line_number, {parts}, row({", ".join(entity.names)}) as content
            from converted where rule is null
        ),
        repeated as (
            select {", ".join(names)} from keyed group by all having count(*) > 1
        ),
        members as (
            select
                keyed.line_number,
                first_value(keyed.line_number) over kept as kept_line,
                keyed.content is not distinct from first_value(keyed.content) over kept as is_same
            from keyed
            inner join repeated on {same}
            window kept as (
                partition by {", ".join(f"keyed.{name}" for name in names)} order by keyed.line_number
            )
        )
        select line_number, kept_line, is_same from members where line_number > kept_line
        """
    )
    con.execute(
        """
        update converted set
            rule = case when is_same then 'duplicate_same_content' else 'duplicate_different_content' end,
            reason = case
                when is_same then concat('the same row stands in line ', kept_line)
                else concat('its id stands in line ', kept_line, ', with other content')
            end
        from duplicates where duplicates.line_number = converted.line_number
        """
    )
