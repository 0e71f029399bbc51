"""The plan ledger: what earlier nights planned, one Parquet file an as-of date.

In: the folder `ledgers/plan` of the home. Out: the files of dates before a date; one atomically replaced file a date.
A plan that was made again with another result stays below `superseded/`, under the moment at which it was replaced, so
that a run as known at an earlier moment finds the plans of then. The ledger does not hold what really happened to a
contact: that comes back from the business as contacts.
"""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa

from assets.shared.files import replacing
from assets.shared.tables import declared_table

#: Column of `ledgers.past_plans` that the export ledger fills, not the plan.
EXPORTED = "is_exported"


def ledger_columns() -> dict[str, str]:
    """Columns of a ledger file with their DuckDB types: those of `ledgers.past_plans`, which shows the files. Enough
    for cooldowns, caps and the later comparison of the arms. What became of a plan is not in its file."""
    return {name: kind for name, kind in declared_table("ledgers.past_plans").duckdb_types.items() if name != EXPORTED}


def ledger_file(folder: Path, as_of_date: date) -> Path:
    """Where the plan of one date is kept."""
    return folder / f"{as_of_date.isoformat()}.parquet"


def flagged_folder(ledgers: Path) -> Path:
    """Where the candidates of each date are kept, contacted or not."""
    return ledgers / "flagged"


def identity_folder(ledgers: Path) -> Path:
    """Where each date's findings of which accounts are one person are kept."""
    return ledgers / "identity"


def files_before(folder: Path, as_of_date: date) -> list[Path]:
    """Ledger files of dates before `as_of_date`, oldest first.

    Only these are ever read, so that a plan made again for its date finds what it found the first time.
    """
    found = []
    for path in folder.glob("*.parquet"):
        try:
            day = date.fromisoformat(path.stem)
        except ValueError:
            continue
        if day < as_of_date:
            found.append((day, path))
    return [path for _, path in sorted(found)]


def replace_plan(rows: pa.Table, folder: Path, as_of_date: date) -> Path:
    """Write `rows` (`ledger_columns`) as the ledger file of `as_of_date`.

    An empty plan is written too: it replaces whatever an earlier attempt at the date had planned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = ledger_file(folder, as_of_date)
    replace_parquet(rows, target, keep=_superseded_name(folder, as_of_date))
    return target


#: How a moment stands in a file name: UTC, to the microsecond.
_MOMENT = "%Y%m%dT%H%M%S%f"


def _superseded_name(folder: Path, as_of_date: date) -> Path:
    return folder / "superseded" / f"{as_of_date.isoformat()}--{datetime.now(UTC).strftime(_MOMENT)}.parquet"


def plans_known_at(folder: Path, moment: datetime) -> dict[date, Path]:
    """The ledger file of each date as it was at `moment` (UTC, without a zone); a date first planned later has none.

    When a file was written is its time of change, which a copy of the home has to keep.
    """
    versions: dict[date, list[tuple[datetime, Path]]] = {}
    for path in (folder / "superseded").glob("*--*.parquet"):
        planned_for, _, replaced = path.stem.partition("--")
        versions.setdefault(date.fromisoformat(planned_for), []).append((datetime.strptime(replaced, _MOMENT), path))
    for path in files_before(folder, date.max):
        versions.setdefault(date.fromisoformat(path.stem), []).append((datetime.max, path))
    found = {}
    for day, of_the_day in versions.items():
        valid = [(until, path) for until, path in of_the_day if until > moment]
        if not valid:
            continue
        _, path = min(valid)
        if datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None) <= moment:
            found[day] = path
    return found


def replace_parquet(rows: pa.Table, target: Path, keep: Path | None = None) -> None:
    """Write an Arrow table in the place of `target`, so that a reader sees the old or the new. With `keep`, what is
    replaced stays under that name, and the same content again changes nothing."""
    import pyarrow.parquet as pq

    written = pa.BufferOutputStream()
    pq.write_table(rows, written)
    content = written.getvalue().to_pybytes()
    if keep is not None and target.exists():
        if target.read_bytes() == content:
            return
        with replacing(keep) as unfinished:
            shutil.copy2(target, unfinished)
    with replacing(target) as unfinished:
        unfinished.write_bytes(content)
