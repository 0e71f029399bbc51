"""What contacting nobody, everybody, or those whom a model chooses would have brought.

Every figure is a mean over persons of one doubly robust score (Robins, Rotnitzky and Zhao 1994; for policies Athey and
Wager 2021): what the model says of a person, corrected by what was seen where the lot gave that person the arm. The lot
is known, so it has no bias whatever the model, and less noise than the difference of means. Predictions and stop points
are taken from other persons than those they are judged on. Intervals: bootstrap over groups of persons.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from campaigns.learners import N_FOLDS, Covariates, Values, folds
from campaigns.table import Campaign

#: Shares of the persons, best first, at which a curve is read and a model may stop.
SHARES = np.linspace(0, 1, 21)

#: Groups of persons that are drawn again, and how often.
N_GROUPS, N_DRAWS = 400, 2_000

#: Persons with the outcome and without it that each arm must have before a model is fitted.
MIN_OUTCOMES = 50

#: All statements of one page together are wrong about an effect that is not there with this chance at most.
LEVEL = 0.05

#: A share of persons over which no effect of use to anybody could hide: a tenth of the control group's rate.
SMALL_SHARE = 0.1

MODELS = {
    "two_model": "what a model of the contacted says of a person, less what a model of the others says",
    "transformed_outcome": "one model of the result, counted against the contact where a person was held out",
    "class_transformation": "one model of whether a person did as if the contact worked",
    "response": "most likely to have the outcome when contacted",
    "risk": "least likely to have the outcome without a contact",
}


@dataclass(frozen=True)
class Terms:
    """What an outcome is worth. Without money the value is the outcome itself."""

    value: float | None = None  # money of one outcome
    margin: float = 1.0  # share of the revenue that is kept
    cost: float = 0.0  # money a contacted person, on top of the column of costs


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval, corrected for the number of such figures on the page."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class ArmResult:
    """What one arm changed, against the control group, if everybody had got it."""

    arm: str
    n: int
    rate: float
    effect: Estimate  # difference of the share with the outcome, 0 to 1
    smallest_shown: float  # difference that such a campaign shows four times in five
    n_needed: int | None  # persons in all that would show an effect of the observed size; None where it is shown
    verdict: str
    per_1000: Estimate  # profit a 1,000 persons, or outcomes without money


@dataclass(frozen=True)
class Policy:
    """What one way to choose persons for an arm brings, a 1,000 persons of all."""

    arm: str
    name: str
    share: float  # of the persons who are contacted
    per_1000: Estimate
    over_simple: Estimate | None  # more than the better of nobody and everybody
    qini: Estimate | None  # mean height of the curve over that of contacts by lot, a 1,000 persons
    curve: Values | None  # (shares,) what the best share brings, a 1,000 persons
    is_recommended: bool = False


@dataclass(frozen=True)
class Evaluation:
    """All that the page shows."""

    control_rate: float
    arms: list[ArmResult]  # what brings most first
    policies: list[Policy]
    has_money: bool
    why_no_models: str  # empty where there are models


def evaluate(campaign: Campaign, terms: Terms) -> Evaluation:
    """Effects and policies of a campaign whose arms were assigned by lot. Two outcomes a person: what happened, and
    what it was worth."""
    scores = _Scores(campaign, terms)
    names = campaign.arm_names
    why = _why_no_models(campaign)
    draws = _Draws(len(campaign.arm))
    level = LEVEL / (len(names) - 1)
    arms = [_arm_result(campaign, scores, draws, a, level) for a in range(1, len(names))]
    policies: list[Policy] = []
    for a in range(1, len(names)):
        policies += _policies(scores, draws, a, names[a], {} if why else scores.of_models(a), level)
    if len(names) > 2 and not why:
        policies.append(_best_arm(scores, draws, level))
    arms.sort(key=lambda arm: -arm.per_1000.mean)
    return Evaluation(float(campaign.outcome[campaign.arm == 0].mean()), arms, policies, scores.has_money, why)


def _why_no_models(campaign: Campaign) -> str:
    if not campaign.covariate_names:
        return "nothing is known of the persons before the contact"
    for place, name in enumerate(campaign.arm_names):
        with_it = int(campaign.outcome[campaign.arm == place].sum())
        without = int((campaign.arm == place).sum()) - with_it
        if min(with_it, without) < MIN_OUTCOMES:
            return f"{name} has {with_it} persons with the outcome and {without} without; {MIN_OUTCOMES} are needed"
    return ""


class _Scores:
    """Out-of-fold predictions of n persons, and the doubly robust scores of every arm."""

    def __init__(self, campaign: Campaign, terms: Terms):
        self._campaign, self._terms = campaign, terms
        self._covariates = Covariates(campaign.covariates, campaign.is_category)
        self._folds = folds(campaign.arm, campaign.outcome)
        n_arms, n = len(campaign.arm_names), len(campaign.arm)
        self.share_of_arm = np.bincount(campaign.arm, minlength=n_arms) / n
        self.has_money = terms.value is not None or campaign.revenue is not None
        self.worth = self._worth()
        self.probability = np.array(
            [self._out_of_fold(campaign.arm == a, campaign.outcome, "probability") for a in range(n_arms)]
        )
        self.amount = np.array([self._amount(a) for a in range(n_arms)])
        self.effect_of = self._robust(self.probability, campaign.outcome)
        self.gain_of = self._robust(self.amount, self.worth)

    def _worth(self) -> Values:
        """What each person brought, after costs: money, or the outcome itself."""
        campaign, terms = self._campaign, self._terms
        if not self.has_money:
            return campaign.outcome
        brought = terms.value * campaign.outcome if terms.value is not None else 0.0
        if campaign.revenue is not None:
            brought = brought + terms.margin * campaign.revenue
        spent = terms.cost * (campaign.arm > 0)
        return np.asarray(brought - spent - (0 if campaign.cost is None else campaign.cost), dtype=np.float64)

    def _amount(self, arm: int) -> Values:
        if self.has_money and (self._campaign.revenue is not None or self._campaign.cost is not None):
            return self._out_of_fold(self._campaign.arm == arm, self.worth, "amount")
        value = self._terms.value if self._terms.value is not None else 1.0
        return value * self.probability[arm] - (self._terms.cost if self.has_money and arm > 0 else 0.0)

    def _out_of_fold(
        self, learns: NDArray[np.bool_], target: Values, kind: str, weights: Values | None = None
    ) -> Values:
        """Predictions for all persons by models of those persons of other folds who are marked in `learns`."""
        found = np.empty(len(target))
        for fold in range(N_FOLDS):
            fit, here = learns & (self._folds != fold), self._folds == fold
            if not self._campaign.covariate_names or fit.sum() < 2 * MIN_OUTCOMES:
                found[here] = target[fit].mean() if fit.any() else 0.0
            elif kind == "probability":
                found[here] = self._covariates.probability(fit, target, weights)[here]
            else:
                found[here] = self._covariates.amount(fit, target)[here]
        return found

    def _robust(self, predicted: Values, seen: Values) -> Values:
        """(arms, n): what each arm brings over the control group, person by person; means are unbiased."""
        arm = self._campaign.arm
        of_arm = np.array(
            [predicted[a] + (arm == a) * (seen - predicted[a]) / share for a, share in enumerate(self.share_of_arm)]
        )
        return of_arm - of_arm[0]

    def of_models(self, arm: int) -> Mapping[str, Values]:
        """How much each model wants each person contacted by this arm, out of fold."""
        campaign = self._campaign
        both = (campaign.arm == 0) | (campaign.arm == arm)
        share = self.share_of_arm[arm] / (self.share_of_arm[arm] + self.share_of_arm[0])
        is_treated = campaign.arm == arm
        weights = np.where(is_treated, 1 / share, 1 / (1 - share))
        turned = (self.worth - self.worth[both].mean()) * np.where(is_treated, weights, -weights)
        as_if = (is_treated == (campaign.outcome == 1)).astype(float)
        return {
            "two_model": self.amount[arm] - self.amount[0],
            "transformed_outcome": self._out_of_fold(both, turned, "amount"),
            "class_transformation": self._out_of_fold(both, as_if, "probability", weights),
            "response": self.probability[arm],
            "risk": -self.probability[0],
        }

    def place_in_fold(self, score: Values) -> Values:
        """Share of the fold's persons who come before each person, best first; ties by lot."""
        place = np.empty(len(score))
        lot = np.random.default_rng(1).random(len(score))
        for fold in range(N_FOLDS):
            here = np.flatnonzero(self._folds == fold)
            order = np.lexsort((lot[here], -score[here]))
            place[here[order]] = (np.arange(len(here)) + 0.5) / len(here)
        return place

    def chosen(self, place: Values, gain: Values) -> NDArray[np.bool_]:
        """Who is contacted: the best share of each fold, which is the share that pays most in the other folds."""
        chosen = np.zeros(len(place), dtype=bool)
        for fold in range(N_FOLDS):
            others = self._folds != fold
            worth = [gain[others & (place <= share)].sum() for share in SHARES]
            chosen |= ~others & (place <= SHARES[int(np.argmax(worth))])
        return chosen


