"""What one training may look at.

In and out: nothing but the data and what they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property

from assets.model.process_model import PurchaseHistories
from assets.model.retention_model import RetentionModel
from assets.model.snapshots import Snapshots
from assets.shared.params import Params
from assets.train.cutoffs import CutoffPlan


@dataclass(frozen=True)
class TrainingData:
    """Labelled customers at the cutoffs of a plan.

    rows: in content order. incumbents: cutoff → the model that was active on that day and had been trained by then.
    is_contractual: leaving is the end of a contract, and the rule reads the days that it still covers. histories: of
    all customers as of the anchor, read where there are no outcomes to learn from.
    """

    rows: Snapshots
    plan: CutoffPlan
    params: Params
    incumbents: Mapping[date, RetentionModel] = field(default_factory=dict)
    is_contractual: bool = False
    histories: PurchaseHistories = field(default_factory=PurchaseHistories.nobody)

    @cached_property
    def training(self) -> Snapshots:
        """Rows that the model to be kept is fitted on."""
        return self.rows.at(self.plan.training)

    @cached_property
    def newest(self) -> Snapshots:
        """Rows of the newest training cutoff."""
        return self.rows.at(self.plan.training[:1])

    def some_at(self, *cutoffs: date) -> Snapshots:
        """Rows of these cutoffs, at most `train_selection_max_rows`: the first in content order, which is that of a
        hash of what a row holds: the same rows on every machine, drawn at random with regard to any question."""
        rows, most = self.rows.at(cutoffs), self.params.train_selection_max_rows
        return rows.where(slice(0, most)) if len(rows) > most else rows


@dataclass(frozen=True)
class Origin:
    """Where a model comes from, for its card and id. sources: names. trained_at: the clock's time. first_day, last_day:
    of the data that could be seen."""

    sources: tuple[str, ...]
    trained_at: datetime
    first_day: date | None = None
    last_day: date | None = None
