"""What the user calls a source, resolved: the built-in one by name, any other by its YAML file.

In: a name or a path. Out: a `Source` that can be asked for its entities and its valid dates and told to land itself.
How a file is read (`records`, `conversion`) and written (`landing`) does not belong here.
"""

import os
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Protocol

from assets.ingest import completejourney
from assets.ingest.batches import Batch, read_batches
from assets.ingest.landing import Extract, Progress, day_span, file_extract, land_extracts, landed_span
from assets.ingest.mapping import Expectation, MappedSource, SourceMapping, did_you_mean, load_mapping
from assets.ingest.postgres import PostgresSource
from assets.ingest.refusals import FileRefused
from assets.shared.errors import UserError
from assets.shared.settings import Settings

BUILT_IN = (completejourney.NAME,)

#: Names that programs give to a file until it is complete.
UNFINISHED_ENDINGS = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".swp", "~")

#: A folder with such a name is meant to be a file.
TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".gz", ".parquet", ".pq")


class Source(Protocol):
    """One source of transactions. `name` is its folder under `raw/`."""

    @property
    def name(self) -> str: ...

    @property
    def entities(self) -> tuple[str, ...]:
        """The canonical tables that it brings."""

    def as_of_bounds(self, settings: Settings) -> tuple[date, date]:
        """(First, last) as-of date with at least one day of data before it and everything before it known."""

    @property
    def expects(self) -> Expectation | None:
        """How often and how much it usually brings; None when nothing is expected of it any more."""

    @property
    def complete_through(self) -> date | None:
        """The last day that it has ever to bring, where that is declared."""

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


