"""Model selection: who scores? Candidate models on identical out-of-time cutoffs, the chosen model chosen by the
validation ones alone.

In: what each candidate model said at each cutoff and what happened. Out: the table of results and a `Choice` with its
reason. Nothing is chosen by hand, and no test cutoff chooses: the newest one can only keep the incumbent.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from assets.train import metrics
from assets.train.cutoffs import MIN_VALIDATION
from assets.train.estimator import CANDIDATE_MODELS
from assets.train.snapshots import Snapshots

RULE = "recency_rule"
#: The model that was active on the day of a cutoff, as the store has it.
INCUMBENT = "incumbent"
POPULATIONS = ("active", "all")


@dataclass(frozen=True)
class Judged:
    """One cutoff: probabilities by candidate model, all of customers whose outcome none of them had seen."""

    cutoff: date
    role: str  # validation | test
    rows: Snapshots
    probability: Mapping[str, np.ndarray]

    def population(self, name: str) -> np.ndarray:
        return self.rows.is_active if name == "active" else np.ones(len(self.rows), dtype=bool)


@dataclass(frozen=True)
class Choice:
    """candidate_model: who scores. best: the best of those that were fitted, for inspection where the rule scores.
    reason: in words. is_fitted: whether anybody but the rule took part."""

    candidate_model: str
    best: str | None
    reason: str
    is_fitted: bool = True

    @property
    def fitted(self) -> str | None:
        """The fitted candidate model to keep and to show beside the rule: who scores, or the best where the rule
        does."""
        return self.best if self.candidate_model == RULE else self.candidate_model


def choose_model(cutoffs: Sequence[Judged]) -> Choice:
    """The chosen model by the validation cutoffs: least log loss on active customers, ties to the simpler.

    A candidate model ties with the best when its mean loss is worse by no more than the uncertainty of that difference
    (one standard error, Breiman et al. 1984: the wider of the spread over cutoffs and the error within them); of these
    the simplest is taken (`CANDIDATE_MODELS` is in that order). Whoever is to replace the published rule must beat it
    beyond doubt: by the 95 % interval of the difference.
    """
    validation = [cutoff for cutoff in cutoffs if cutoff.role == "validation"]
    candidate_models = [
        m for m in CANDIDATE_MODELS if validation and all(m in cutoff.probability for cutoff in validation)
    ]
    if candidate_models in ([], [RULE]):
        return Choice(RULE, None, "no model could be judged at the validation cutoffs, so the rule scores", False)
    fitted = [m for m in candidate_models if m != RULE]
    losses = {m: _losses(validation, m) for m in candidate_models}
    if any(len(loss) == 0 for loss in losses[candidate_models[0]]):
        return Choice(RULE, fitted[-1], "no active customer at an validation cutoff, so the rule scores")
    means = {m: float(np.mean([loss.mean() for loss in losses[m]])) for m in candidate_models}
    best = min(candidate_models, key=lambda m: (means[m], candidate_models.index(m)))
    best_fitted = min(fitted, key=lambda m: (means[m], candidate_models.index(m)))
    if len(validation) < MIN_VALIDATION:
        return Choice(
            RULE, best_fitted, f"{len(validation)} validation cutoff is too few to choose by, so the rule scores"
        )
    chosen, tied = best, []
    for candidate_model in candidate_models[: candidate_models.index(best)]:
        gap, errors = paired(losses[candidate_model], losses[best])
        if gap.mean() <= max(gap.std(ddof=1) / np.sqrt(len(gap)), errors.mean()):
            tied.append(candidate_model)
    if tied:
        chosen = tied[0]
    words = f"{len(validation)} validation cutoffs, log loss on active customers: {best} {means[best]:.4f} is the least"
    if tied:
        words += f"; {', '.join(tied)} tied with it, and the simplest is taken: {chosen} {means[chosen]:.4f}"
    if chosen == RULE:
        return Choice(RULE, best_fitted, f"{words}: the rule scores")
    gap, errors = paired(losses[RULE], losses[chosen])
    margin = metrics.mean_margin(gap, errors)
    words += (
        f"; {chosen} is better than the simple rule by {gap.mean():.4f} (95 % interval {gap.mean() - margin:+.4f} to "
        f"{gap.mean() + margin:+.4f})"
    )
    if not gap.mean() - margin > 0:
        return Choice(RULE, best_fitted, f"{words}: not beyond doubt, so the rule scores")
    return Choice(chosen, best_fitted, f"{words}: {chosen} scores")


def is_worse(cutoff: Judged, candidate_model: str) -> tuple[bool, str] | None:
    """Whether `candidate_model` is worse than the incumbent at a cutoff that neither had seen: its log loss on active
    customers is higher by more than one standard error of the difference. None where there was no incumbent."""
    if (
        INCUMBENT not in cutoff.probability
        or candidate_model not in cutoff.probability
        or not cutoff.rows.is_active.any()
    ):
        return None
    gap, errors = paired(_losses([cutoff], candidate_model), _losses([cutoff], INCUMBENT))
    error = errors[0] if np.isfinite(errors[0]) else 0.0
    words = f"log loss at {cutoff.cutoff} {gap[0]:+.4f} against the incumbent's (standard error {error:.4f})"
    return bool(gap[0] > error), words


def paired(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean of first − second at each cutoff, and its standard error over customers; (k,), (k,)."""
    pairs = [metrics.mean_and_error(a - b) for a, b in zip(first, second, strict=True)]
    return np.array([mean for mean, _ in pairs]), np.array([error for _, error in pairs])


