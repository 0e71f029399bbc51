"""The contest: who scores? Members on identical out-of-time cuts, the champion chosen by the inner ones alone.

In: what each member said at each cut and what happened. Out: the table of results and a `Choice` with its reason.
Nothing is chosen by hand, and no outer cut chooses: the newest one can only keep the champion that reigns.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from assets.train import metrics
from assets.train.cuts import MIN_INNER
from assets.train.estimator import MEMBERS
from assets.train.snapshots import Snapshots

RULE = "recency_rule"
#: The model that was in force on the day of a cut, as the store has it.
REIGNING = "champion"
POPULATIONS = ("active", "all")


@dataclass(frozen=True)
class Judged:
    """One cut: probabilities by member, all of customers whose outcome none of them had seen."""

    cut: date
    role: str  # inner | outer
    rows: Snapshots
    probability: Mapping[str, np.ndarray]

    def population(self, name: str) -> np.ndarray:
        return self.rows.is_active if name == "active" else np.ones(len(self.rows), dtype=bool)


@dataclass(frozen=True)
class Choice:
    """member: who scores. best: the best of those that were fitted, for inspection where the rule scores. reason: in
    words. is_fitted: whether anybody but the rule took part."""

    member: str
    best: str | None
    reason: str
    is_fitted: bool = True

    @property
    def fitted(self) -> str | None:
        """The fitted member to keep and to show beside the rule: who scores, or the best where the rule does."""
        return self.best if self.member == RULE else self.member


def choose(cuts: Sequence[Judged]) -> Choice:
    """The champion by the inner cuts: least log loss on active customers, ties to the simpler.

    A member ties with the best when its mean loss is worse by no more than the uncertainty of that difference (one
    standard error, Breiman et al. 1984: the wider of the spread over cuts and the error within them); of these the
    simplest is taken (`MEMBERS` is in that order). Whoever is to replace the published rule must beat it beyond doubt:
    by the 95 % interval of the difference.
    """
    inner = [cut for cut in cuts if cut.role == "inner"]
    members = [m for m in MEMBERS if inner and all(m in cut.probability for cut in inner)]
    if members in ([], [RULE]):
        return Choice(RULE, None, "no model could be judged at the inner cuts, so the rule scores", False)
    fitted = [m for m in members if m != RULE]
    losses = {m: _losses(inner, m) for m in members}
    if any(len(loss) == 0 for loss in losses[members[0]]):
        return Choice(RULE, fitted[-1], "no active customer at an inner cut, so the rule scores")
    means = {m: float(np.mean([loss.mean() for loss in losses[m]])) for m in members}
    best = min(members, key=lambda m: (means[m], members.index(m)))
    best_fitted = min(fitted, key=lambda m: (means[m], members.index(m)))
    if len(inner) < MIN_INNER:
        return Choice(RULE, best_fitted, f"{len(inner)} inner cut is too few to choose by, so the rule scores")
    chosen, tied = best, []
    for member in members[: members.index(best)]:
        gap, errors = paired(losses[member], losses[best])
        if gap.mean() <= max(gap.std(ddof=1) / np.sqrt(len(gap)), errors.mean()):
            tied.append(member)
    if tied:
        chosen = tied[0]
    words = f"{len(inner)} inner cuts, log loss on active customers: {best} {means[best]:.4f} is the least"
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


def is_worse(cut: Judged, member: str) -> tuple[bool, str] | None:
    """Whether `member` is worse than the reigning champion at a cut that neither had seen: its log loss on active
    customers is higher by more than one standard error of the difference. None where no champion reigned."""
    if REIGNING not in cut.probability or member not in cut.probability or not cut.rows.is_active.any():
        return None
    gap, errors = paired(_losses([cut], member), _losses([cut], REIGNING))
    error = errors[0] if np.isfinite(errors[0]) else 0.0
    words = f"log loss at {cut.cut} {gap[0]:+.4f} against the reigning champion's (standard error {error:.4f})"
    return bool(gap[0] > error), words


def paired(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Mean of first − second at each cut, and its standard error over customers; (k,), (k,)."""
    pairs = [metrics.mean_and_error(a - b) for a, b in zip(first, second, strict=True)]
    return np.array([mean for mean, _ in pairs]), np.array([error for _, error in pairs])


def table(cuts: Sequence[Judged], choice: Choice) -> list[dict]:
    """One dict a member, population, cut (None: mean over the cuts of the role), role and metric, JSON types.

    low, high: 95 % interval over customers where its error has a closed form (AUC: DeLong et al. 1988; losses: of a
    mean); for the mean also over cuts."""
    rows: list[dict] = []
    order = [*MEMBERS, REIGNING]
    for role in ("inner", "outer"):
        here = [cut for cut in cuts if cut.role == role]
        for member in order:
            seen = [cut for cut in here if member in cut.probability]
            for population in POPULATIONS:
                values, errors, counts = [], [], []
                for cut in seen:
                    inside = cut.population(population)
                    y, p = cut.rows.is_churned[inside], cut.probability[member][inside]
                    values.append(metrics.measure(y, p))
                    errors.append(metrics.closed_errors(y, p))
                    counts.append((len(y), int(y.sum())))
                    rows += _rows(
                        member,
                        order,
                        population,
                        cut.cut.isoformat(),
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
                    rows += _rows(member, order, population, None, role, choice, v.mean(axis=0), margins, total)
    return rows


def _rows(member, order, population, cut, role, choice, values, margins, counts) -> list[dict]:
    rows = []
    for metric, value, margin in zip(metrics.METRICS, values, margins, strict=True):
        found = metrics.estimate(metric, value, margin)
        rows.append(
            {
                "member": member,
                "member_rank": order.index(member) + 1,
                "population": population,
                "cut_date": cut,
                "cut_role": role,
                "metric": metric,
                "value": found.value,
                "low": found.low,
                "high": found.high,
                "n_rows": counts[0],
                "n_churned": counts[1],
                "is_chosen": member == choice.member,
            }
        )
    return rows


def _losses(cuts: Sequence[Judged], member: str) -> list[np.ndarray]:
    return [
        metrics.log_losses(cut.rows.is_churned[cut.rows.is_active], cut.probability[member][cut.rows.is_active])
        for cut in cuts
    ]
