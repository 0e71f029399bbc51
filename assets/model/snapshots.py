"""Labelled customers at past cutoffs, in an order that depends on nothing but their content.

In: arrays. Out: `Snapshots`, what every churn model is fitted to and judged on. Reads no table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import date

import numpy as np

from assets.model.churn_features import FEATURES

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Snapshots:
    """Customers at cutoff dates, one row each, without their ids: nothing may depend on what a customer is called.

    matrix: (n, len(FEATURES)) doubles, NaN where undefined. is_churned, is_active: bool. margin: source currency over
    the horizon after the cutoff. cutoff: datetime64[D]. region: text, `unknown` where a source has none; only for
    judging. wait_days: from the cutoff to the next order as known on the day that training is as of, NaN for none.
    """

    matrix: np.ndarray
    is_churned: np.ndarray
    is_active: np.ndarray
    margin: np.ndarray
    cutoff: np.ndarray
    region: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=str))
    wait_days: np.ndarray = field(default_factory=lambda: np.empty(0))

    def __post_init__(self) -> None:
        if len(self.region) == 0:  # a source that has none
            object.__setattr__(self, "region", np.full(len(self.is_churned), UNKNOWN))
        if len(self.wait_days) == 0:
            object.__setattr__(self, "wait_days", np.full(len(self.is_churned), np.nan))

    def __len__(self) -> int:
        return len(self.is_churned)

    def where(self, chosen: np.ndarray | slice) -> "Snapshots":
        """Rows by mask or index."""
        return Snapshots(*(getattr(self, column.name)[chosen] for column in fields(self)))

    def at(self, cutoffs: Sequence[date]) -> "Snapshots":
        return self.where(np.isin(self.cutoff, np.array(sorted(cutoffs), dtype="datetime64[D]")))

    def column(self, feature: str) -> np.ndarray:
        return self.matrix[:, FEATURES.index(feature)]

    def in_content_order(self) -> "Snapshots":
        """The same rows ordered by a hash of what they hold. Equal rows are interchangeable, so any order of the
        input, and any renaming of customers, ends in bit-equal sums and draws."""
        keys = np.zeros(len(self), dtype=np.uint64)
        regions = np.unique(self.region, return_inverse=True)[1]
        labels = (self.is_churned, self.is_active, self.margin, self.wait_days)
        columns = [self.cutoff.astype(np.int64), *labels, *self.matrix.T, regions]
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
