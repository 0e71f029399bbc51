"""A churn model that needs no outcomes: MBG/NBD, fitted to the purchase histories of a business alone.

In: how often, how long and until when each customer bought. Out: a `ChurnModel` of one part.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from assets.model.churn_features import FEATURES
from assets.model.churn_model import PROCESS_FEATURES, ChurnModel, Part
from assets.model.purchase_fit import fit_purchase_process
from assets.model.threads import one_thread

#: Its name among the candidate models.
PROCESS: Literal["mbg_nbd"] = "mbg_nbd"


@dataclass(frozen=True)
class PurchaseHistories:
    """One customer a place, (n,): frequency (purchase days after the first), recency_days (first to last purchase day),
    tenure_days (first purchase day to the date)."""

    frequency: np.ndarray
    recency_days: np.ndarray
    tenure_days: np.ndarray

    @classmethod
    def nobody(cls) -> "PurchaseHistories":
        return cls(np.empty(0), np.empty(0), np.empty(0))

    @property
    def somebody_returned(self) -> bool:
        """Whether anybody bought on two days: without, every silence is as good as another."""
        return bool((self.frequency > 0).any())

    @property
    def usual(self) -> dict[str, float]:
        """The middle of each number over customers; empty without any."""
        columns = (self.frequency, self.recency_days, self.tenure_days)
        if not len(self.frequency):
            return {}
        return {name: float(np.median(column)) for name, column in zip(PROCESS_FEATURES, columns, strict=True)}


def fit_process_alone(histories: PurchaseHistories, horizon_days: int) -> ChurnModel:
    """The model of these histories; its probabilities need no calibration that outcomes could give."""
    with one_thread():
        process = fit_purchase_process(PROCESS, histories.frequency, histories.recency_days, histories.tenure_days)
    return ChurnModel(PROCESS, FEATURES, horizon_days, (Part(PROCESS, "purchase_process", 1.0, (), vars(process)),))
