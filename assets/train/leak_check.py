"""Does a single feature know the future?

In: labelled customers. Out: the feature that alone separates those who left best, and whether that is too good.
"""

from dataclasses import dataclass
from math import sqrt

import numpy as np

from assets.model.churn_features import FEATURES
from assets.model.snapshots import Snapshots

#: Above this AUC on its own a feature is taken to know the future.
LEAK_AUC = 0.97
#: Most rows that are asked: more do not move an AUC of that size.
LEAK_ROWS = 200_000


@dataclass(frozen=True)
class StrongestFeature:
    """The feature that alone separates churners best, and its AUC (0.5 to 1, either direction); None and NaN where
    nobody asked, or there is one class only."""

    feature: str | None = None
    auc: float = float("nan")
    n_churned: int = 0
    n_stayed: int = 0

    @property
    def is_leak(self) -> bool:
        """Beyond what a strong feature shows by chance among few customers: by the standard error of an AUC of
        `LEAK_AUC` (Hanley and McNeil 1982)."""
        if self.feature is None or not min(self.n_churned, self.n_stayed):
            return False
        a, n1, n0 = LEAK_AUC, self.n_churned, self.n_stayed
        q1, q2 = a / (2 - a), 2 * a * a / (1 + a)
        error = sqrt((a * (1 - a) + (n1 - 1) * (q1 - a * a) + (n0 - 1) * (q2 - a * a)) / (n1 * n0))
        return self.auc > LEAK_AUC + 1.96 * error


def find_strongest_feature(rows: Snapshots) -> StrongestFeature:
    """The strongest single feature; its gaps count too. Above `LEAK_ROWS` the first in content order are asked."""
    from scipy.stats import rankdata

    rows = rows.where(slice(0, LEAK_ROWS))
    y = rows.is_churned
    n1, n0 = int(y.sum()), int((~y).sum())
    if n1 == 0 or n0 == 0:
        return StrongestFeature()
    best, best_auc = None, 0.0
    for j, name in enumerate(FEATURES):
        column, missing = rows.matrix[:, j], np.isnan(rows.matrix[:, j])
        rankings = [missing.astype(float)] if missing.any() else []
        if not missing.all():
            rankings.append(np.where(missing, np.nanmedian(column), column))
        for values in rankings:
            auc = (rankdata(values)[y].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
            if max(auc, 1 - auc) > best_auc:
                best, best_auc = name, float(max(auc, 1 - auc))
    return StrongestFeature(best, best_auc, n1, n0)
