"""The plan ledger: what earlier nights planned, one Parquet file an as-of date.

In: the folder `ledgers/plan` of the home. Out: rows of plans before a date; one atomically replaced file a date.
A plan that was made again with another result stays below `superseded/`, under the moment at which it was replaced, so
that a run as known at an earlier moment finds the plans of then. The ledger does not hold what really happened to a
contact: that comes back from the business as contacts.
"""

import shutil
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb

from assets.shared.files import replacing

#: Columns of a ledger file with their types: enough for cooldowns, caps and the later comparison of the arms.
COLUMNS = {
    "as_of_date": "date",
    "candidate_id": "varchar",
    "customer_id": "varchar",
    "action_id": "varchar",
    "calendar_id": "varchar",
    "lifecycle_stage": "varchar",
    "value_class": "varchar",
    "channel": "varchar",
    "decision": "varchar",
    "holdout_kind": "varchar",
    "plan_rank": "bigint",
    "expected_incremental_profit": "double",
    "uplift": "double",
    "uplift_basis": "varchar",
    "contact_cost": "double",
    "offer_cost": "double",
    "redeem_probability": "double",
}


def ledger_file(folder: Path, as_of_date: date) -> Path:
    """Where the plan of one date is kept."""
    return folder / f"{as_of_date.isoformat()}.parquet"


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


def register_past_plans(con: duckdb.DuckDBPyConnection, folder: Path, as_of_date: date) -> int:
    """Temp table `past_plans` with the ledger rows of dates before `as_of_date`. Returns its number of rows."""
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    con.execute(f"create or replace temp table past_plans ({columns})")
    files = files_before(folder, as_of_date)
    if files:
        con.execute(
            f"insert into past_plans select {', '.join(COLUMNS)} from read_parquet(?, union_by_name = true)",
            [[str(path) for path in files]],
        )
    return con.execute("select count(*) from past_plans").fetchone()[0]


def write_plan(con: duckdb.DuckDBPyConnection, folder: Path, as_of_date: date) -> Path:
    """Write the contact and holdout rows of `actions.contact_plan` as the ledger file of `as_of_date`.

    An empty plan is written too: it replaces whatever an earlier attempt at the date had planned.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = ledger_file(folder, as_of_date)
    columns = ", ".join(f"cast({name} as {kind}) as {name}" for name, kind in COLUMNS.items())
    rows = con.sql(
        f"""
        select {columns} from actions.contact_plan
        where decision in ('contact', 'holdout')
        order by customer_id, action_id
        """
    ).to_arrow_table()
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
        day, _, replaced = path.stem.partition("--")
        versions.setdefault(date.fromisoformat(day), []).append((datetime.strptime(replaced, _MOMENT), path))
    for path in files_before(folder, date.max):
        versions.setdefault(date.fromisoformat(path.stem), []).append((datetime.max, path))
    found = {}
    for day, of_the_day in versions.items():
        _, path = min(((until, path) for until, path in of_the_day if until > moment), default=(None, None))
        if path is not None and datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None) <= moment:
            found[day] = path
    return found


def replace_parquet(rows, target: Path, keep: Path | None = None) -> None:
    """Write an Arrow table in the place of `target`, so that a reader sees the old or the new. With `keep`, what is
    replaced stays under that name, and the same content again changes nothing."""
    import pyarrow as pa
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
