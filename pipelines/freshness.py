"""Is the published set as new as it should be?

In: settings, the newest as-of date there should be. Out: a `Notice` when the set lags behind by more than the parameter
`freshness_max_days_late` allows, None otherwise.
"""

from datetime import date

from assets.shared.commands import command
from assets.shared.published_history import shown_contents
from assets.shared.settings import Settings
from pipelines.notices import Notice


def published_as_of(settings: Settings) -> date | None:
    """The as-of date that readers see; None before the first publish. Raises UserError when it cannot be read."""
    contents = shown_contents(settings)
    return None if contents is None else contents.as_of_date


def staleness_notice(published: date | None, newest: date, max_days_behind: int) -> Notice | None:
    """What to report when a set as of `published` is shown although there should be one as of `newest`. Before the
    first publish nothing is stale."""
    if published is None or (newest - published).days <= max_days_behind:
        return None
    return Notice(
        "stale",
        f"The published set is of {published}, {(newest - published).days} days behind {newest}; "
        f"{max_days_behind} are allowed.",
        f"Look why no night succeeded since, and run: {command('run', '--as-of', newest)}",
        as_of_date=str(published),
    )
