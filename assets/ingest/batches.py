"""One landed file on disk: its identity, its folder, and the rule that it is there completely or not at all.

In: the facts of one batch, and who writes its rows. Out: `raw/<source>/<entity>/<batch_id>/` with
`data.parquet` and `batch.json`, and `quarantine/<source>/<entity>/<batch_id>.parquet` where rows were refused. A batch
exists if and only if its folder is in place. What is in the rows does not belong here.

A batch is never changed and never removed. What happens to it later lies next to its data:
- `active.json`: since when and until when it counts; a batch that another one replaced is superseded, not gone, so
  that a date can be computed again as it was known then,
- `redriven/<part_id>/`: rows that left its quarantine after a mapping was corrected, one folder a re-drive, in place by
  one rename. They carry the id of the batch that delivered them.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from assets.shared.files import new_folder, replacing, write_whole
from assets.shared.settings import Settings

_MOMENTS = ("first_occurred_at", "last_occurred_at", "loaded_at")

#: (from, until): a time in which a batch counts; until is None while it does.
Period = tuple[datetime, datetime | None]


@dataclass(frozen=True)
class Part:
    """Rows that one re-drive took out of a batch's quarantine: accepted or, by today's mapping, left out on purpose.
    `rows_quarantined`: what it left there. `rows_erased`: those left out because their person is erased."""

    part_id: str
    mapping: str
    loaded_at: datetime
    rows_accepted: int
    rows_quarantined: int
    days: tuple[tuple[str, int], ...] = ()
    rows_left_out: int = 0
    rows_erased: int = 0


@dataclass(frozen=True)
class Batch:
    """The facts of one landed file. `days`: (ISO day, rows) as landed, for transactions only. `is_new`: landed by this
    call. `replaces`: what of earlier batches its transactions replace: lines of one id, whole orders, its days, or the
    span from its first to its last day. `amount_scales`: `one`, or `several` where a person said that amounts rightly
    differ by much. `rows_replaced`: rows of earlier batches in this span when it was landed, and `rows_gone`: those of
    them that it does not hold.
    `columns`: (name, type) of the file's columns, by which its quarantined rows can be read again; None where an
    older release landed it. `is_text`: these rows are kept as written, else as JSON. `rows_accepted`,
    `rows_quarantined` and `rows_left_out` (on purpose) add up to `rows_in`; re-driven `parts` count where they are now.
    `rows_erased`: those of the rows left out whose person is erased.
    """

    batch_id: str
    source: str
    entity: str
    file: str
    size_bytes: int
    sha256: str
    mapping: str
    rows_in: int
    rows_accepted: int
    rows_quarantined: int
    first_occurred_at: datetime | None
    last_occurred_at: datetime | None
    loaded_at: datetime
    rows_left_out: int = 0
    rows_erased: int = 0
    has_channel: bool = False
    days: tuple[tuple[str, int], ...] = ()
    columns: tuple[tuple[str, str], ...] | None = None
    is_text: bool = True
    replaces: str = "lines"
    amount_scales: str = "one"
    rows_replaced: int = 0
    rows_gone: int = 0
    parts: tuple[Part, ...] = ()
    periods: tuple[Period, ...] = ()
    is_new: bool = False

    def counts_at(self, moment: datetime | None = None) -> bool:
        """Was the batch active at `moment` (UTC), or is it now?"""
        if moment is None:
            return self.periods[-1][1] is None
        return any(start <= moment and (end is None or moment < end) for start, end in self.periods)

    @property
    def delivered_at(self) -> datetime:
        """Since when it counts (UTC): when it was landed or, where its content came back later, delivered again. Of two
        batches with one row the one delivered later wins."""
        return self.periods[-1][0] if self.periods else self.loaded_at

    @property
    def delivery_id(self) -> str:
        """Changes with each delivery of the same content."""
        return self.batch_id if len(self.periods) < 2 else f"{self.batch_id}@{len(self.periods)}"

    @property
    def span(self) -> tuple[str, str] | None:
        """The first and the last ISO day of its rows."""
        days = self.all_days
        return (days[0][0], days[-1][0]) if days else None

    @property
    def all_days(self) -> tuple[tuple[str, int], ...]:
        """(ISO day, rows) with re-driven rows, in order of days."""
        total: dict[str, int] = {}
        for day, n in (*self.days, *(pair for part in self.parts for pair in part.days)):
            total[day] = total.get(day, 0) + n
        return tuple(sorted(total.items()))


@dataclass(frozen=True)
class Content:
    """What a delivery holds. `batch_id` is the same for the same content under the same mapping."""

    sha256: str
    size_bytes: int
    batch_id: str


def batch_identity(sha256: str, mapping: str) -> str:
    """16 hex digits: the same content under the same mapping is the same batch, whatever the file is called."""
    return hashlib.sha256(f"{sha256}:{mapping}".encode()).hexdigest()[:16]


def hash_files(paths: Sequence[Path]) -> tuple[str, int]:
    """(sha256, size in bytes) of the files' contents, one after the other."""
    digest, size = hashlib.sha256(), 0
    for path in paths:
        with path.open("rb") as file:
            while chunk := file.read(2**22):
                digest.update(chunk)
                size += len(chunk)
    return digest.hexdigest(), size


