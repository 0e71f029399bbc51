"""What the user calls a source, resolved: the built-in one by name, any other by its YAML file.

In: a name or a path. Out: a `Source` that can be asked for its entities and its valid dates and told to land itself.
How a file is read (`records`, `conversion`) and written (`landing`) does not belong here.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol

from assets.ingest import completejourney
from assets.ingest.batches import Batch
from assets.ingest.landing import Extract, Progress, day_span, file_extract, land_extracts
from assets.ingest.mapping import SourceMapping, did_you_mean, load_mapping
from assets.shared.errors import UserError
from assets.shared.settings import Settings

BUILT_IN = (completejourney.NAME,)


class Source(Protocol):
    """One source of transactions. `name` is its folder under `raw/`."""

    @property
    def name(self) -> str: ...

    @property
    def entities(self) -> tuple[str, ...]:
        """The canonical tables that it brings."""

    def as_of_bounds(self, settings: Settings) -> tuple[date, date]:
        """(First, last) as-of date with at least one day of data before it and everything before it known."""

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

    def land(self, settings: Settings, progress: Progress = lambda _: None) -> list[Batch]:
        return land_extracts(completejourney.extracts(), settings, progress)


@dataclass(frozen=True)
class FileSource:
    """A folder of files described by a YAML."""

    mapping: SourceMapping

    @property
    def name(self) -> str:
        return self.mapping.name

    @property
    def entities(self) -> tuple[str, ...]:
        return tuple(self.mapping.tables)

    def extracts(self) -> list[Extract]:
        """Every file of every table, in order of table and name.

        Raises UserError when a table has no file.
        """
        return [
            file_extract(
                source=self.name,
                entity=entity,
                path=path,
                label=path.relative_to(self.mapping.folder).as_posix(),
                table=table,
                mapping=self.mapping.fingerprint(entity),
                time_zone=self.mapping.time_zone,
                currency=self.mapping.currency,
            )
            for entity, table in self.mapping.tables.items()
            for path in self.files(entity)
        ]

    def files(self, entity: str) -> list[Path]:
        """The table's files by name. Raises UserError when a pattern matches none."""
        found: dict[Path, None] = {}
        for pattern in self.mapping.tables[entity].files:
            matching = self._matching(entity, pattern)
            if not matching:
                raise UserError(
                    f"{self.mapping.path}: tables.{entity}.files: nothing in {self.mapping.folder} matches {pattern!r}",
                    _nearest_files(self.mapping.folder, pattern),
                )
            found.update(dict.fromkeys(matching))
        return sorted(found)

    def _matching(self, entity: str, pattern: str) -> list[Path]:
        folder = self.mapping.folder
        if (folder / pattern).is_file() and ".." not in Path(pattern).parts:
            return [folder / pattern]
        try:
            return sorted(path for path in folder.glob(pattern) if path.is_file() and not path.name.startswith("."))
        except (ValueError, NotImplementedError):
            raise UserError(
                f"{self.mapping.path}: tables.{entity}.files: {pattern!r} is no pattern inside the folder",
                "give names relative to `folder`, with * for any text and ** for any folders",
            ) from None

    def as_of_bounds(self, settings: Settings) -> tuple[date, date]:
        """As the protocol says. Files that are landed answer from the ledger, others from a scan of their dates."""
        spans = [day_span(extract, settings) for extract in self.extracts() if extract.entity == "transactions"]
        known = [span for span in spans if span is not None]
        if not known:
            raise UserError(
                f"source {self.name}: no transaction has a valid date",
                f"run `holdfast check-source {self.mapping.path}`; it shows what the dates look like",
            )
        first = min(span[0] for span in known)
        last = max(span[1] for span in known)
        if self.mapping.complete_through is not None:
            last = min(last, self.mapping.complete_through)
        if last < first:
            raise UserError(
                f"{self.mapping.path}: complete_through {last} is before the first transaction day {first}",
                "correct complete_through, or remove it",
            )
        # Today is not over: what it has sold so far is no complete day.
        today = datetime.now(UTC).date()
        return first + timedelta(days=1), max(min(last + timedelta(days=1), today), first + timedelta(days=1))

    def land(self, settings: Settings, progress: Progress = lambda _: None) -> list[Batch]:
        return land_extracts(self.extracts(), settings, progress)


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
        return FileSource(mapping)
    raise UserError(
        f"unknown source {argument!r}", f"{did_you_mean(argument, BUILT_IN)}; or give the path of a source's .yml file"
    )


def resolve_sources(arguments: tuple[str, ...]) -> list[Source]:
    """All of them, in order. Raises UserError when two have one name: their batches would lie in one folder."""
    sources = [resolve_source(argument) for argument in dict.fromkeys(arguments)]
    names = [source.name for source in sources]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two sources are called {name!r}", "give each source's YAML its own `name`")
    return sources


def _nearest_files(folder: Path, pattern: str) -> str:
    there = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())[:200]
    if not there:
        return "the folder is empty; put the files there, or correct `folder`"
    return f"put the file there, or correct the pattern; {did_you_mean(pattern, there[:20])}"
