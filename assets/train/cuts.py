"""Which past days a model learns from and is judged on.

In: the day it is trained as of, the data's first day, parameters. Out: cut dates. A cut date T is a day as of which
customers are described; what they did in [T, T + horizon) is their label. No table is read here.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from assets.shared.params import Params


@dataclass(frozen=True)
class CutPlan:
    """Cut dates for one training, newest first; every label is closed by `anchor`.

    training: cuts whose rows the model to be kept is fitted on.
    test: out-of-time test cuts, a horizon apart so that their label windows do not overlap.
    calibration: one cut before the oldest test cut (or none), predicted like a test cut but never judged: the oldest
        test cut's calibration is learned from it.
    """

    anchor: date
    horizon_days: int
    n_cuts: int
    training: tuple[date, ...]
    test: tuple[date, ...]
    calibration: tuple[date, ...]
    earlier: tuple[date, ...] = ()

    @property
    def cuts(self) -> tuple[date, ...]:
        """Every cut whose snapshot is needed, oldest first."""
        return tuple(sorted({*self.training, *self.test, *self.calibration, *self.earlier}))

    @property
    def out_of_time(self) -> tuple[date, ...]:
        """Cuts that are predicted by a model which knows nothing later, oldest first."""
        return tuple(sorted({*self.test, *self.calibration}))

    def known_before(self, cut: date) -> tuple[date, ...]:
        """Cuts a model tested at `cut` may learn from: their labels end at or before it. Newest first."""
        known = [c for c in reversed(self.cuts) if c + timedelta(self.horizon_days) <= cut]
        return tuple(known[: self.n_cuts])


def plan_cuts(anchor: date, first_day: date | None, params: Params) -> CutPlan:
    """Cuts for a model trained as of `anchor` on data that begins on `first_day` (None: no data).

    The newest cut is `anchor` minus the horizon, the first whose outcome is fully known. Before `first_day` plus the
    horizon plus the least tenure nobody could be seen as silent and still be eligible: no cut lies there. A test cut
    without any earlier closed cut to learn from is left out.
    """
    horizon = timedelta(params.churn_horizon_days)
    newest = anchor - horizon
    empty = CutPlan(anchor, params.churn_horizon_days, params.train_n_cuts, (), (), ())
    if first_day is None:
        return empty
    earliest = first_day + horizon + timedelta(params.churn_min_tenure_days)

    def possible(cuts: list[date]) -> tuple[date, ...]:
        return tuple(cut for cut in cuts if cut >= earliest)

    spacing = timedelta(params.train_cut_spacing_days)
    training = possible([newest - spacing * i for i in range(params.train_n_cuts)])
    n_tests = params.train_n_test_cuts
    # One more a horizon before the oldest test and calibration cuts: something to learn from even if the grid of
    # training cuts is short.
    chain = possible([newest - horizon * i for i in range(n_tests + 2)])
    whole = CutPlan(anchor, params.churn_horizon_days, params.train_n_cuts, training, (), (), chain)
    tests = tuple(cut for cut in chain[:n_tests] if whole.known_before(cut))
    calibration = tuple(cut for cut in chain[n_tests : n_tests + 1] if whole.known_before(cut))
    return CutPlan(
        anchor, params.churn_horizon_days, params.train_n_cuts, training, tests, calibration, chain[len(tests) :]
    )
