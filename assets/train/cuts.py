"""Which past days a model learns from and is judged on.

In: the day it is trained as of, the data's first day, parameters. Out: cut dates. A cut date T is a day as of which
customers are described; what they did in [T, T + horizon) is their label. No table is read here.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta

from assets.shared.params import Params
from assets.shared.season import YEAR

#: Days of history after which silences can be told from rhythms, whatever the horizon.
SETTLED_DAYS = 45
#: Days between those that the season is stated for.
SEASON_STEP_DAYS = 16
#: Fewest inner cuts for a choice; and so many are sought: the spread of two says next to nothing.
MIN_INNER, ENOUGH_INNER = 2, 3


@dataclass(frozen=True)
class CutPlan:
    """Cut dates for one training, newest first; every label is closed by `anchor`.

    training: cuts whose rows the model to be kept is fitted on.
    test: outer test cuts, the newest, a horizon apart so that their label windows do not overlap. They report; none of
        them chooses.
    inner: cuts that choose the champion. Their labels end at or before the oldest outer cut, unless `overlaps`: where
        the history is too short for that, they lie a spacing apart just before the one outer cut, so that a model can
        be chosen at all, and the outer numbers are a little too good.
    calibration: one cut before the oldest inner cut (or none), predicted like a test cut but never judged: the oldest
        inner cut's calibration is learned from it.
    earlier: cuts only learned from.
    season: cuts one year before the predicted ones and before the days that the model will score; only the season is
        learned from them. Empty under a year of history.
    """

    anchor: date
    horizon_days: int
    n_cuts: int
    training: tuple[date, ...]
    test: tuple[date, ...]
    inner: tuple[date, ...] = ()
    calibration: tuple[date, ...] = ()
    earlier: tuple[date, ...] = ()
    season: tuple[date, ...] = ()

    @property
    def cuts(self) -> tuple[date, ...]:
        """Every cut whose snapshot is needed, oldest first."""
        return tuple(sorted({*self._learned, *self.season}))

    @property
    def _learned(self) -> set[date]:
        return {*self.training, *self.test, *self.inner, *self.calibration, *self.earlier}

    @property
    def season_days(self) -> tuple[date, ...]:
        """Days that the season is stated for: from the oldest cut that a check may ask for to the last day that the
        model may score before its month has a new one."""
        horizon, half = timedelta(self.horizon_days), timedelta(SEASON_STEP_DAYS)
        return tuple(sorted({self.anchor - horizon, *(self.anchor + half * i for i in range(3))}))

    @property
    def out_of_time(self) -> tuple[date, ...]:
        """Cuts that are predicted by a model which knows nothing later, oldest first."""
        return tuple(sorted({*self.test, *self.inner, *self.calibration}))

    @property
    def overlaps(self) -> bool:
        """Whether labels of inner cuts reach into the label window of an outer one."""
        return bool(self.inner and self.test) and max(self.inner) + timedelta(self.horizon_days) > min(self.test)

    def role(self, cut: date) -> str:
        """outer | inner | calibration."""
        return "outer" if cut in self.test else "inner" if cut in self.inner else "calibration"

    def known_before(self, cut: date) -> tuple[date, ...]:
        """Cuts a model tested at `cut` may learn from: their labels end at or before it. Newest first."""
        known = [c for c in sorted(self._learned, reverse=True) if c + timedelta(self.horizon_days) <= cut]
        return tuple(known[: self.n_cuts])


def plan_cuts(anchor: date, first_day: date | None, params: Params) -> CutPlan:
    """Cuts for a model trained as of `anchor` on data that begins on `first_day` (None: no data).

    The newest cut is `anchor` minus the horizon, the first whose outcome is fully known. No cut lies before `first_day`
    plus the least tenure plus a horizon, or `SETTLED_DAYS` of it: until then hardly anybody could be seen as silent. A
    cut without any earlier closed cut to learn from is not predicted. A horizon apart, the newest `train_n_test_cuts`
    are outer and the `train_n_inner_cuts` before them inner; a short history gives up outer cuts first, down to one,
    then sets the inner cuts half a horizon apart, then lets them overlap (`CutPlan.overlaps`).
    """
    horizon = timedelta(params.churn_horizon_days)
    newest = anchor - horizon
    if first_day is None:
        return CutPlan(anchor, params.churn_horizon_days, params.train_n_cuts, (), ())
    earliest = first_day + timedelta(min(params.churn_horizon_days, SETTLED_DAYS) + params.churn_min_tenure_days)

    def possible(cuts: list[date]) -> tuple[date, ...]:
        return tuple(cut for cut in cuts if cut >= earliest)

    def plan(test=(), inner=(), calibration=(), earlier=()) -> CutPlan:
        return CutPlan(
            anchor, params.churn_horizon_days, params.train_n_cuts, training, test, inner, calibration, earlier
        )

    spacing = timedelta(params.train_cut_spacing_days)
    training = possible([newest - spacing * i for i in range(params.train_n_cuts)])
    n_outer, n_inner = params.train_n_test_cuts, params.train_n_inner_cuts
    # One more a horizon before the oldest predicted cuts: something to learn from even if the grid of training cuts is
    # short.
    chain = possible([newest - horizon * i for i in range(n_outer + n_inner + 2)])
    whole = plan(earlier=chain)
    judged = [cut for cut in chain if whole.known_before(cut)]
    outer = judged[: min(n_outer, max(1, len(judged) - n_inner))]
    inner = judged[len(outer) : len(outer) + n_inner]
    if outer and len(inner) < n_inner:
        half = timedelta(max(1, params.churn_horizon_days // 2))
        inner = [
            cut for cut in possible([outer[-1] - horizon - half * i for i in range(n_inner)]) if whole.known_before(cut)
        ]
    if outer and len(inner) < min(ENOUGH_INNER, n_inner):
        inner = [
            cut for cut in possible([outer[-1] - spacing * i for i in range(1, n_inner + 1)]) if whole.known_before(cut)
        ]
    oldest = min([*outer, *inner], default=None)
    calibration = [cut for cut in chain if oldest and cut + horizon <= oldest and whole.known_before(cut)][:1]
    rest = [cut for cut in chain if cut not in {*outer, *inner, *calibration}]
    made = plan(tuple(outer), tuple(inner), tuple(calibration), tuple(rest))
    # The coming days first: without them no season could be applied.
    coming = [day - YEAR for day in made.season_days]
    if not outer or len(possible(coming)) < len(coming) or max(coming) + horizon > anchor:
        return made
    return replace(made, season=possible(sorted({*coming, *(cut - YEAR for cut in made.out_of_time)})))