def table(cutoffs: Sequence[Judged], choice: Choice) -> list[dict]:
    """One dict a candidate model, population, cutoff (None: mean over the cutoffs of the role), role and metric, JSON
    types.

    low, high: 95 % interval over customers where its error has a closed form (AUC: DeLong et al. 1988; losses: of a
    mean); for the mean also over cutoffs."""
    rows: list[dict] = []
    order = [*CANDIDATE_MODELS, INCUMBENT]
    for role in ("validation", "test"):
        here = [cutoff for cutoff in cutoffs if cutoff.role == role]
        for candidate_model in order:
            seen = [cutoff for cutoff in here if candidate_model in cutoff.probability]
            for population in POPULATIONS:
                values, errors, counts = [], [], []
                for cutoff in seen:
                    inside = cutoff.population(population)
                    y, p = cutoff.rows.is_churned[inside], cutoff.probability[candidate_model][inside]
                    values.append(metrics.measure_scores(y, p))
                    errors.append(metrics.closed_errors(y, p))
                    counts.append((len(y), int(y.sum())))
                    rows += _rows(
                        candidate_model,
                        order,
                        population,
                        cutoff.cutoff.isoformat(),
                        role,
                        choice,
                        values[-1],
                        metrics.Z95 * errors[-1],
                        counts[-1],
                    )
                if seen:
                    v, e = np.array(values), np.array(errors)
                    margins = np.array(
                        [
                            metrics.mean_margin(v[:, j], e[:, j]) if np.isfinite(e[:, j]).all() else np.nan
                            for j in range(v.shape[1])
                        ]
                    )
                    total = (sum(n for n, _ in counts), sum(k for _, k in counts))
                    rows += _rows(
                        candidate_model, order, population, None, role, choice, v.mean(axis=0), margins, total
                    )
    return rows


def _rows(candidate_model, order, population, cutoff, role, choice, values, margins, counts) -> list[dict]:
    rows = []
    for metric, value, margin in zip(metrics.METRICS, values, margins, strict=True):
        found = metrics.estimate(metric, value, margin)
        rows.append(
            {
                "candidate_model": candidate_model,
                "simplicity_rank": order.index(candidate_model) + 1,
                "population": population,
                "cutoff_date": cutoff,
                "cutoff_role": role,
                "metric": metric,
                "value": found.value,
                "low": found.low,
                "high": found.high,
                "n_rows": counts[0],
                "n_churned": counts[1],
                "is_chosen": candidate_model == choice.candidate_model,
            }
        )
    return rows


def _losses(cutoffs: Sequence[Judged], candidate_model: str) -> list[np.ndarray]:
    return [
        metrics.log_losses(
            cutoff.rows.is_churned[cutoff.rows.is_active], cutoff.probability[candidate_model][cutoff.rows.is_active]
        )
        for cutoff in cutoffs
    ]
