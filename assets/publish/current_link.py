"""Which set is the published one: a symbolic link that is replaced by one rename.

In: complete sets, each a folder in `published/sets/` with its database, `holdfast.duckdb`. Out:
`published/holdfast.duckdb`, a relative link to the database of one of them, and after it `published/morning.html`, one
to its morning page, which says its own date. What is in a set does not belong here
(`published_set`).

Why a link and not the file itself renamed over the old one: DuckDB 2.0 opens a database three times by its path (magic
bytes, headers, blocks). A file swapped between the second and the third gives a reader the headers of one set and the
blocks of another, which fails with a serialization error (2 of 468 opens during constant swapping). A link is resolved
before the first of these opens, so all three meet the same file, which is never changed again (0 of 718).

Why a folder a set: drivers from 1.5 on name the catalog after the file that the link leads to. Named after its night,
it would have another name every day, and nothing that a BI tool saved about `catalog.schema.table` would be found
again.
"""

import shutil
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from assets.publish.history_files import safe_name
from assets.publish.morning.page import PAGE
from assets.shared.errors import UserError
from assets.shared.files import replace_link
from assets.shared.published_history import DATABASE, is_changed, shown_set
from assets.shared.settings import Settings


@dataclass(frozen=True)
class CurrentLink:
    """The link of a home, and the folder of complete sets next to it."""

    settings: Settings

    @property
    def path(self) -> Path:
        return self.settings.published_db

    @property
    def folder(self) -> Path:
        return self.path.parent / "sets"

    def target(self) -> Path | None:
        """The folder of the set that readers open now; None if there is none yet."""
        return shown_set(self.settings)

    def is_changed(self) -> bool:
        """Whether somebody has written into the set that readers open now."""
        folder = self.target()
        return folder is not None and (self._log.exists() or is_changed(folder))

    @property
    def _log(self) -> Path:
        """Where drivers before 1.5 write, next to the link, what they have not yet written into the file."""
        return self.path.with_name(f"{self.path.name}.wal")

    def new_set(self, as_of_date: date, run_id: str, used: Iterable[str] = ()) -> Path:
        """A folder no set has yet, numbered after all others: the order of sets must not depend on a clock. `used` are
        names that were taken by sets which are gone."""
        names = [*used, *(path.name for path in self.folder.glob("*"))]
        number = 1 + max(map(set_number, names), default=0)
        return self.folder / f"{number:06d}--{as_of_date.isoformat()}--{safe_name(run_id)}"

    def point_at(self, folder: Path) -> None:
        """Let readers who open from now on see the set in `folder`, durably."""
        # No other set may meet it.
        self._log.unlink(missing_ok=True)
        page = self.path.with_name(PAGE)
        try:
            replace_link(self.path, folder / DATABASE)
            if (folder / PAGE).exists():
                replace_link(page, folder / PAGE)
            else:
                page.unlink(missing_ok=True)
        except OSError as error:
            raise UserError(
                f"{self.path.parent} cannot hold a symbolic link: {error.strerror}",
                "put the home on a file system that has them; readers are switched by one",
            ) from None

    def remove_all_but(self, kept: Collection[Path]) -> None:
        """Remove every other set, unfinished ones included."""
        for path in self.folder.iterdir():
            if path in kept:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()


def set_number(name: str) -> int:
    """The number of a set from its name; 0 where it has none, as sets of earlier versions."""
    head = name.split("--")[0]
    return int(head) if head.isdigit() else 0
