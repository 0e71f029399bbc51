"""How the columns of a source's files changed from delivery to delivery.

In: batches with the columns of their files. Out: one `Change` a source, table, column and kind of change. Nothing is
decided here: a required column that is lost or retyped has refused its file already (`landing`), an added one is taken
as it is and shown, for somebody to map.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Literal

from assets.ingest.batches import Batch


@dataclass(frozen=True)
class Change:
    """One column that came, went or changed its type, first seen in `file`. `was` and `became` are types, None for
    'not there'. `n_files`: how many active files show the same change."""

    source: str
    entity: str
    column_name: str
    change: Literal["added", "lost", "retyped"]
    was: str | None
    became: str | None
    file: str
    batch_id: str
    noticed_at: datetime
    n_files: int


def changes(batches: Iterable[Batch]) -> list[Change]:
    """Every change between consecutive deliveries of one table, oldest first. Files without a header have no names to
    compare, and files landed before columns were kept are passed over."""
    found: dict[tuple, Change] = {}
    ordered = sorted(batches, key=lambda b: (b.source, b.entity, b.delivered_at, b.batch_id))
    for _, group in groupby(ordered, key=lambda b: (b.source, b.entity)):
        seen: dict[str, str] = {}
        previous: dict[str, str] | None = None
        for batch in group:
            columns = _named(batch.columns)
            if not columns:
                continue
            if previous is not None:
                for name, change, was, became in _between(previous, columns, seen):
                    key = (batch.source, batch.entity, name, change, was, became)
                    old = found.get(key)
                    found[key] = (
                        Change(
                            batch.source,
                            batch.entity,
                            name,
                            change,
                            was,
                            became,
                            batch.file,
                            batch.batch_id,
                            batch.delivered_at,
                            1,
                        )
                        if old is None
                        else Change(**{**vars(old), "n_files": old.n_files + 1})
                    )
            seen |= columns
            previous = columns
    return list(found.values())


def _named(columns: Sequence[tuple[str, str]] | None) -> dict[str, str]:
    named = dict(columns or ())
    return {} if all(name.isdigit() for name in named) else {k.strip(): v for k, v in named.items() if k.strip()}


def _between(before: dict[str, str], now: dict[str, str], seen: dict[str, str]):
    """(column, change, type before, type now). A column counts as added when no earlier file had it at all."""
    for name, kind in now.items():
        if name not in seen:
            yield name, "added", None, kind
        elif name in before and before[name] != kind:
            yield name, "retyped", before[name], kind
    for name, kind in before.items():
        if name not in now:
            yield name, "lost", kind, None
