"""As of which day the model of a date is trained, unless somebody asks for another.

In: the date, the data's first day, parameters. Out: a day. No store is looked at, so that nightly runs and backfills
find or make the same model, in any order.
"""

from collections.abc import Collection
from datetime import date, timedelta

import duckdb

from assets.shared.params import Params
from assets.shared.warehouse import fetch_value
from assets.train.cutoffs import ENOUGH_VALIDATION, CutoffPlan, plan_cutoffs

WEEK = 7
#: Days of history up to which another week has much to add.
YOUNG_DAYS = 91


def first_day(con: duckdb.DuckDBPyConnection) -> date | None:
    """The data's first day, None where there is none."""
    return fetch_value(con, "select min(day) from ingest.batch_days")


def training_day(as_of: date, first_day: date | None, params: Params, closed: Collection[date] = ()) -> date:
    """The first of the month or, where that pays, the newest day of it up to `as_of` on which

    * there is more to learn from than on any day of the month before it (`depth`), or
    * the data is whole weeks old, no more than `YOUNG_DAYS`.

    first_day: of the data; None where there is none. closed: days of long closures.
    """
    newest = as_of.replace(day=1)
    if first_day is None or first_day >= as_of:
        return newest
    deepest = depth(plan_cutoffs(newest, first_day, params, closed))
    for day in [newest + timedelta(n) for n in range(1, as_of.day)]:
        reached = depth(plan_cutoffs(day, first_day, params, closed))
        if reached > deepest or is_week_of_youth((day - first_day).days):
            newest, deepest = day, max(reached, deepest)
    return newest


def is_week_of_youth(age_days: int) -> bool:
    """Whether history of so many days is as many whole weeks old, at least one, and still young."""
    return 0 < age_days <= YOUNG_DAYS and age_days % WEEK == 0


def depth(plan: CutoffPlan) -> int:
    """How much there is to learn from: 0 histories only, 1 outcomes, 2 outcomes to judge by too, 3 outcomes to choose
    by, 4 enough of them."""
    return sum((bool(plan.training), bool(plan.test), bool(plan.validation), len(plan.validation) >= ENOUGH_VALIDATION))
