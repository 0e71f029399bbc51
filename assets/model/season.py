"""How a model's log-odds move with the time of the year, learned from the same days one year before.

In: what a model's card says of it (`season`). Out: the shift for a day. Learning it belongs to train (`season_fit`).
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

#: One year before, on the same day of the week.
YEAR = timedelta(364)


def season_shift(card: Mapping[str, Any], day: date) -> float:
    """What is added to the log-odds on `day`: linear between the days that the card names, constant beyond them; zero
    where the history was too short for a season, or showed none."""
    shifts = (card.get("season") or {}).get("shifts") or {}
    if not shifts:
        return 0.0
    days = sorted(shifts)
    place = [date.fromisoformat(d).toordinal() for d in days]
    at = min(max(day.toordinal(), place[0]), place[-1])
    after = next(i for i, p in enumerate(place) if p >= at)
    if place[after] == at:
        return float(shifts[days[after]])
    share = (at - place[after - 1]) / (place[after] - place[after - 1])
    return float((1 - share) * shifts[days[after - 1]] + share * shifts[days[after]])
