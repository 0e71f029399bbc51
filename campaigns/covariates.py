"""Which columns were known before the contact, and whether chance assigned it.

A column that the contact itself changed (visits, clicks, later spend) would make every model look excellent on data in
which nobody could have known it. Chance alone assigns arms without regard to what was known before; so a single column
that differs between the arms beyond chance came after the contact, and many that do mean that there was no chance.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from campaigns.table import Campaign

#: Chance that arms which were drawn by lot differ as much in any covariate. Below it they were not, or it came later.
NOT_BY_CHANCE = 1e-6

#: Chance below which the balance is called doubtful.
DOUBTFUL = 0.01

#: Up to this share of the covariates may have come after the contact; with more of them the arms were not drawn by lot.
MOST_LATE_SHARE = 0.34

#: Persons with a value who must all have the same outcome before the value is suspected of being the outcome.
MIN_DECIDED = 50


@dataclass(frozen=True)
class Balance:
    """How far the arms are from what a lot would make of them."""

    is_randomised: bool
    p_value: float  # the smallest over the covariates times their number (Bonferroni)
    differing: list[str]  # covariates beyond NOT_BY_CHANCE


def without_late_columns(campaign: Campaign) -> tuple[Campaign, Balance]:
    """The campaign with those covariates only that were known before the contact, and the balance of its arms."""
    names = campaign.covariate_names
    p_values = {name: _p_value(campaign, place) * len(names) for place, name in enumerate(names)}
    differing = [name for name in names if p_values[name] < NOT_BY_CHANCE]
    is_randomised = len(differing) <= max(1, MOST_LATE_SHARE * len(names)) if len(names) > 1 else not differing
    late = {name: "differs between the arms: measured after the contact" for name in differing if is_randomised}
    late |= {
        name: "decides the outcome: measured with it"
        for place, name in enumerate(names)
        if name not in late and _decides(campaign.covariates[:, place], campaign.outcome)
    }
    kept = [place for place, name in enumerate(names) if name not in late]
    smallest = min((p for name, p in p_values.items() if name not in late), default=1.0)
    return (
        replace(
            campaign,
            covariate_names=[names[place] for place in kept],
            covariates=campaign.covariates[:, kept],
            is_category=[campaign.is_category[place] for place in kept],
            unused_columns=campaign.unused_columns | late,
        ),
        Balance(is_randomised, min(smallest, 1.0), differing),
    )


def _p_value(campaign: Campaign, place: int) -> float:
    """Chance of a difference between the arms as large as this: of shares for a category, of mid-ranks for a number
    (Kruskal and Wallis 1952; amounts have tails in which a mean says little)."""
    from scipy.stats import chi2_contingency, kruskal

    values, arms = campaign.covariates[:, place], range(len(campaign.arm_names))
    known = ~np.isnan(values)
    shares = np.array([[np.sum(known[campaign.arm == a]), np.sum(~known[campaign.arm == a])] for a in arms])
    missing = chi2_contingency(shares)[1] if shares[:, 1].any() and shares[:, 0].any() else 1.0
    if campaign.is_category[place]:
        codes = np.unique(values[known])
        table = np.array([[np.sum(values[campaign.arm == a] == code) for code in codes] for a in arms])
        present = chi2_contingency(table)[1] if len(codes) > 1 and table.sum(axis=1).all() else 1.0
    else:
        groups = [values[known & (campaign.arm == a)] for a in arms]
        present = kruskal(*groups)[1] if all(len(g) for g in groups) and len(np.unique(values[known])) > 1 else 1.0
    return float(min(1.0, 2 * min(missing, present)))


def _decides(values: NDArray[np.float64], outcome: NDArray[np.float64]) -> bool:
    """Whether all persons on one side of zero, or without a value, have one outcome where the rest of them makes that
    next to impossible."""
    rate = float(outcome.mean())
    for group in (values > 0, values == 0, values < 0, np.isnan(values)):
        n = int(group.sum())
        if MIN_DECIDED <= n < len(values):
            among = float(outcome[group].mean())
            chance = rate**n if among == 1 else (1 - rate) ** n if among == 0 else 1.0
            if chance < NOT_BY_CHANCE:
                return True
    return False
