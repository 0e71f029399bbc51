"""The hash of a delivered file's content, without reading again what has not been written to since.

In: files of the sources, and what an earlier landing noted of them in `raw/.content.json`. Out: their SHA-256. So a
night reads the files that came, however many others lie there.

A file is taken to be as it was when its size, inode, time of change and time of change of its status are those noted.
The last of these is set by the system at every write and cannot be given by a program, so that a file which is
overwritten with its old date, or swapped for another, is read. Git trusts its index in this way, and with the same
exception: what was written in the moments before it was read may have been written once more without a later time.
"""

import json
import time
from collections.abc import Sequence
from pathlib import Path

from assets.ingest.batches import hash_files
from assets.shared.files import write_whole
from assets.shared.settings import Settings

#: The clocks of file systems may tick this seldom.
SETTLED_AFTER_SECONDS = 3

#: (size in bytes, inode, time of change, time of change of the status; times in nanoseconds)
_State = tuple[int, int, int, int]


class KnownContent:
    """What is noted in `file`; a file that is missing or damaged only costs time. Call `save` at the end."""

    @classmethod
    def of_home(cls, settings: Settings) -> "KnownContent":
        return cls(settings.raw / ".content.json")

    def __init__(self, file: Path):
        self._file = file
        try:
            noted = json.loads(file.read_text())
            self._noted = {path: (tuple(state), sha256) for path, (state, sha256) in noted.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            self._noted = {}
        self._used: dict[str, tuple[_State, str]] = {}

    def hash(self, paths: Sequence[Path]) -> tuple[str, int]:
        """(sha256, size in bytes) of the files' contents, one after the other, as `hash_files`. Raises OSError."""
        if len(paths) != 1:
            return hash_files(paths)
        key, state = str(paths[0].absolute()), _state(paths[0])
        if self._noted.get(key, (None, ""))[0] == state:
            sha256, size = self._noted[key][1], state[0]
        else:
            started = time.time_ns()
            sha256, size = hash_files(paths)
            if _state(paths[0]) != state or started - max(state[2:]) < SETTLED_AFTER_SECONDS * 10**9:
                return sha256, size
        self._used[key] = (state, sha256)
        return sha256, size

    def save(self) -> None:
        """Note what was asked for since, with what is noted of files that are still there: other sources ask too."""
        others = {path: noted for path, noted in self._noted.items() if Path(path).exists()}
        if (noted := {**others, **self._used}) == self._noted:
            return
        write_whole(self._file, json.dumps(noted, sort_keys=True))


def _state(path: Path) -> _State:
    found = path.stat()
    return found.st_size, found.st_ino, found.st_mtime_ns, found.st_ctime_ns
