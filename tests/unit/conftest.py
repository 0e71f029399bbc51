"""A small world of customers whose churn is known to follow their own rhythm, for the tests of train and score."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from assets.model.churn_features import FEATURES
from assets.model.snapshots import Snapshots
from assets.shared.params import Params, load_params
from assets.train.cutoffs import CutoffPlan, plan_cutoffs
from assets.train.training_data import Origin, TrainingData


@dataclass(frozen=True)
class World:
    """Parameters small enough for quick fits, a plan with three test cutoffs, and a generator of snapshots."""

    params: Params
    plan: CutoffPlan
    first_day: date
    anchor: date

    def snapshots(self, n_customers: int = 250, seed: int = 1, labels: str = "rhythm") -> Snapshots:
        """Snapshots of all cutoffs of the plan in content order. labels: `rhythm` (silence over own gap decides),
        `random` (nothing does), `all_stay`."""
        rng = np.random.default_rng(seed)
        parts = [self._one_cutoff(cutoff, n_customers, labels, rng) for cutoff in self.plan.cutoffs]
        fields = Snapshots.__dataclass_fields__
        return Snapshots(*(np.concatenate([getattr(p, f) for p in parts]) for f in fields)).in_content_order()

    def matrix(self, n: int, rng: np.random.Generator) -> np.ndarray:
        gap = np.exp(rng.uniform(0.5, 4.0, n)).round(1)
        silent = np.maximum(1, (gap * rng.exponential(1.0, n))).round()
        matrix = rng.gamma(2.0, 10.0, (n, len(FEATURES))).round(2)
        matrix[rng.random(matrix.shape) < 0.03] = np.nan
        values = {
            "days_since_last_order": silent,
            "gap_median_days": gap,
            "recency_over_gap_median": silent / gap,
            "average_order_value": rng.gamma(3.0, 10.0, n).round(2),
            "orders_per_30d": 30 / gap,
            "tenure_days": silent + 200,
        }
        for name, column in values.items():
            matrix[:, FEATURES.index(name)] = column
        for name in ("n_complaints_90d", "n_contacts_90d"):
            matrix[:, FEATURES.index(name)] = np.nan
        return matrix

    def _one_cutoff(self, cutoff: date, n: int, labels: str, rng: np.random.Generator) -> Snapshots:
        matrix = self.matrix(n, rng)
        silent = matrix[:, FEATURES.index("days_since_last_order")]
        ratio = matrix[:, FEATURES.index("recency_over_gap_median")]
        order, pace = (matrix[:, FEATURES.index(f)] for f in ("average_order_value", "orders_per_30d"))
        chance = {"rhythm": 1 / (1 + np.exp(-(-1.5 + 2.5 * np.log(ratio + 0.1)))), "random": 0.3, "all_stay": 0.0}
        churned = rng.random(n) < chance[labels]
        margin = np.where(churned, 0.0, 0.25 * order * np.maximum(1, pace) * rng.gamma(4.0, 0.25, n)).round(2)
        return Snapshots(
            matrix, churned, silent <= self.params.churn_horizon_days, margin, np.full(n, cutoff, dtype="datetime64[D]")
        )

    def train(self, rows: Snapshots, incumbents=None, histories=None, **changes):
        """Train on `rows`; keyword arguments override parameters."""
        from assets.train.training import train_on

        params = self.params.model_copy(update=changes)
        origin = Origin(("toy",), datetime(2020, 1, 1), self.first_day, self.anchor - timedelta(1))
        data = TrainingData(rows, self.plan, params, incumbents or {})
        return train_on(data if histories is None else replace(data, histories=histories), origin)

    def renumbered(self, rows: Snapshots, seed: int = 5) -> Snapshots:
        """The same rows in another order, as another naming of customers would bring them."""
        return rows.where(np.random.default_rng(seed).permutation(len(rows)))

    def with_feature(self, rows: Snapshots, feature: str, values: np.ndarray) -> Snapshots:
        matrix = rows.matrix.copy()
        matrix[:, FEATURES.index(feature)] = values
        return replace(rows, matrix=matrix)


@pytest.fixture(scope="session")
def world() -> World:
    params = load_params(
        {
            "train_n_cutoffs": 3,
            "train_n_test_cutoffs": 3,
            "train_n_validation_cutoffs": 3,
            "train_cutoff_spacing_days": 30,
            "train_min_customers": 100,
            "train_min_events": 30,
        }
    )
    first_day, anchor = date(2019, 1, 1), date(2020, 1, 1)
    return World(params, plan_cutoffs(anchor, first_day, params), first_day, anchor)


@pytest.fixture(scope="session")
def trained(world):
    """A model that beats the rule, as training leaves it."""
    return world.train(world.snapshots())


@pytest.fixture(scope="session")
def trained_by_rule(world):
    """What training leaves where everybody did the same and nobody's purchases are known."""
    return world.train(world.snapshots(n_customers=40, labels="all_stay"))
