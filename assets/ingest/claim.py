"""The first landing says whose home it is; from then on the home takes no other business.

In: a home and its resolved sources. Out: `home.yml`, or a UserError when the home holds another business.
"""

from collections.abc import Sequence

from assets.ingest.sources import Source
from assets.shared.home_file import read_home_file, write_home_file
from assets.shared.settings import Settings, another_business


def claim_home(settings: Settings, sources: Sequence[Source]) -> None:
    """Record the sources of a home that has no record yet. Raises UserError when it holds batches of others."""
    if settings.raw_home is None and read_home_file(settings.home) is None:
        refuse_other_batches(settings, sources)
        write_home_file(settings.home, settings.sources, None, None)


def refuse_other_batches(settings: Settings, sources: Sequence[Source]) -> None:
    """Raise UserError when the home holds batches of a source that is not among these."""
    if others := other_sources(settings, [source.name for source in sources]):
        raise another_business(settings.home, others, settings.sources)


def other_sources(settings: Settings, names: Sequence[str]) -> list[str]:
    """Sources with batches in this home that are not among `names`."""
    landed = settings.raw.iterdir() if settings.raw.is_dir() else ()
    return sorted(f.name for f in landed if f.is_dir() and not f.name.startswith(".") and f.name not in names)
