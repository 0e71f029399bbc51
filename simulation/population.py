"""What the simulated business is like: every parameter of its customers, purchases, baskets and campaigns.

In: the size asked for. Out: a `Population`. Individual parameters come from discrete classes of known weight, so that
what can be known of a customer from its history can be summed exactly over the classes (see `knowable`).

The process of one customer, on a clock of its own that advances with the business's season, the customer's fading and
the contacts it received (one unit is its usual gap between purchases):

* At a purchase something may go wrong (a failure). A failure raises the chance to leave and a few complain.
* With its chance to leave the customer turns away at this purchase: its next one comes after a long exponential time,
  which is mostly never (reactivation). Otherwise the next gap follows the customer's rhythm: at random, regular, or
  in clumps.
* Every purchase starts the clock of the gap again. So the history before the last purchase says nothing of the next one
  to somebody who knows the customer's own parameters, and the truth has a closed form.

Sources: the division of a customer's life into buying and leaving follows D. C. Schmittlein, D. G. Morrison and
R. Colombo (Management Science 33, 1987) and, for leaving at a purchase, P. S. Fader, B. G. S. Hardie and K. L. Lee
(Marketing Science 24, 2005); regular and clumpy gaps M. Platzer and T. Reutterer (Marketing Science 35, 2016).
"""

import math
from dataclasses import dataclass, replace
from typing import Literal

Variant = Literal["shop", "bank"]

REGIONS = ("north", "east", "south", "west", "centre", "islands")
AGE_BANDS = ("18-24", "25-34", "35-44", "45-54", "55-64", "65+")
INCOME_BANDS = ("low", "middle", "upper", "high")
CHANNELS = ("store", "web", "app")
RESPONSES = ("none", "persuadable", "sleeping_dog")
RHYTHMS = ("random", "regular", "clumpy")

CATEGORIES = {
    "shop": (
        "bakery",
        "dairy",
        "produce",
        "drinks",
        "frozen",
        "snacks",
        "meat",
        "household",
        "personal care",
        "baby",
        "pets",
        "kitchen",
    ),
    "bank": (
        "groceries",
        "restaurants",
        "fuel",
        "transport",
        "utilities",
        "telecom",
        "clothing",
        "health",
        "travel",
        "electronics",
        "home",
        "cash",
    ),
}
#: Price of the middle article of each category, in the same order.
CATEGORY_PRICES = {
    "shop": (2.4, 1.9, 2.2, 3.1, 4.2, 2.7, 6.5, 5.4, 4.6, 9.8, 7.4, 14.0),
    "bank": (31.0, 24.0, 48.0, 12.0, 95.0, 35.0, 58.0, 27.0, 240.0, 160.0, 75.0, 90.0),
}
#: Price tiers of a category: an article of tier 0 costs .6 of the middle one.
TIERS = (0.6, 0.8, 1.0, 1.35, 1.8)
#: Shares of the price that a discount takes off, equally likely.
DISCOUNT_STEPS = (0.1, 0.2, 0.3, 0.5)
#: Pieces of an article in a line: 1 below this 256th of a uniform, 2 below that one, else 3.
QUANTITY_STEPS = (205, 236)
MEAN_QUANTITY = (205 + 2 * 31 + 3 * 20) / 256


@dataclass(frozen=True)
class Action:
    """A kind of campaign: how it multiplies the pace of purchases while it works, by kind of response."""

    action_id: str
    channel: str
    cost: float
    offer_cost: float
    persuadable: float
    sleeping_dog: float