def batch_folder(settings: Settings, source: str, entity: str, batch_id: str) -> Path:
    return settings.raw / source / entity / batch_id


def quarantine_file(settings: Settings, source: str, entity: str, batch_id: str) -> Path:
    return settings.quarantine / source / entity / f"{batch_id}.parquet"


def write_batch(
    settings: Settings, batch: Batch, write_accepted: Callable[[Path], None], write_refused: Callable[[Path], None]
) -> None:
    """Make the batch exist: its quarantine first, then its folder by one rename. `write_accepted` and `write_refused`
    write their rows to the path they are given, the second only where rows were refused. A batch that another landing
    has put in place meanwhile is the same batch and stays."""
    refused = quarantine_file(settings, batch.source, batch.entity, batch.batch_id)
    if batch.rows_quarantined:
        with replacing(refused) as path:
            write_refused(path)
    else:
        # A leftover of a landing that died before its batch was in place.
        refused.unlink(missing_ok=True)
    with new_folder(batch_folder(settings, batch.source, batch.entity, batch.batch_id)) as folder:
        write_accepted(folder / "data.parquet")
        (folder / "batch.json").write_text(_to_json(batch))


def supersede_batch(settings: Settings, batch: Batch) -> Batch:
    """The batch no longer counts, from now on. Its files stay."""
    if not batch.counts_at():
        return batch
    *before, (start, _) = batch.periods
    return _with_periods(settings, batch, (*before, (start, _now())))


def reactivate_batch(settings: Settings, batch: Batch) -> Batch:
    """The batch counts again, from now on: its content is delivered once more."""
    return batch if batch.counts_at() else _with_periods(settings, batch, (*batch.periods, (_now(), None)))


def deliver_again(settings: Settings, batch: Batch, after: Iterable[Batch]) -> Batch:
    """The content of a batch that counts came once more, after others: from now on it is the newest of them, also where
    the clock was set back meanwhile."""
    *before, (start, _) = batch.periods
    now = max(_now(), *(other.delivered_at + timedelta(microseconds=1) for other in (batch, *after)))
    return _with_periods(settings, batch, (*before, (start, now), (now, None)))


def _with_periods(settings: Settings, batch: Batch, periods: tuple[Period, ...]) -> Batch:
    folder = batch_folder(settings, batch.source, batch.entity, batch.batch_id)
    written = [[start.isoformat(sep=" "), end.isoformat(sep=" ") if end else None] for start, end in periods]
    write_whole(folder / "active.json", json.dumps(written))
    return replace(batch, periods=periods)


# -- Rows re-driven from the quarantine -----------------------------------------------------------------------------


def part_folder(settings: Settings, batch: Batch, part_id: str) -> Path:
    return batch_folder(settings, batch.source, batch.entity, batch.batch_id) / "redriven" / part_id


def part_quarantine_file(settings: Settings, batch: Batch, part_id: str) -> Path:
    return settings.quarantine / batch.source / batch.entity / f"{batch.batch_id}-{part_id}.parquet"


def write_part(
    settings: Settings,
    batch: Batch,
    part: Part,
    write_accepted: Callable[[Path], None],
    write_refused: Callable[[Path], None],
) -> None:
    """Make a re-drive count: what stays in quarantine first, then the accepted rows by one rename."""
    with replacing(part_quarantine_file(settings, batch, part.part_id)) as path:
        write_refused(path)
    with new_folder(part_folder(settings, batch, part.part_id)) as folder:
        write_accepted(folder / "data.parquet")
        facts = {**asdict(part), "loaded_at": part.loaded_at.isoformat(sep=" ")}
        (folder / "part.json").write_text(json.dumps(facts, indent=1))


def data_files(settings: Settings, batch: Batch) -> list[Path]:
    """The Parquet files of the batch's accepted rows: the landing's, then those of its parts."""
    return [
        batch_folder(settings, batch.source, batch.entity, batch.batch_id) / "data.parquet",
        *(part_folder(settings, batch, part.part_id) / "data.parquet" for part in batch.parts if part.rows_accepted),
    ]


