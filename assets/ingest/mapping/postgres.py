"""Tables of a database instead of files: the keys that say which, and how new rows are known.

The statements that they turn into belong to `assets.ingest.postgres_statements`.
"""

import re
from typing import Annotated

from pydantic import Field, model_validator

from assets.ingest.mapping.language import GUIDE, Key, Keys, Mistake, Text


class PostgresServer(Keys):
    """The database of a source."""

    dsn_env: Annotated[
        str,
        Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"),
        Key(
            "name of the environment variable that holds the connection URI; the URI itself never stands in a file",
            example="postgres: {dsn_env: WEBSHOP_DATABASE}",
            default="required",
        ),
    ]
    batch_rows: Annotated[
        int,
        Field(ge=1, le=10_000_000),
        Key(
            "rows held in memory at a time, and rows of one batch",
            example="postgres: {dsn_env: WEBSHOP_DATABASE, batch_rows: 50000}",
        ),
    ] = 200_000


class PostgresTable(Keys):
    """Which rows of the database a table is made of, and how new ones are known."""

    table: Annotated[
        Text | None,
        Key("the table, with its schema", example="postgres: {table: sales.order_lines}", default="this or `query`"),
    ] = None
    query: Annotated[
        Text | None,
        Key(
            "a query instead; read-only in any case",
            example="postgres: {query: \"select * from sales.order_lines where brand = 'shop'\"}",
            default="this or `table`",
        ),
    ] = None
    watermark: Annotated[
        Text | None,
        Key(
            "a column that says what is new: time of the last change, or a number that only rises",
            example="postgres: {table: sales.order_lines, watermark: changed_at}",
        ),
    ] = None
    overlap: Annotated[
        Text,
        Key(
            "how far back it is asked again, for changes that were committed late: `2 days`, or a number",
            example="postgres: {table: sales.order_lines, watermark: changed_at, overlap: 2 days}",
        ),
    ] = "1 day"

    @model_validator(mode="after")
    def _one_origin(self) -> "PostgresTable":
        if (self.table is None) == (self.query is None):
            raise Mistake("it needs exactly one of 'table' and 'query'", f"see {GUIDE}")
        if self.table is not None and (not all(self.table.split(".")) or self.table.count(".") > 1):
            raise Mistake(f"{self.table!r} names no table", "write it like orders or sales.order_lines")
        if not re.fullmatch(r"\d{1,9}( (second|minute|hour|day)s?)?", self.overlap):
            raise Mistake(
                f"{self.overlap!r} is no overlap",
                "write a time such as '2 days', or a number for a watermark of numbers",
            )
        return self