class _Draws:
    """Bootstrap: groups of persons are drawn again with the same draws for every figure, so that differences of two
    figures have their own interval."""

    def __init__(self, n: int):
        random = np.random.default_rng(2)
        self.n_groups = min(N_GROUPS, n)
        self.group = random.permutation(np.arange(n) % self.n_groups)
        counts = random.multinomial(self.n_groups, np.full(self.n_groups, 1 / self.n_groups), size=N_DRAWS)
        persons = np.bincount(self.group, minlength=self.n_groups)
        self._weights = counts / (counts @ persons)[:, None]

    def of_mean(self, terms: Values) -> Values:
        """(draws,) the mean of one term a person."""
        return self._weights @ np.bincount(self.group, weights=terms, minlength=self.n_groups)

    def of_curve(self, place: Values, gain: Values) -> Values:
        """(draws, shares) what the best share brings, a person of all."""
        bins = np.clip(np.ceil(place * (len(SHARES) - 1)).astype(int), 1, len(SHARES) - 1)
        sums = np.zeros((self.n_groups, len(SHARES)))
        np.add.at(sums, (self.group, bins), gain)
        return np.cumsum(self._weights @ sums, axis=1)


def _estimate(mean: float, drawn: Values, level: float, scale: float = 1000.0) -> Estimate:
    from scipy.stats import norm

    half = float(norm.ppf(1 - level / 2) * drawn.std())
    return Estimate(scale * mean, scale * (mean - half), scale * (mean + half))


