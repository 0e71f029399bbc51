"""Which database file is the published one: a symbolic link that is replaced by one rename.

In: finished database files in `published/sets/`. Out: `published/holdfast.duckdb`, a relative link to one of them.
What is in the files does not belong here (`published_set`).

Why a link and not the file itself renamed over the old one: DuckDB 2.0 opens a database three times by its path (magic
bytes, headers, blocks). A file swapped between the second and the third gives a reader the headers of one set and the
blocks of another, which fails with a serialization error (2 of 468 opens during constant swapping). A link is resolved
before the first of these opens, so all three meet the same file, which is never changed again (0 of 718).
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from assets.publish.history_files import safe_name
from assets.shared.errors import UserError
from assets.shared.files import replace_link


@dataclass(frozen=True)
class CurrentLink:
    """The link at `path`, and the folder of complete sets next to it."""

    path: Path

    @property
    def folder(self) -> Path:
        return self.path.parent / "sets"

    def target(self) -> Path | None:
        """The database that readers open now; None if there is none yet."""
        return self.path.resolve() if self.path.exists() else None

    def new_file(self, as_of_date: date, run_id: str, used: Iterable[str] = ()) -> Path:
        """A path no set has yet, numbered after all others: the order of sets must not depend on a clock. `used` are
        file names that were taken by sets which are gone."""
        names = [*used, *(path.name for path in self.folder.glob("*.duckdb"))]
        number = 1 + max(map(set_number, names), default=0)
        return self.folder / f"{number:06d}--{as_of_date.isoformat()}--{safe_name(run_id)}.duckdb"

    def point_at(self, database: Path) -> None:
        """Let readers who open from now on see `database`, durably."""
        try:
            replace_link(self.path, database)
        except OSError as error:
            raise UserError(
                f"{self.path.parent} cannot hold a symbolic link: {error.strerror}",
                "put the home on a file system that has them; readers are switched by one",
            ) from None

    def remove_all_but(self, kept: Collection[Path]) -> None:
        """Remove every other set, unfinished ones included."""
        for path in self.folder.iterdir():
            if path not in kept:
                path.unlink()


def set_number(name: str) -> int:
    """The number of a set from its file name; 0 where it has none, as sets of earlier versions."""
    head = name.split("--")[0]
    return int(head) if head.isdigit() else 0
