"""Deliveries: the keys that say which files there are, when one is complete, and what a later one means for an earlier.

In: nothing but names. Out: which versions of one delivery belong together. They decide nothing about what becomes of a
file's rows, so no file is landed again when they change. What follows from them on disk belongs to `succession` and
`file_source`.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from assets.ingest.mapping.language import GUIDE, Key, Keys, Mistake, Texts


def _one_group(value: str) -> str:
    try:
        groups = re.compile(value).groups
    except re.error as error:
        raise Mistake(f"{value!r} is no regular expression: {error}", "see the examples in " + GUIDE) from None
    if groups != 1:
        raise Mistake(
            f"{value!r} has {groups} groups", "put the part of the name that versions of one file share in ( )"
        )
    return value


def _next_to_the_file(value: str) -> str:
    if "/" in value or "\\" in value or value in ("", "*"):
        raise Mistake(
            f"{value!r} cannot mark a file as complete",
            "give a name next to the file such as _SUCCESS, or one made from its own such as '*.done'",
        )
    return value


class DeliveryKeys(Keys):
    """How a table's files come."""

    files: Annotated[
        Texts,
        Key(
            "one name or pattern, or a list, inside `folder`: `sales.csv`, `sales_*.csv.gz`, `2024/**/*.parquet`. "
            "Landed in order of their names; where two files bring the same row, the later one wins",
            example='files: "sales_*.csv"',
            default="required",
            in_defaults=False,
            in_fingerprint="never",
        ),
    ] = ()
    file_changes: Annotated[
        Literal["add", "replace"] | None,
        Key(
            "`add` or `replace`: what a file means that was landed before and now has other content",
            example="file_changes: replace",
            default="see [below](#new-moved-and-changed-files)",
            in_fingerprint="never",
        ),
    ] = None
    delivery: Annotated[
        Literal["auto", "full", "delta"],
        Key(
            "`full`: each file is a whole export, and the newest one is all there is of the days from its first to its "
            "last; `delta`: each file holds only what is new, and rows without ids that come again are second sales; "
            "see [below](#full-exports)",
            example="delivery: full",
            table="transactions",
        ),
    ] = "auto"
    corrects: Annotated[
        Annotated[str, AfterValidator(_one_group)] | None,
        Key(
            "a regular expression with one group: files whose names give the same group are versions of one delivery, "
            "and the last by name counts; see [below](#new-moved-and-changed-files)",
            example="corrects: '(sales_\\d{8})'",
            in_fingerprint="never",
        ),
    ] = None
    corrections: Annotated[
        Literal["replace_lines", "replace_orders", "replace_days"],
        Key(
            "what a later file replaces of earlier ones: `replace_lines` of the same id, `replace_orders`, or "
            "`replace_days`; see [below](#new-moved-and-changed-files)",
            example="corrections: replace_days",
            table="transactions",
            needs={"replace_orders": "order_id"},
        ),
    ] = "replace_lines"
    settle_seconds: Annotated[
        int,
        Field(ge=0, le=86_400),
        Key(
            "a file that changed less than so many seconds ago waits for the next run",
            example="settle_seconds: 60",
            in_fingerprint="never",
        ),
    ] = 0
    done_marker: Annotated[
        Annotated[str, AfterValidator(_next_to_the_file)] | None,
        Key(
            'a name next to the file that says it is complete: `_SUCCESS`, or `"*.done"` with the file\'s own name for '
            "`*`",
            example='done_marker: "*.done"',
            in_fingerprint="never",
        ),
    ] = None

    def version_key(self, file: str) -> str | None:
        """What the versions of one delivery share, by the pattern `corrects`; None for a file outside of it."""
        found = re.search(self.corrects, file) if self.corrects else None
        return found.group(1) if found else None

    @model_validator(mode="after")
    def _said_once(self) -> "DeliveryKeys":
        if self.delivery != "auto":
            for name, is_said in (
                ("file_changes", self.file_changes is not None),
                ("corrections", self.corrections != "replace_lines"),
            ):
                if is_said:
                    raise Mistake(
                        f"{name} and delivery: {self.delivery} both say what a later file means",
                        f"remove {name}, or delivery",
                    )
        return self

    @property
    def replaces(self) -> str:
        """What of earlier files a later one replaces: `lines`, `orders`, `days`, the `span` from its first to its last
        day, or `nothing` but lines of the same id."""
        if self.delivery != "auto":
            return "span" if self.delivery == "full" else "nothing"
        return self.corrections.removeprefix("replace_")