@dataclass(frozen=True)
class Population:
    """Every parameter. Shares are 0 to 1, times in days of average business, multipliers against 1."""

    variant: Variant = "shop"
    # -- pace: classes of equal weight, the quantiles of a gamma distribution with this shape ------------------------
    rate_shape: float = 1.1
    n_rate_classes: int = 10
    rate_scale: float = 0.02  # mean purchases a day; set from the size asked for
    # -- leaving: hazard a day of each class, with its weight --------------------------------------------------------
    leave_hazards: tuple[float, ...] = (1 / 4000, 1 / 900, 1 / 180)
    leave_weights: tuple[float, ...] = (0.35, 0.4, 0.25)
    return_pace: float = 0.03  # pace of somebody who has left, against the usual one
    # -- rhythm ------------------------------------------------------------------------------------------------------
    rhythm_weights: tuple[float, ...] = (0.4, 0.35, 0.25)  # random, regular, clumpy
    regular_shape: int = 3  # Erlang gaps of this many steps
    clumpy_fast_share: float = 0.6
    clumpy_fast_pace: float = 2.5
    # -- slow fading: days after the first purchase at which it begins, and its mean length --------------------------
    fade_onsets: tuple[float, ...] = (1e9, 90.0, 300.0)
    fade_lengths: tuple[float, ...] = (1.0, 240.0, 90.0)
    fade_weights: tuple[float, ...] = (0.76, 0.14, 0.10)
    # -- failures and complaints -------------------------------------------------------------------------------------
    failure_share: float = 0.03
    failure_leave: float = 0.35  # chance that a failure alone makes somebody leave
    complaint_share: float = 0.15  # of failures; the others stay silent
    survey_share: float = 0.02  # of purchases without a complaint; the score shows a failure
    # -- effect of covariates: added to the logarithm of pace and of hazard ------------------------------------------
    pace_by_region: tuple[float, ...] = (0.0, 0.1, -0.1, 0.15, 0.25, -0.4)
    leave_by_region: tuple[float, ...] = (0.0, -0.1, 0.1, 0.0, -0.2, 0.5)
    pace_by_age: tuple[float, ...] = (-0.35, -0.1, 0.1, 0.15, 0.1, -0.05)
    leave_by_age: tuple[float, ...] = (0.6, 0.3, 0.0, -0.1, -0.2, -0.3)
    pace_by_household: float = 0.12  # for each member beyond two
    # -- balances of a bank: drift a month by hazard class; who has turned away shows it within so many days ----------
    balance_drifts: tuple[float, ...] = (0.01, 0.0, -0.08)
    balance_lag_days: int = 15
    salary_stop_share: float = 0.6  # their salary goes elsewhere
    sweep_share: float = 0.25  # what comes in is moved away at once
    # -- response to contacts ----------------------------------------------------------------------------------------
    persuadable_share: float = 0.25
    sleeping_dog_share: float = 0.10
    actions: tuple[Action, ...] = (
        Action("next_purchase_coupon", "email", 0.02, 2.0, 2.6, 0.6),
        Action("membership_benefits", "email", 0.02, 0.0, 2.0, 0.5),
        Action("stay_offer", "email", 0.02, 5.0, 3.2, 0.4),
    )
    campaign_every_days: int = 91  # at least the longest horizon, so that a horizon holds one campaign at most
    campaign_first_day: int = 100
    campaign_share: float = 0.3  # of those who agreed to e-mail
    campaign_holdout: float = 0.25  # of the audience, kept back at random
    effect_days: int = 28
    # -- who comes when ----------------------------------------------------------------------------------------------
    initial_share: float = 0.45  # of customers, first seen in the first days
    initial_days: int = 90
    never_share: float = 0.01  # register, never buy
    duplicate_share: float = 0.02  # a second identity of somebody else
    email_consent: float = 0.72
    # -- season ------------------------------------------------------------------------------------------------------
    weekday: tuple[float, ...] = (0.86, 0.84, 0.90, 0.98, 1.18, 1.44, 0.80)  # Monday first
    month: tuple[float, ...] = (0.92, 0.92, 0.97, 1.0, 1.02, 1.0, 0.94, 0.93, 1.0, 1.02, 1.1, 1.18)
    trend_a_year: float = 0.04
    # -- baskets -----------------------------------------------------------------------------------------------------
    mean_lines: float = 3.3
    lines_sigma: float = 0.55  # of the logarithm of a customer's own mean
    hunter_share: float = 0.10
    hunter_discount_share: float = 0.8
    usual_discount_share: float = 0.15
    return_share: float = 0.03  # of orders, one line of them
    max_return_days: int = 14
    margin_share: float = 0.25  # of net sales

    @property
    def clumpy_slow_pace(self) -> float:
        """So that the mean gap is one."""
        return (1 - self.clumpy_fast_share) / (1 - self.clumpy_fast_share / self.clumpy_fast_pace)

    @property
    def silent_failure_share(self) -> float:
        """Chance that a purchase without complaint and survey was a failure."""
        silent = self.failure_share * (1 - self.complaint_share - self.survey_share)
        return silent / ((1 - self.failure_share) * (1 - self.survey_share) + silent)

    @property
    def contact_probability(self) -> float:
        """Chance of somebody who agreed to e-mail to be contacted in a campaign (and not held out)."""
        return self.campaign_share * (1 - self.campaign_holdout)

    def rate_classes(self) -> tuple[float, ...]:
        """Pace of each class against the mean: medians of equal-mass slices, scaled to a mean of one."""
        from scipy.stats import gamma

        middles = [(i + 0.5) / self.n_rate_classes for i in range(self.n_rate_classes)]
        values = gamma.ppf(middles, self.rate_shape)
        return tuple(float(v) for v in values / values.mean())


def for_size(variant: Variant, lines: int, customers: int) -> Population:
    """The population of a business with so many lines for so many customers: where customers buy more, they come more
    often, with larger baskets, and leave more rarely (a CD shop: 3 orders of 2 lines; a grocer: 60 orders of 10)."""
    per_customer = lines / customers
    mean_lines = max(1.02, min(1.3 * per_customer**0.31, per_customer / 1.15, 12.0))
    usual = Population(variant=variant)
    restless = (per_customer / 50) ** -0.75
    return replace(
        usual,
        mean_lines=mean_lines,
        leave_hazards=tuple(hazard * restless for hazard in usual.leave_hazards),
        failure_leave=usual.failure_leave * min(1.0, restless),
    )


def orders_wanted(population: Population, lines: int, customers: int) -> float:
    """Mean number of orders a customer over the whole history."""
    return lines / customers / population.mean_lines


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


#: Chance to leave at a purchase without failure: a grid in log odds, fine enough to look continuous.
LEAVE_LEVELS = tuple(sigmoid(-8.0 + 0.16 * i) for i in range(64))
