"""The business's own clock: a day advances it by that day's weight (weekday, month, trend, holidays), one on average.

In: dates. Out: tables `days` (day number → business time) and `clock` (business time → day, through small buckets).
"""

import math
from collections.abc import Iterable
from datetime import date, timedelta

import duckdb
import pyarrow as pa

from simulation.draws import number
from simulation.population import Population

#: Month and day of the holidays on which all is shut.
_SHUT = {(1, 1), (12, 25)}


def easter(year: int) -> date:
    """Easter Sunday (the anonymous Gregorian algorithm)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = b // 4, b % 4
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = c // 4, c % 4
    el = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * el) // 451
    month = (h + el - 7 * m + 114) // 31
    return date(year, month, (h + el - 7 * m + 114) % 31 + 1)


def holiday(day: date) -> float:
    """What holidays make of a day: run-up to Christmas, Black Friday week, Easter, and days on which all is shut."""
    if (day.month, day.day) in _SHUT:
        return 0.25
    if day.month == 12 and day.day >= 10 and day.day <= 24:
        return 1.2 + 0.03 * (day.day - 10)
    to_easter = (easter(day.year) - day).days
    if to_easter == 0:
        return 0.3
    if 1 <= to_easter <= 4:
        return 1.35
    first = date(day.year, 11, 1)
    black_friday = first + timedelta(days=(4 - first.weekday()) % 7 + 21)
    if -1 <= (day - black_friday).days <= 3:
        return 1.6
    return 1.0


def shut_days(years: Iterable[int]) -> list[str]:
    """The days on which next to nothing is sold, as `closed_on` of a source names them."""
    return [*(f"{month:02}-{day:02}" for month, day in sorted(_SHUT)), *(easter(year).isoformat() for year in years)]


def day_weights(population: Population, start: date, n_days: int) -> list[float]:
    """Weight of each day from `start` on. The mean over whole years is near one before the trend."""
    weights = []
    for n in range(n_days):
        day = start + timedelta(days=n)
        weight = population.weekday[day.weekday()] * population.month[day.month - 1] * holiday(day)
        weights.append(weight * math.exp(population.trend_a_year * n / 365.25))
    return weights


def create_clock(con: duckdb.DuckDBPyConnection, population: Population, start: date, n_days: int) -> None:
    """Tables `days` (day, b0, weight; n_days + 1 rows, the last one closes the calendar) and `clock` (bucket, day, b0,
    weight, and the same of the next day). A bucket is narrower than the lightest day, so it touches two days at most.
    """
    weights = [*day_weights(population, start, n_days), 1.0]
    b0, total = [], 0.0
    for weight in weights:
        b0.append(total)
        total += weight
    days = pa.table({"day": list(range(n_days + 1)), "b0": b0, "weight": weights})
    con.register("days_rows", days)
    con.execute("create or replace table days as select cast(day as integer) as day, b0, weight from days_rows")
    con.unregister("days_rows")
    width = min(weights) / 2
    con.execute(
        """
        create or replace table clock as
        select
            cast(b.bucket as integer) as bucket,
            d.day,
            d.b0,
            d.weight,
            e.b0 as next_b0,
            e.weight as next_weight
        from range(cast(ceil(? / ?) as bigint)) as b (bucket)
        asof join days as d on b.bucket * ? >= d.b0
        inner join days as e on d.day + 1 = e.day
        """,
        [b0[-1], width, width],
    )
    con.execute(f"create or replace temp macro bucket_of(b) as cast(floor(b / {number(width)}) as integer)")
