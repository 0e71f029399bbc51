"""Rows: the keys that say which rows of a file are wanted, and which cells stand for the rows below, and their SQL.

In: the view `records`. Out: conditions on its rows, and the view with filled cells. Rows that are not wanted are left
out on purpose: they are counted apart from those that are refused, and not kept. Which line is the header does not
belong here (`text_layout`).
"""

from typing import Annotated

from pydantic import Field, model_validator

from assets.ingest.mapping.columns import ColumnKeys, RawColumns, text_sql
from assets.ingest.mapping.conditions import Condition
from assets.ingest.mapping.language import ColumnRef, Key, Keys, Mistake
from assets.ingest.mapping.moments import Clock, MomentKeys, moment_sql
from assets.ingest.mapping.numbers import NumberKeys, number_sql
from assets.shared.quoting import identifier


class FillDown(Keys):
    """Cells that are written once for several rows."""

    columns: Annotated[
        tuple[ColumnRef, ...],
        Field(min_length=1),
        Key("columns of the file whose empty cells mean what the row above says", in_fingerprint="always"),
    ]
    within: Annotated[
        ColumnRef | None,
        Key(
            "only among rows that share this column's value, such as the order's number. Without it the first of "
            "`columns` opens a group wherever it is not empty",
            default="the first of `columns`",
            in_fingerprint="always",
        ),
    ] = None


class RowKeys(ColumnKeys, MomentKeys, NumberKeys):
    """Which rows count, and what their empty cells mean."""

    where: Annotated[
        Condition | None,
        Key(
            "only these rows are wanted; the others are left out and counted as such. "
            "See [Rows that are not wanted](#rows-that-are-not-wanted)",
            example="where: \"Status not in (voided, draft) and 'Order Total' > 0\"",
            in_defaults=False,
        ),
    ] = None
    fill_down: Annotated[
        FillDown | None,
        Key(
            "cells that stand on the first row of an order only; see [below](#orders-over-several-rows)",
            example="fill_down: {within: Name, columns: [Financial Status, Subtotal]}",
            in_defaults=False,
        ),
    ] = None

    @model_validator(mode="after")
    def _fill_by_another_column(self) -> "RowKeys":
        if self.fill_down is not None and self.fill_down.within in self.fill_down.columns:
            raise Mistake(
                f"fill_down: {self.fill_down.within!r} stands in `within` and in `columns`",
                "remove it from `columns`; without `within` the first of `columns` opens a group",
            )
        return self

    def row_columns(self) -> dict[str, tuple[ColumnRef, ...]]:
        """Key -> the columns of the file that it names."""
        filled = self.fill_down
        within = () if filled is None or filled.within is None else (filled.within,)
        return {
            "where": self.where.columns if self.where else (),
            "fill_down": () if filled is None else (*within, *filled.columns),
        }


class _Cells:
    """Cells of the view `records`, by the table's own words for nothing and way of writing numbers and days."""

    def __init__(self, raw: RawColumns, keys: RowKeys):
        self._raw, self._keys = raw, keys

    def text(self, ref: ColumnRef) -> str:
        return text_sql(self._keys, *self._raw[ref])

    def number(self, ref: ColumnRef) -> str:
        return number_sql(self.text(ref), self._keys, "double")

    def day(self, ref: ColumnRef) -> str:
        clock = Clock(wanted="date")
        read = moment_sql(self.text(ref), "VARCHAR", ("iso", *self._keys.date_format), clock, self._keys.month_names)
        return f"cast({read} as date)"


def is_unwanted_sql(keys: RowKeys, raw: RawColumns) -> str:
    """Expression: is the row left out on purpose? Never NULL."""
    return "false" if keys.where is None else f"not {keys.where.sql(_Cells(raw, keys))}"


def filled_sql(keys: RowKeys, raw: RawColumns) -> str:
    """Query: the view `records` with the empty cells filled from above."""
    used = ", ".join(["line_number, shape_rule, shape_reason", *sorted({alias for alias, _ in raw.values()})])
    if keys.fill_down is None:
        return f"select {used} from records"
    columns, within = keys.fill_down.columns, keys.fill_down.within
    texts = {ref: _written(keys, *raw[ref]) for ref in columns}
    if within is not None:
        group = _written(keys, *raw[within])
        numbered = "records"
    else:
        group = "group_number"
        opens = f"count({texts[columns[0]]}) over (order by line_number rows unbounded preceding)"
        numbered = f"(select {used}, {opens} as group_number from records)"
    filled = ", ".join(
        f"coalesce({text}, case when {group} is not null then last_value({text} ignore nulls) over filling end) "
        f"as {identifier(raw[ref][0])}"
        for ref, text in texts.items()
    )
    excluded = "" if within is not None else "exclude (group_number) "
    return (
        f"select * {excluded}replace ({filled}) from {numbered} "
        f"window filling as (partition by {group} order by line_number rows unbounded preceding)"
    )


def _written(keys: RowKeys, alias: str, kind: str) -> str:
    """Expression: the cell, NULL where it means nothing; typed values as they are."""
    return text_sql(keys, alias, kind) if kind == "VARCHAR" else alias
