"""Which past days a model learns from and is judged on.

In: the day it is trained as of, the data's first day, days on which the business was closed, parameters. Out: cutoff
dates. A cutoff date T is a day as of which customers are described; what they did in [T, T + horizon) is their label,
counted in open days. No table is read here.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, timedelta

from assets.model.open_days import open_days_after
from assets.model.season import YEAR
from assets.shared.params import Params

#: Days of history after which silences can be distinguished from rhythms, whatever the horizon.
SETTLED_DAYS = 45
#: Days between those that the season is stated for.
SEASON_STEP_DAYS = 16
#: Validation cutoffs that are sought: the spread of two says next to nothing.
ENOUGH_VALIDATION = 3


@dataclass(frozen=True)
class CutoffPlan:
    """Cutoff dates for one training, newest first; every label is closed by `anchor`.

    training: cutoffs whose rows the model to be kept is fitted on.
    test: test cutoffs, the newest, a horizon apart so that their label windows do not overlap. They report; none of
        them chooses.
    validation: cutoffs that choose the chosen model. Their labels end at or before the oldest test cutoff, unless
    `overlaps`: where
        the history is too short for that, they lie a spacing apart just before the one test cutoff, so that a model can
        be chosen at all, and the test numbers are a little too good.
    calibration: one cutoff before the oldest validation cutoff (or none), predicted like a test cutoff but never
    judged: the oldest
        validation cutoff's calibration is learned from it.
    earlier: cutoffs only learned from.
    season: cutoffs one year before the predicted ones and before the days that the model will score; only the season is
        learned from them. Empty under a year of history.
    """

    anchor: date
    horizon_days: int
    n_cutoffs: int
    training: tuple[date, ...]
    test: tuple[date, ...]
    validation: tuple[date, ...] = ()
    calibration: tuple[date, ...] = ()
    earlier: tuple[date, ...] = ()
    season: tuple[date, ...] = ()
    #: Days of long closures, which no horizon counts.
    closed: frozenset[date] = frozenset()

    def label_end(self, cutoff: date) -> date:
        """The day on which the horizon of a cutoff has closed."""
        return open_days_after(cutoff, self.horizon_days, self.closed)

    @property
    def cutoffs(self) -> tuple[date, ...]:
        """Every cutoff whose snapshot is needed, oldest first."""
        return tuple(sorted({*self._learned, *self.season}))

    @property
    def _learned(self) -> set[date]:
        return {*self.training, *self.test, *self.validation, *self.calibration, *self.earlier}

    @property
    def newest_matured(self) -> date:
        """The newest day whose outcomes are known on the anchor."""
        return self.anchor - timedelta(self.horizon_days)

    @property
    def season_days(self) -> tuple[date, ...]:
        """Days that the season is stated for: from the oldest cutoff that a check may ask for to the last day that the
        model may score before its month has a new one."""
        step = timedelta(SEASON_STEP_DAYS)
        return tuple(sorted({self.newest_matured, *(self.anchor + step * i for i in range(3))}))

    @property
    def out_of_time(self) -> tuple[date, ...]:
        """Cutoffs that are predicted by a model which knows nothing later, oldest first."""
        return tuple(sorted({*self.test, *self.validation, *self.calibration}))

    @property
    def overlaps(self) -> bool:
        """Whether labels of validation cutoffs reach into the label window of an test one."""
        return bool(self.validation and self.test) and self.label_end(max(self.validation)) > min(self.test)

    def role(self, cutoff: date) -> str:
        """test | validation | calibration."""
        return "test" if cutoff in self.test else "validation" if cutoff in self.validation else "calibration"

    def known_before(self, cutoff: date) -> tuple[date, ...]:
        """Cutoffs a model tested at `cutoff` may learn from: their labels end at or before it. Newest first."""
        known = [c for c in sorted(self._learned, reverse=True) if self.label_end(c) <= cutoff]
        return tuple(known[: self.n_cutoffs])


def plan_cutoffs(anchor: date, first_day: date | None, params: Params, closed: Collection[date] = ()) -> CutoffPlan:
    """Cutoffs for a model trained as of `anchor` on data that begins on `first_day` (None: no data), of a business that
    was `closed` on some days.

    The newest cutoff is `anchor` minus the horizon in open days, the first whose outcome is fully known. No cutoff
    lies before `first_day` plus the least tenure plus a horizon, or `SETTLED_DAYS` of it: until then hardly anybody
    could be seen as silent. A cutoff without any earlier closed cutoff to learn from is not predicted. A horizon apart,
    the newest `train_n_test_cutoffs` are test and the `train_n_validation_cutoffs` before them validation; a short
    history gives
    up test cutoffs first, down to one, then sets the validation cutoffs half a horizon apart, then lets them overlap
    (`CutoffPlan.overlaps`).
    """
    horizon = timedelta(params.churn_horizon_days)
    known = frozenset(closed)
    newest = anchor - horizon
    while open_days_after(newest, params.churn_horizon_days, known) > anchor:
        newest -= timedelta(1)
    if first_day is None:
        return CutoffPlan(anchor, params.churn_horizon_days, params.train_n_cutoffs, (), ())
    earliest = first_day + timedelta(min(params.churn_horizon_days, SETTLED_DAYS) + params.churn_min_tenure_days)

    def possible(cutoffs: list[date]) -> tuple[date, ...]:
        return tuple(cutoff for cutoff in cutoffs if cutoff >= earliest)

    def plan(test=(), validation=(), calibration=(), earlier=()) -> CutoffPlan:
        return CutoffPlan(
            anchor,
            params.churn_horizon_days,
            params.train_n_cutoffs,
            training,
            test,
            validation,
            calibration,
            earlier,
            closed=known,
        )

    spacing = timedelta(params.train_cutoff_spacing_days)
    training = possible([newest - spacing * i for i in range(params.train_n_cutoffs)])
    n_test, n_validation = params.train_n_test_cutoffs, params.train_n_validation_cutoffs
    # One more a horizon before the oldest predicted cutoffs: something to learn from even if the grid of training
    # cutoffs is short.
    chain = possible([newest - horizon * i for i in range(n_test + n_validation + 2)])
    whole = plan(earlier=chain)
    judged = [cutoff for cutoff in chain if whole.known_before(cutoff)]
    test = judged[: min(n_test, max(1, len(judged) - n_validation))]
    validation = judged[len(test) : len(test) + n_validation]
    if test and len(validation) < n_validation:
        half = timedelta(max(1, params.churn_horizon_days // 2))
        validation = [
            cutoff
            for cutoff in possible([test[-1] - horizon - half * i for i in range(n_validation)])
            if whole.known_before(cutoff)
        ]
    if test and len(validation) < min(ENOUGH_VALIDATION, n_validation):
        validation = [
            cutoff
            for cutoff in possible([test[-1] - spacing * i for i in range(1, n_validation + 1)])
            if whole.known_before(cutoff)
        ]
    oldest = min([*test, *validation], default=None)
    calibration = [
        cutoff for cutoff in chain if oldest and whole.label_end(cutoff) <= oldest and whole.known_before(cutoff)
    ][:1]
    rest = [cutoff for cutoff in chain if cutoff not in {*test, *validation, *calibration}]
    made = plan(tuple(test), tuple(validation), tuple(calibration), tuple(rest))
    # The coming days first: without them no season could be applied.
    coming = [day - YEAR for day in made.season_days]
    if not test or len(possible(coming)) < len(coming) or max(coming) + horizon > anchor:
        return made
    return replace(made, season=possible(sorted({*coming, *(cutoff - YEAR for cutoff in made.out_of_time)})))
