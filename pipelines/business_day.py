"""Which day it is for a business: by the clock on its wall.

In: the settings of a home. Out: its time zone, and today's date there.
"""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from assets.shared.errors import UserError
from assets.shared.settings import Settings


def business_zone(settings: Settings) -> str:
    """`time_zone` of `home.yml`, else of the first source that has one, else UTC. A source that cannot be read,
    which the next run reports, has none."""
    from assets.ingest.sources import resolve_source

    if settings.time_zone is not None:
        return settings.time_zone
    for argument in settings.sources:
        try:
            zone = resolve_source(argument).time_zone
        except UserError:
            continue
        if zone is not None:
            return zone
    return "UTC"


def business_today(settings: Settings, now: datetime | None = None) -> date:
    """The date on the clock of the business. now: a moment with its zone; default: this one."""
    zone = ZoneInfo(business_zone(settings))
    return (now or datetime.now(zone)).astimezone(zone).date()