def current_quarantine_file(settings: Settings, batch: Batch) -> Path:
    """The Parquet file of the batch's rows that are in quarantine; there is none when the batch has none."""
    if batch.parts:
        return part_quarantine_file(settings, batch, batch.parts[-1].part_id)
    return quarantine_file(settings, batch.source, batch.entity, batch.batch_id)


# -- Reading --------------------------------------------------------------------------------------------------------


def read_batches(
    settings: Settings, sources: Iterable[str], entity: str | None = None, knowledge_time: datetime | None = None
) -> list[Batch]:
    """The active batches of the named sources (of one entity), by source, entity, time of loading and id.

    knowledge_time: moment in UTC; what was loaded, re-driven or replaced after it is as it was then.
    """
    found = [b for b in read_all_batches(settings, sources, entity) if b.counts_at(knowledge_time)]
    return found if knowledge_time is None else [_as_known(b, knowledge_time) for b in found]


def read_all_batches(settings: Settings, sources: Iterable[str], entity: str | None = None) -> list[Batch]:
    """As `read_batches`, with those that are superseded."""
    found = [
        _read(facts)
        for source in sorted(set(sources))
        for facts in (settings.raw / source).glob(f"{entity or '*'}/*/batch.json")
        if not facts.parent.name.startswith(".")
    ]
    return sorted(found, key=lambda b: (b.source, b.entity, b.loaded_at, b.batch_id))


def _read(facts: Path) -> Batch:
    landed = _from_json(facts.read_text())
    periods: tuple[Period, ...] = ((landed.loaded_at, None),)
    active = facts.with_name("active.json")
    if active.exists():
        periods = tuple(
            (datetime.fromisoformat(start), datetime.fromisoformat(end) if end else None)
            for start, end in json.loads(active.read_text())
        )
    return _with_parts(replace(landed, periods=periods), _read_parts(facts.parent / "redriven"))


def _read_parts(folder: Path) -> tuple[Part, ...]:
    if not folder.is_dir():
        return ()
    parts = []
    for path in folder.glob("*/part.json"):
        if not path.parent.name.startswith("."):
            facts = json.loads(path.read_text())
            facts["loaded_at"] = datetime.fromisoformat(facts["loaded_at"])
            facts["days"] = tuple((day, n) for day, n in facts["days"])
            parts.append(Part(**facts))
    return tuple(sorted(parts, key=lambda part: (part.loaded_at, part.part_id)))


def _with_parts(landed: Batch, parts: tuple[Part, ...]) -> Batch:
    """`landed` with the counts that follow from its parts. Rows in stay what the file had."""
    if not parts:
        return landed
    return replace(
        landed,
        parts=parts,
        rows_accepted=landed.rows_accepted + sum(part.rows_accepted for part in parts),
        rows_quarantined=parts[-1].rows_quarantined,
        rows_left_out=landed.rows_left_out + sum(part.rows_left_out for part in parts),
        rows_erased=landed.rows_erased + sum(part.rows_erased for part in parts),
    )


def _as_known(batch: Batch, moment: datetime) -> Batch:
    batch = replace(batch, periods=tuple(period for period in batch.periods if period[0] <= moment))
    later = [part for part in batch.parts if part.loaded_at > moment]
    if not later:
        return batch
    kept = tuple(part for part in batch.parts if part.loaded_at <= moment)
    accepted = batch.rows_accepted - sum(part.rows_accepted for part in later)
    left_out = batch.rows_left_out - sum(part.rows_left_out for part in later)
    return replace(
        batch,
        parts=kept,
        rows_accepted=accepted,
        rows_quarantined=batch.rows_in - accepted - left_out,
        rows_left_out=left_out,
    )


def _to_json(batch: Batch) -> str:
    facts = asdict(batch)
    for name in ("is_new", "parts", "periods"):
        facts.pop(name)
    for name in _MOMENTS:
        facts[name] = facts[name].isoformat(sep=" ") if facts[name] is not None else None
    return json.dumps(facts, indent=1)


def _from_json(text: str) -> Batch:
    facts = json.loads(text)
    for name in _MOMENTS:
        facts[name] = datetime.fromisoformat(facts[name]) if facts[name] is not None else None
    facts["days"] = tuple((day, n) for day, n in facts["days"])
    if facts.get("columns") is not None:
        facts["columns"] = tuple((name, kind) for name, kind in facts["columns"])
    return Batch(**facts)


def as_new(batch: Batch) -> Batch:
    return replace(batch, is_new=True)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
