"""What the model that scores said of customers at its out-of-time test cutoffs, and what they did.

In: predictions and outcomes. Out: the same as a Parquet file in the folder of the model, without customer ids, and
back. From it every later question of money (what would which ranking have earned, at which costs?) is answered without
training.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from assets.model.churn_features import FEATURES

JUDGED_FILE = "judged.parquet"


@dataclass(frozen=True)
class JudgedCutoff:
    """One test cutoff, one row a customer, in content order.

    matrix: (n, len(FEATURES)). margin: source currency over the horizon. churn_probability, margin_if_retained: as
    whoever scores said them then. baseline_probability: the rule's.
    """

    cutoff: date
    matrix: np.ndarray
    is_churned: np.ndarray
    is_active: np.ndarray
    margin: np.ndarray
    churn_probability: np.ndarray
    baseline_probability: np.ndarray
    margin_if_retained: np.ndarray


#: Features that the file keeps: what an order is worth and how often one comes.
KEPT = ("n_orders", "average_order_value", "tenure_days")
_ARRAYS = (
    "is_churned",
    "is_active",
    "margin",
    "churn_probability",
    "baseline_probability",
    "margin_if_retained",
)


def to_parquet(judged: Sequence[JudgedCutoff]) -> dict[str, bytes]:
    """The file by its name; no file where no test cutoff was possible."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not judged:
        return {}
    columns: dict[str, np.ndarray] = {
        "cutoff_date": np.concatenate([np.full(len(t.margin), t.cutoff, dtype="datetime64[D]") for t in judged]),
        **{name: np.concatenate([getattr(t, name) for t in judged]) for name in _ARRAYS},
        **{name: np.concatenate([t.matrix[:, FEATURES.index(name)] for t in judged]) for name in KEPT},
    }
    written = io.BytesIO()
    pq.write_table(pa.table(columns), written, compression="zstd")
    return {JUDGED_FILE: written.getvalue()}


def from_parquet(content: bytes) -> list[JudgedCutoff]:
    """Test cutoffs, oldest first; features that the file does not keep are NaN."""
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    arrays = {name: table.column(name).to_numpy() for name in table.column_names}
    cutoffs = arrays["cutoff_date"].astype("datetime64[D]")
    found = []
    for cutoff in np.unique(cutoffs):
        here = cutoffs == cutoff
        matrix = np.full((int(here.sum()), len(FEATURES)), np.nan)
        for name in KEPT:
            matrix[:, FEATURES.index(name)] = arrays[name][here]
        found.append(JudgedCutoff(cutoff.item(), matrix, **{name: arrays[name][here] for name in _ARRAYS}))
    return found