@dataclass(frozen=True)
class FileSource(MappedSource):
    """A folder of files described by a YAML."""

    mapping: SourceMapping

    def extracts(self, landed: frozenset[str] = frozenset()) -> list[Extract]:
        """Every file of every table, in order of table and name; files that may not be opened are `refused` extracts.

        Raises UserError when a table has no file, unless it is one of `landed`: then the inbox may be empty.
        """
        return [
            replace(self._extract(entity, path), refused=refused)
            for entity in self.mapping.tables
            for path, refused in self.files(entity, may_be_empty=entity in landed).items()
        ]

    def template(self, entity: str) -> Extract:
        if entity not in self.mapping.tables:
            raise KeyError(entity)
        return self._extract(entity, self.mapping.folder)

    def _extract(self, entity: str, path: Path) -> Extract:
        return file_extract(
            source=self.name,
            entity=entity,
            path=path,
            label=self._label(path),
            table=self.mapping.tables[entity],
            mapping=self.mapping.fingerprint(entity),
            time_zone=self.mapping.time_zone,
            currency=self.mapping.currency,
        )

    def _label(self, path: Path) -> str:
        """How the user knows the file; bytes of its name that are no UTF-8 are shown as such."""
        relative = path.relative_to(self.mapping.folder).as_posix()
        return os.fsencode(relative).decode("utf-8", "backslashreplace")

    def files(self, entity: str, may_be_empty: bool = False) -> dict[Path, FileRefused | None]:
        """The table's files by name, and why one of them must not be opened. Raises UserError when a pattern matches
        none and may not, and for a pattern that leads out of the folder."""
        found: dict[Path, FileRefused | None] = {}
        for pattern in self.mapping.tables[entity].files:
            matching = self._matching(entity, pattern)
            if not matching and not may_be_empty:
                raise UserError(
                    f"{self.mapping.path}: tables.{entity}.files: nothing in {self.mapping.folder} matches {pattern!r}",
                    _nearest_files(self.mapping.folder, pattern),
                )
            found.update(matching)
        return dict(sorted(found.items()))

    def _matching(self, entity: str, pattern: str) -> dict[Path, FileRefused | None]:
        folder = self.mapping.folder
        if ".." in Path(pattern).parts or Path(pattern).is_absolute():
            raise UserError(
                f"{self.mapping.path}: tables.{entity}.files: {pattern!r} leads out of the folder",
                "give names relative to `folder`, or set `folder` to the place where the files are",
            )
        try:
            exact = folder / pattern
            paths = [exact] if exact.exists() or exact.is_symlink() else sorted(folder.glob(pattern))
        except (ValueError, NotImplementedError):
            raise UserError(
                f"{self.mapping.path}: tables.{entity}.files: {pattern!r} is no pattern inside the folder",
                "give names relative to `folder`, with * for any text and ** for any folders",
            ) from None
        marker = self.mapping.tables[entity].done_marker
        names = {path.name for path in paths}
        return {
            path: self._why_not_to_open(path, marker)
            for path in paths
            if path == exact or not _is_no_delivery(path, marker, names)
        }

    def _why_not_to_open(self, path: Path, marker: str | None) -> FileRefused | None:
        label = self._label(path)
        if not _is_utf8(path):
            return FileRefused("unreadable", f"the name of {label} is not written in UTF-8", "rename the file")
        try:
            real, home = path.resolve(), self.mapping.folder.resolve()
        except (OSError, RuntimeError):
            return FileRefused("unreadable", f"{label} is a link that leads nowhere", "remove it or mend it")
        if not real.is_relative_to(home):
            return FileRefused(
                "outside_folder",
                f"{label} is a link that leads out of the source's folder",
                "put the file itself into the folder",
            )
        if not path.exists():
            return FileRefused("unreadable", f"{label} is a link to a file that is not there", "remove it or mend it")
        if not path.is_file():
            return FileRefused("not_a_file", f"{label} is a folder or a device", "put the file there instead")
        if path.name.lower().endswith(UNFINISHED_ENDINGS):
            return FileRefused(
                "still_being_written",
                f"{label} has the name of a file that is still being written",
                "it is taken when it has its final name",
            )
        if marker is not None and not path.with_name(marker.replace("*", path.name)).exists():
            return FileRefused(
                "waiting_for_its_marker",
                f"{label} is not marked as complete: {marker.replace('*', path.name)} is not there",
                "whoever writes the file puts the marker beside it when it is done",
            )
        return None

    def as_of_bounds(self, settings: Settings) -> tuple[date, date]:
        """As the protocol says: from all that is landed, and from a scan of the dates of files that are not.

        Raises UserError when no file at all can be used, with the first file's own reason.
        """
        known, problems = [landed_span(settings, self.name)], []
        for extract in self.extracts(self._landed(settings)):
            if extract.entity == "transactions":
                try:
                    known.append(day_span(extract, settings))
                except FileRefused as problem:
                    problems.append(problem)
        spans = [span for span in known if span is not None]
        if not spans and len(problems) > 1:
            first, others = problems[0], len(problems) - 1
            raise FileRefused(
                first.rule,
                f"{first.what}; {others} more of the files of transactions cannot be used either",
                f"{first.remedy}; `holdfast check-source {self.mapping.path}` names them all",
            )
        if not spans and problems:
            raise problems[0]
        if not spans:
            raise UserError(
                f"source {self.name}: no transaction has a valid date",
                f"run `holdfast check-source {self.mapping.path}`; it shows what the dates look like",
            )
        first = min(span[0] for span in spans)
        last = max(span[1] for span in spans)
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
        return land_extracts(self.extracts(self._landed(settings)), settings, progress)

    def _landed(self, settings: Settings) -> frozenset[str]:
        return frozenset(batch.entity for batch in read_batches(settings, [self.name]))


def _is_utf8(path: Path) -> bool:
    try:
        path.as_posix().encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_no_delivery(path: Path, marker: str | None, names: set[str]) -> bool:
    """Does a pattern match it only by chance: a hidden file, a folder without the name of a table, a marker?"""
    if path.name.startswith("."):
        return True
    if path.is_dir() and not path.is_symlink():
        return path.suffix.lower() not in TABLE_ENDINGS
    if marker is None:
        return False
    if "*" not in marker:
        return path.name == marker
    before, after = marker.split("*", 1)
    is_marker = path.name.startswith(before) and path.name.endswith(after)
    return is_marker and path.name[len(before) : len(path.name) - len(after)] in names


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
        return PostgresSource(mapping) if mapping.postgres else FileSource(mapping)
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
