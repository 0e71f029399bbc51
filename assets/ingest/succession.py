"""Which batch takes whose place: a newer mapping of the same content, new content of the same file, a correction.

In: an extract with its content, the batches of its table, and what is also offered. Out: the batches that no longer
count. Pure: what is decided here is written by `landing`.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from assets.ingest.batches import Batch, Content
from assets.ingest.extracts import Extract
from assets.ingest.mapping.duplicates import is_keyed
from assets.ingest.refusals import FileRefused


@dataclass(frozen=True)
class Succession:
    """An extract among the batches of its table. `others`: the active ones but its own. `offered`: the hashes of all
    contents that are offered by this landing: what is still offered under another name stays."""

    extract: Extract
    content: Content
    others: Sequence[Batch]
    offered: Collection[str]

    def superseded(self) -> list[Batch]:
        """What the extract's content replaces. Raises FileRefused where nobody can say."""
        same_content = [b for b in self.others if b.sha256 == self.content.sha256]
        return same_content + self._earlier_content()

    def _earlier_content(self) -> list[Batch]:
        """Batches that an earlier content of the same file left, where the new content takes their place.

        A file that changed in place either grew (then its old rows are in it again) or was overwritten with the next
        day's rows. Rows with ids of their own can be added in both cases. Without ids only the user can know.
        """
        sha256, extract = self.content.sha256, self.extract
        own = [b for b in self.others if b.file == extract.file]
        earlier = [b for b in own if b.sha256 != sha256 and b.sha256 not in self.offered]
        # A full export replaces what lies in its days, under whichever name; a delta adds.
        if not earlier or extract.table.file_changes == "add" or extract.table.delivery != "auto":
            return []
        if extract.table.file_changes == "replace" or extract.canonical.is_whole:
            return earlier
        can_tell = is_keyed(extract.canonical, extract.table) or extract.table.corrects
        if can_tell or extract.table.replaces != "lines":
            return []
        raise FileRefused(
            "changed_without_ids",
            f"{extract.file} was landed before with other content, and its rows of {extract.entity} carry no id that "
            "would separate old rows from new ones",
            f"in the source's YAML, set `file_changes` of tables.{extract.entity}: `replace` if the file is exported as"
            " a whole each time, `add` if it only holds what is new; where it holds only the last months of it, say"
            " `delivery: full` instead",
        )

    def undone(self, batch: Batch) -> list[Batch]:
        """Later contents of the same file that are offered no more: the file holds its earlier content, `batch`, again.
        Only a file has contents one after the other; pieces of a database's table share a label and hold at once."""
        if self.extract.seen is None:
            return []
        own = [b for b in self.others if b.file == self.extract.file and b.sha256 not in self.offered]
        return [b for b in own if b.delivered_at > batch.delivered_at]


def corrected_by(extract: Extract, batch: Batch, others: Sequence[Batch]) -> Batch | None:
    """The newest of `others` that corrects `batch`: a later version of the same delivery."""
    key = extract.table.version_key(batch.file)
    if key is None:
        return None
    newer = [b for b in others if extract.table.version_key(b.file) == key and _version(b) > _version(batch)]
    return max(newer, key=_version, default=None)


def _version(batch: Batch) -> tuple[Any, ...]:
    """Order of the versions of one delivery: by name, numbers by their value, then by the time of delivery."""
    parts = re.split(r"(\d+)", batch.file.rsplit(".", 1)[0])
    return ([(0, int(p), "") if p.isdigit() else (1, 0, p) for p in parts], batch.delivered_at, batch.batch_id)