def _arm_result(campaign: Campaign, scores: _Scores, draws: _Draws, arm: int, level: float) -> ArmResult:
    from scipy.stats import norm

    here = campaign.arm == arm
    terms = scores.effect_of[arm]
    effect = _estimate(float(terms.mean()), draws.of_mean(terms), level, scale=1.0)
    error = (effect.high - effect.low) / 2 / float(norm.ppf(1 - level / 2))
    smallest = float(norm.ppf(1 - level / 2) + norm.ppf(0.8)) * error
    is_shown = effect.low > 0 or effect.high < 0
    needed = None
    if not is_shown and effect.mean != 0:
        needed = int(np.ceil(len(here) * (smallest / abs(effect.mean)) ** 2))
    gain = scores.gain_of[arm]
    control_rate = float(campaign.outcome[campaign.arm == 0].mean())
    return ArmResult(
        campaign.arm_names[arm],
        int(here.sum()),
        float(campaign.outcome[here].mean()),
        effect,
        smallest,
        needed,
        verdict(effect, smallest, control_rate),
        _estimate(float(gain.mean()), draws.of_mean(gain), level),
    )


def verdict(effect: Estimate, smallest_shown: float, control_rate: float) -> str:
    """`works`, `harms`, `no effect shown` (any effect is too small to be of use) or `too small to tell`."""
    if effect.low > 0:
        return "works"
    if effect.high < 0:
        return "harms"
    return "no effect shown" if smallest_shown <= SMALL_SHARE * control_rate else "too small to tell"


def _policies(
    scores: _Scores, draws: _Draws, arm: int, arm_name: str, models: Mapping[str, Values], level: float
) -> list[Policy]:
    """Nobody, everybody and each model, with one recommended among them."""
    gain = scores.gain_of[arm]
    level = level / max(1, len(models))
    everybody, drawn_everybody = float(gain.mean()), draws.of_mean(gain)
    of_everybody = _estimate(everybody, drawn_everybody, level)
    found = [
        Policy(arm_name, "nobody", 0.0, Estimate(0.0, 0.0, 0.0), None, None, None),
        Policy(arm_name, "everybody", 1.0, of_everybody, None, None, None),
    ]
    best, best_gain = int(of_everybody.low > 0), 0.0
    for name, score in models.items():
        place = scores.place_in_fold(score)
        chosen = scores.chosen(place, gain)
        mean, drawn = float((chosen * gain).mean()), draws.of_mean(chosen * gain)
        simple, drawn_simple = (everybody, drawn_everybody) if everybody > 0 else (0.0, np.zeros_like(drawn))
        over = _estimate(mean - simple, drawn - drawn_simple, level)
        curve = np.array([gain[place <= share].sum() for share in SHARES]) / len(gain)
        drawn_curve = draws.of_curve(place, gain)
        found.append(
            Policy(
                arm_name,
                name,
                float(chosen.mean()),
                _estimate(mean, drawn, level),
                over,
                _estimate(float(_area(curve)), _area(drawn_curve), level),
                1000 * curve,
            )
        )
        if over.low > 0 and found[-1].per_1000.low > 0 and mean > best_gain:
            best, best_gain = len(found) - 1, mean
    found[best] = _recommended(found[best])
    return found


def _area(curve: Values) -> Values:
    """Mean height of a curve over shares, above the straight line of contacts by lot (Radcliffe 2007)."""
    return (curve - SHARES * curve[..., -1:]).mean(axis=-1)


def _recommended(policy: Policy) -> Policy:
    return replace(policy, is_recommended=True)


def _best_arm(scores: _Scores, draws: _Draws, level: float) -> Policy:
    """Each person gets the arm that the two-model says brings most, or none where none brings anything."""
    arm = np.argmax(scores.amount, axis=0)
    terms = scores.gain_of[arm, np.arange(len(arm))]
    return Policy(
        "best of all arms",
        "two_model",
        float((arm > 0).mean()),
        _estimate(float(terms.mean()), draws.of_mean(terms), level),
        None,
        None,
        None,
    )
