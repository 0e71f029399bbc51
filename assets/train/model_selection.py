"""Model selection: who scores? The average, unless another is shown to be better at identical validation cutoffs.

In: what each candidate model said at each cutoff and what happened. Out: a `Choice` with its reason, and the table of
results. Pure functions of predictions. Nothing is chosen by hand, and no test cutoff chooses: the newest one can only
keep the incumbent (`decision`) or put a simple candidate model in the place of a choice that turned out worse
(`unless_a_simple_one_is_better`).

The burden of proof is on leaving the average: it holds every part with the weight that earlier outcomes gave it, so a
part that is worse has lost its weight already. To choose the least of several noisy losses would choose noise.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assets.model.candidate_models import AVERAGE, NAMES, RULE, SIMPLE
from assets.train import metrics, selection_words
from assets.train.out_of_time import INCUMBENT, POPULATIONS, Judged
from assets.train.simple_members import find_better, log_odds_of


@dataclass(frozen=True)
class Choice:
    """candidate_model: who scores. best: the best of those that were fitted, for inspection where the rule scores.
    reason: in words."""

    candidate_model: str
    best: str
    reason: str

    @property
    def fitted(self) -> str:
        """The fitted candidate model to keep and to compare with the rule: who scores, or the best where the rule
        does."""
        return self.best if self.candidate_model == RULE else self.candidate_model


@dataclass(frozen=True)
class Standing:
    """Candidate models that took part at every validation cutoff, simplest first, with the log losses of active
    customers, one array a cutoff."""

    losses: Mapping[str, Sequence[np.ndarray]]

    @property
    def n_cutoffs(self) -> int:
        return len(next(iter(self.losses.values())))

    def mean_loss(self, candidate_model: str) -> float:
        return float(np.mean([loss.mean() for loss in self.losses[candidate_model]]))

    def best(self, only_fitted: bool = False) -> str:
        """Least mean loss; of equals the simplest."""
        names = [name for name in self.losses if not (only_fitted and name == RULE)]
        return min(names, key=lambda name: (self.mean_loss(name), names.index(name)))

    def gain(self, candidate_model: str, over: str) -> tuple[float, float]:
        """By how much the mean loss of `over` is higher, customer by customer, and half the width of its 95 % interval.

        A customer stands at several cutoffs, so their errors are taken as fully correlated: the mean over more cutoffs
        is no surer than one of them, unless the cutoffs themselves disagree by more."""
        gap, errors = paired(self.losses[over], self.losses[candidate_model])
        spread = gap.std(ddof=1) / np.sqrt(len(gap)) if len(gap) > 1 else 0.0
        return float(gap.mean()), metrics.Z95 * float(max(spread, np.nanmean(errors)))


def choose_model(cutoffs: Sequence[Judged], among: Collection[str] = NAMES) -> Choice:
    """The average, unless another candidate model (the rule among them) has a lower log loss on active customers at the
    validation cutoffs beyond doubt: by the 95 % interval of the paired difference. Without validation cutoffs the
    average with its prior weights.

    among: the candidate models that can be fitted to all that is known now. One that was missing at any cutoff, for too
    few outcomes, is not chosen either: its promise could not be shown."""
    validation = [cutoff for cutoff in cutoffs if cutoff.role == "validation"]
    names = [name for name in NAMES if validation and all(name in cutoff.probability for cutoff in cutoffs)]
    names = [name for name in names if name == RULE or name in among]
    if AVERAGE not in names:
        return Choice(AVERAGE, AVERAGE, selection_words.NOBODY_JUDGED)
    standing = Standing({name: _losses(validation, name) for name in names})
    if any(len(loss) == 0 for loss in standing.losses[AVERAGE]):
        return Choice(AVERAGE, AVERAGE, selection_words.NOBODY_ACTIVE)
    best, best_fitted = standing.best(), standing.best(only_fitted=True)
    words = selection_words.least_loss(standing.n_cutoffs, best, standing.mean_loss(best))
    if best == AVERAGE:
        return Choice(AVERAGE, AVERAGE, f"{words}: it scores")
    gain, margin = standing.gain(best, over=AVERAGE)
    words += selection_words.gain_over_average(standing.mean_loss(AVERAGE), gain, margin)
    if not gain - margin > 0:
        return Choice(AVERAGE, AVERAGE, f"{words}: not beyond doubt, so the average scores")
    return Choice(best, best_fitted, f"{words}: {best} scores")


def unless_a_simple_one_is_better(choice: Choice, tests: Sequence[Judged], among: Collection[str] = NAMES) -> Choice:
    """The choice, or the simple candidate model that was better beyond doubt at the newest test cutoff (`find_better`),
    whose outcomes are the newest that nobody had learned from. among: as in `choose_model`."""
    newest = max(tests, key=lambda judged: judged.cutoff, default=None)
    if newest is None or choice.candidate_model not in newest.probability:
        return choice
    said = {name: log_odds_of(p) for name, p in newest.probability.items()}
    simple = {name: said[name] for name in SIMPLE if name in said and (name == RULE or name in among)}
    simple.pop(choice.candidate_model, None)
    better = find_better(newest.rows, said[choice.candidate_model], simple)
    if better is None:
        return choice
    words = selection_words.simple_scores(newest.cutoff, choice.candidate_model, better)
    reason, name = f"{choice.reason}; but {words}", better.candidate_model
    return replace(choice, candidate_model=name, best=choice.fitted if name == RULE else name, reason=reason)


@dataclass(frozen=True)
class Gap:
    """By how much a log loss is higher than the incumbent's, and its standard error."""

    value: float
    error: float

    @property
    def is_worse(self) -> bool:
        return self.value > metrics.Z95 * self.error


