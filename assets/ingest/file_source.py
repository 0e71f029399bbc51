"""A source whose tables are files in a folder: which files there are, and which of them may be opened.

In: a source YAML, its folder. Out: one extract a file, in order of table and name; a file that may not be opened yet,
or ever, is an extract that says why. How a file is read (`records`) and what becomes of it (`landing`) does not belong
here.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from assets.ingest.batches import Batch, read_batches
from assets.ingest.extracts import Extract, file_extract
from assets.ingest.landing import Progress, land_extracts
from assets.ingest.mapped_source import MappedSource
from assets.ingest.mapping.language import did_you_mean
from assets.ingest.refusals import FileRefused
from assets.ingest.spans import day_span, landed_span
from assets.shared.commands import command
from assets.shared.errors import UserError
from assets.shared.settings import Settings

#: Names that programs give to a file until it is complete.
UNFINISHED_ENDINGS = (".tmp", ".temp", ".part", ".partial", ".filepart", ".crdownload", ".download", ".swp", "~")

#: A folder with such a name is meant to be a file.
TABLE_ENDINGS = (".csv", ".tsv", ".txt", ".gz", ".parquet", ".pq")


@dataclass(frozen=True)
class FileSource(MappedSource):
    """A folder of files described by a YAML."""

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
        return file_extract(self.mapping, entity, path, self._label(path))

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
            return FileRefused("unreadable", f"{label} is a link that leads nowhere", "remove it or correct it")
        if not real.is_relative_to(home):
            return FileRefused(
                "outside_folder",
                f"{label} is a link that leads out of the source's folder",
                "put the file itself into the folder",
            )
        if not path.exists():
            return FileRefused(
                "unreadable", f"{label} is a link to a file that is not there", "remove it or correct it"
            )
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
                "whoever writes the file puts the marker next to it when it is done",
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
        if not spans and problems:
            raise self._unusable(problems)
        return self.bounds_within((min(s[0] for s in spans), max(s[1] for s in spans)) if spans else None)

    def _unusable(self, problems: Sequence[FileRefused]) -> FileRefused:
        """The first file's own reason, with how many more there are."""
        first, others = problems[0], len(problems) - 1
        if not others:
            return first
        return FileRefused(
            first.rule,
            f"{first.what}; {others} more of the files of transactions cannot be used either",
            f"{first.remedy}; `{command('check-source', self.mapping.path)}` names them all",
        )

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


def _nearest_files(folder: Path, pattern: str) -> str:
    there = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())[:200]
    if not there:
        return "the folder is empty; put the files there, or correct `folder`"
    return f"put the file there, or correct the pattern; {did_you_mean(pattern, there[:20])}"
