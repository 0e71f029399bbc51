"""Training rows out of the warehouse into memory, in an order that depends on nothing but their content.

In: a connection that sees `features.training_snapshots` and `features.customer_day`. Out: `Snapshots`.
Decides nothing about models.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date

import duckdb
import numpy as np

from assets.shared.churn_features import FEATURES
from assets.shared.quoting import quoted

TABLE = "features.training_snapshots"
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Snapshots:
    """Customers at cutoff dates, one row each, without their ids: nothing may depend on what a customer is called.

    matrix: (n, len(FEATURES)) doubles, NaN where undefined. is_churned, is_active: bool. margin: source currency over
    the horizon after the cutoff. cutoff: datetime64[D]. region: text, `unknown` where a source brings none; only for
    judging.
    """

    matrix: np.ndarray
    is_churned: np.ndarray
    is_active: np.ndarray
    margin: np.ndarray
    cutoff: np.ndarray
    region: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.region is None:
            object.__setattr__(self, "region", np.full(len(self.is_churned), UNKNOWN))

    def __len__(self) -> int:
        return len(self.is_churned)

    def where(self, chosen: np.ndarray) -> "Snapshots":
        """Rows by mask or index."""
        return Snapshots(*(getattr(self, field.name)[chosen] for field in fields(self)))

    def at(self, cutoffs: Sequence[date]) -> "Snapshots":
        return self.where(np.isin(self.cutoff, np.array(sorted(cutoffs), dtype="datetime64[D]")))

    def column(self, feature: str) -> np.ndarray:
        return self.matrix[:, FEATURES.index(feature)]

    def in_content_order(self) -> "Snapshots":
        """The same rows ordered by a hash of what they hold. Equal rows are interchangeable, so any order of the
        input, and any renaming of customers, ends in bit-equal sums and draws."""
        keys = np.zeros(len(self), dtype=np.uint64)
        regions = np.unique(self.region, return_inverse=True)[1]
        columns = [self.cutoff.astype(np.int64), self.is_churned, self.is_active, self.margin, *self.matrix.T, regions]
        for column in columns:
            values = np.asarray(column, dtype=float) + 0.0  # -0.0 becomes 0.0
            values = np.where(np.isnan(values), np.nan, values)  # one NaN for all
            keys ^= np.ascontiguousarray(values).view(np.uint64)
            # Steele, Lea and Flood's SplitMix64 finaliser: every input bit reaches every output bit.
            keys += np.uint64(0x9E3779B97F4A7C15)
            keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            keys ^= keys >> np.uint64(31)
        return self.where(np.argsort(keys, kind="stable"))


def data_span(con: duckdb.DuckDBPyConnection, before: date) -> tuple[date | None, date | None]:
    """First and last day of `features.customer_day` that a training as of `before` may see; (None, None) if none."""
    return con.execute("select min(day), max(day) from features.customer_day where day < ?", [before]).fetchone()


def read_snapshots(
    con: duckdb.DuckDBPyConnection, cutoffs: Sequence[date], horizon_days: int, max_rows: int, anchor: date
) -> Snapshots:
    """Rows of the given cutoffs and horizon whose labels are known by `anchor`, in content order.

    Above `max_rows` customers are sampled by a hash of their id inside the engine, whole histories at a time; below,
    every row is read and ids play no part.
    """
    chosen = (
        "cutoff_date in (select unnest($cutoffs::date[])) and horizon_days = $horizon and label_available_on <= $anchor"
    )
    values = {"cutoffs": [c.isoformat() for c in cutoffs], "horizon": horizon_days, "anchor": anchor}
    n_rows = con.execute(f"select count(*) from {quoted(TABLE)} where {chosen}", values).fetchone()[0]
    if n_rows > max_rows:
        chosen += " and md5_number_lower(customer_id) % 1000000 < $kept"
        values["kept"] = int(1_000_000 * max_rows / n_rows)
    names = ", ".join(f"cast({quoted(f)} as double)" for f in FEATURES)
    has_customers = con.execute(
        "select count(*) from information_schema.tables where table_schema = 'staging' and table_name = 'stg_customers'"
    ).fetchone()[0]
    region = (
        "(select max(customers.region) from staging.stg_customers as customers"
        " where customers.customer_id = snapshots.customer_id)"
        if has_customers
        else "null::varchar"
    )
    # The reader is on a cursor of its own: an open stream must not be cut off by another statement.
    reader = (
        con.cursor()
        .sql(
            f"""select cutoff_date, label_is_churned, coalesce(is_active, false), coalesce(label_margin, 0)::double,
            {names},
            coalesce({region}, '{UNKNOWN}')
        from {quoted(TABLE)} as snapshots where {chosen}""",
            params=values,
        )
        .to_arrow_reader(100_000)
    )
    parts = [_from_batch(batch) for batch in reader]
    if not parts:
        return Snapshots(
            np.empty((0, len(FEATURES))),
            np.empty(0, bool),
            np.empty(0, bool),
            np.empty(0),
            np.empty(0, "datetime64[D]"),
        )
    whole = Snapshots(*(np.concatenate([getattr(part, f.name) for part in parts]) for f in fields(Snapshots)))
    return whole.in_content_order()


def _from_batch(batch) -> Snapshots:
    def values(i: int) -> np.ndarray:
        return batch.column(i).to_numpy(zero_copy_only=False)

    matrix = np.empty((batch.num_rows, len(FEATURES)))
    for j in range(len(FEATURES)):
        matrix[:, j] = values(4 + j)
    matrix[~np.isfinite(matrix)] = np.nan
    return Snapshots(
        matrix,
        values(1).astype(bool),
        values(2).astype(bool),
        values(3).astype(float),
        values(0).astype("datetime64[D]"),
        values(4 + len(FEATURES)).astype(str),
    )