def gap_to_incumbent(cutoff: Judged, candidate_model: str) -> Gap | None:
    """How `candidate_model` compares with the incumbent at a cutoff that neither had seen, by log loss on active
    customers. None where there was no incumbent."""
    names = (INCUMBENT, candidate_model)
    if not all(name in cutoff.probability for name in names) or not cutoff.rows.is_active.any():
        return None
    gap, errors = paired(_losses([cutoff], candidate_model), _losses([cutoff], INCUMBENT))
    return Gap(float(gap[0]), float(errors[0]) if np.isfinite(errors[0]) else 0.0)


def paired(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean of first − second at each cutoff, and its standard error over customers; (k,), (k,)."""
    pairs = [metrics.mean_and_error(a - b) for a, b in zip(first, second, strict=True)]
    return np.array([mean for mean, _ in pairs]), np.array([error for _, error in pairs])


def results_table(cutoffs: Sequence[Judged], chosen: str) -> list[dict[str, Any]]:
    """One dict a candidate model, population, cutoff (None: mean over the cutoffs of the role), role and metric, JSON
    types.

    low, high: 95 % interval over customers where its error has a closed form (AUC: DeLong et al. 1988; losses: of a
    mean); for the mean also over cutoffs."""
    order = [*NAMES, INCUMBENT]
    rows: list[dict[str, Any]] = []
    for role in ("validation", "test"):
        here = [cutoff for cutoff in cutoffs if cutoff.role == role]
        for name in order:
            about = {"candidate_model": name, "simplicity_rank": order.index(name) + 1, "is_chosen": name == chosen}
            seen = [cutoff for cutoff in here if name in cutoff.probability]
            for population in POPULATIONS if seen else ():
                rows += _results({**about, "population": population, "cutoff_role": role}, seen)
    return rows


def _results(about: dict[str, Any], cutoffs: Sequence[Judged]) -> list[dict[str, Any]]:
    """Metrics of one candidate model on one population: at each cutoff, and their means."""
    rows: list[dict[str, Any]] = []
    values, errors, counts = [], [], []
    for cutoff in cutoffs:
        inside = cutoff.population(about["population"])
        y, p = cutoff.rows.is_churned[inside], cutoff.probability[about["candidate_model"]][inside]
        values.append(metrics.measure_scores(y, p))
        errors.append(metrics.closed_errors(y, p))
        counts.append((len(y), int(y.sum())))
        at = {**about, "cutoff_date": cutoff.cutoff.isoformat()}
        rows += metrics.metric_rows(at, values[-1], metrics.Z95 * errors[-1], counts[-1])
    v, e = np.array(values), np.array(errors)
    margins = np.array(
        [metrics.mean_margin(v[:, j], e[:, j]) if np.isfinite(e[:, j]).all() else np.nan for j in range(v.shape[1])]
    )
    total = (sum(n for n, _ in counts), sum(k for _, k in counts))
    return rows + metrics.metric_rows({**about, "cutoff_date": None}, v.mean(axis=0), margins, total)


def _losses(cutoffs: Sequence[Judged], candidate_model: str) -> list[np.ndarray]:
    return [
        metrics.log_losses(
            cutoff.rows.is_churned[cutoff.rows.is_active], cutoff.probability[candidate_model][cutoff.rows.is_active]
        )
        for cutoff in cutoffs
    ]
