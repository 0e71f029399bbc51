"""What the user calls a source, resolved: the built-in one by name, any other by its YAML file.

In: a name or a path. Out: a `Source` that can be asked for its entities and its valid dates, and can land itself.
How a file is read (`records`, `conversion`) and written (`landing`) does not belong here.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Protocol

from assets.ingest import completejourney
from assets.ingest.batches import Batch
from assets.ingest.extract_guard import Expectation
from assets.ingest.extracts import Extract
from assets.ingest.file_source import FileSource
from assets.ingest.landing import Progress, land_extracts
from assets.ingest.mapping.accounts import Accounts
from assets.ingest.mapping.language import did_you_mean
from assets.ingest.mapping.source import SourceMapping
from assets.ingest.mapping.yaml_file import load_mapping
from assets.ingest.postgres_source import PostgresSource
from assets.shared.errors import UserError
from assets.shared.settings import Settings

BUILT_IN = (completejourney.NAME,)


class Source(Protocol):
    """One source of transactions. `name` is its folder under `raw/`."""

    @property
    def name(self) -> str: ...

    @property
    def entities(self) -> tuple[str, ...]:
        """The canonical tables that it delivers."""

    def as_of_bounds(self, settings: Settings) -> tuple[date, date]:
        """(First, last) as-of date with at least one day of data before it and everything before it known."""

    @property
    def time_zone(self) -> str | None:
        """The clock on the wall of the business, where it is declared."""

    @property
    def accounts(self) -> Accounts:
        """What a person has said of ids that are no customers."""

    @property
    def is_matched(self) -> bool:
        """Whether its accounts are compared with others, so that those of one person are one customer."""

    @property
    def expects(self) -> Expectation | None:
        """How often and how much it usually delivers; None when nothing is expected of it any more."""

    @property
    def complete_through(self) -> date | None:
        """The last day that it is still to deliver, where that is declared."""

    def template(self, entity: str) -> Extract:
        """An extract of no file, by which rows of `entity` are read today. Raises KeyError for an entity that the
        source does not bring."""

    def land(self, settings: Settings, progress: Progress = lambda _: None) -> list[Batch]:
        """Land what is not landed yet; see `landing.land_extracts`."""


@dataclass(frozen=True)
class CompleteJourney:
    """The built-in source."""

    name: str = completejourney.NAME

    @property
    def entities(self) -> tuple[str, ...]:
        return tuple(extract.entity for extract in completejourney.extracts())

    def as_of_bounds(self, settings: Settings) -> tuple[date, date]:
        return completejourney.FIRST_AS_OF, completejourney.LAST_AS_OF

    @property
    def time_zone(self) -> str | None:
        return None

    @property
    def accounts(self) -> Accounts:
        return Accounts()

    @property
    def is_matched(self) -> bool:
        return False

    @property
    def expects(self) -> Expectation | None:
        # The only day of its year on which the grocer was closed.
        return Expectation(closed_on=("12-25",))

    @property
    def complete_through(self) -> date | None:
        return completejourney.LAST_AS_OF - timedelta(days=1)

    def template(self, entity: str) -> Extract:
        return next(extract for extract in completejourney.extracts() if extract.entity == entity)

    def land(self, settings: Settings, progress: Progress = lambda _: None) -> list[Batch]:
        return land_extracts(completejourney.extracts(), settings, progress)


def resolve_source(argument: str) -> Source:
    """The source that `argument` names: a built-in name, or the path of a YAML file.

    Raises UserError for a name that is neither, and for everything wrong with the YAML.
    """
    if argument in BUILT_IN:
        return CompleteJourney()
    path = Path(argument).expanduser()
    if path.suffix.lower() in (".yml", ".yaml") or path.is_file():
        mapping = load_mapping(path)
        if mapping.name in BUILT_IN:
            raise UserError(f"{path}: name {mapping.name!r} is the built-in source's", "choose another name")
        return mapped_source(mapping)
    raise UserError(
        f"unknown source {argument!r}", f"{did_you_mean(argument, BUILT_IN)}; or give the path of a source's .yml file"
    )


def mapped_source(mapping: SourceMapping) -> FileSource | PostgresSource:
    """The source that a mapping describes."""
    return PostgresSource(mapping) if mapping.postgres else FileSource(mapping)


def resolve_sources(arguments: tuple[str, ...]) -> list[Source]:
    """All of them, in order. Raises UserError when two have one name: their batches would lie in one folder."""
    sources = [resolve_source(argument) for argument in dict.fromkeys(arguments)]
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two sources are called {name!r}", "give each source's YAML its own `name`")
    return sources
