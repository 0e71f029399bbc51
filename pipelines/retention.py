"""What is older than its period goes, after each night: exports, blocked nights, quarantine, plans, who somebody was.

In: a home whose lock is held, and the day from which periods are counted back. Out: counts by store, and a line in
`ledgers/retention.jsonl` where anything went. Each removal can be repeated after a kill. Sums of published nights stay:
no table is touched in which they are. Dagster's books belong to `pipelines.prune`, files of the history to publish.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb

from assets.ingest.batches import current_quarantine_file, read_all_batches
from assets.shared.erasure_ledger import PSEUDONYM
from assets.shared.export_ledger import exports_folder
from assets.shared.files import write_whole
from assets.shared.plan_ledger import flagged_folder
from assets.shared.published_history import shown_contents
from assets.shared.quoting import literal, path_list, path_literal
from assets.shared.retention import Period, is_over, periods_of
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_value
from pipelines.business_day import business_today
from pipelines.erasure.identifiers import PERSONAL
from pipelines.erasure.persons import data_paths, ids_of_persons
from pipelines.erasure.quarantine import count_quarantine
from pipelines.erasure.rewriting import rewritten

LEDGER = Path("ledgers") / "retention.jsonl"


def sweep(settings: Settings, today: date) -> dict[str, int]:
    """Remove what is over. Returns how much of each store went, and only of stores of which something did."""
    if settings.raw_home is not None:
        return {}
    periods = periods_of(settings.home)
    counts = {name: clear(settings, periods[name], today) for name, clear in _CLEARING.items()}
    removed = {name: n for name, n in counts.items() if n}
    if removed:
        path = settings.home / LEDGER
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        at = datetime.now(UTC).isoformat(timespec="seconds")
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_whole(path, before + json.dumps({"at": at, "today": today.isoformat(), "removed": removed}) + "\n")
    return removed


def sweep_day(settings: Settings) -> date:
    """The day from which periods are counted back: the newest night that readers see, and never later than today. So a
    home whose nights are of long ago keeps what they made."""
    today, contents = business_today(settings), shown_contents(settings)
    return today if contents is None else min(today, contents.as_of_date)


def words_of(removed: Mapping[str, int]) -> str:
    """Counts of a sweep in words."""
    return ", ".join(f"{n:,} of {name}" for name, n in removed.items())


def last_sweep(home: Path) -> dict[str, Any] | None:
    """The newest line of the ledger; None before anything went."""
    path = home / LEDGER
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return json.loads(lines[-1]) if lines else None


def _exports(settings: Settings, period: Period, today: date) -> int:
    return _drop(_dated(settings.exports.glob("*")), period, today)


def _blocked(settings: Settings, period: Period, today: date) -> int:
    return _drop(_dated(settings.blocked.glob("*")), period, today)


def _plans(settings: Settings, period: Period, today: date) -> int:
    folders = (settings.ledgers / "plan", flagged_folder(settings.ledgers), exports_folder(settings.ledgers))
    files = (path for folder in folders for path in (*folder.glob("*.parquet"), *folder.glob("superseded/*.parquet")))
    return _drop(_dated(files), period, today)


def _dated(paths: Iterable[Path]) -> list[tuple[date, Path]]:
    """Files and folders whose name begins with a date, as all of a night do."""
    found = []
    for path in sorted(paths):
        try:
            found.append((date.fromisoformat(path.name[:10]), path))
        except ValueError:
            continue
    return found


def _drop(dated: list[tuple[date, Path]], period: Period, today: date) -> int:
    n = 0
    for day, path in dated:
        if is_over(day, today, period.days):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            n += 1
    return n


def _quarantine(settings: Settings, period: Period, today: date) -> int:
    """Refused rows of old files: the file of the quarantine is emptied, and its rows count as left out, so that rows in
    are still the rows accepted, quarantined and left out."""
    n = 0
    if period.days is None:
        return n
    sources = [path.name for path in settings.raw.glob("*") if path.is_dir()]
    for batch in read_all_batches(settings, sources):
        if not batch.rows_quarantined or not is_over(batch.loaded_at.date(), today, period.days):
            continue
        path = current_quarantine_file(settings, batch)
        with duckdb.connect() as con:
            n += fetch_value(con, "select count(*) from read_parquet(?)", [str(path)])
            with rewritten(path) as unfinished:
                con.execute(
                    f"copy (select * from read_parquet({path_literal(path)}) where false)"
                    f" to {literal(unfinished)} (format parquet, compression zstd)"
                )
    if n:
        count_quarantine(settings)
    return n


def _personal(settings: Settings, period: Period, today: date) -> int:
    """Personal columns of accounts whose person has neither bought nor appeared for so long become empty, in every
    batch. Returns how many accounts."""
    paths = data_paths(settings, "customers")
    if period.days is None or not paths:
        return 0
    with duckdb.connect() as con:
        con.execute("set preserve_insertion_order = true")
        # Batches of earlier versions lack the newest columns.
        everything = f"describe select * from read_parquet({path_list(paths)}, union_by_name = true)"
        columns = [row[0] for row in con.execute(everything).fetchall() if row[0] in PERSONAL]
        _last_signs(con, settings, paths)
        over = "$today::date - last_sign > $days"
        has_value = " or ".join(f"{name} is not null" for name in columns)
        named = f"select customer_id from read_parquet({path_list(paths)}, union_by_name = true) where {has_value}"
        asked = f"select customer_id from signs where {over} and customer_id in ({named}) order by 1"
        values = {"today": today, "days": period.days}
        found = [one for (one,) in con.execute(asked, values).fetchall() if not one.startswith(PSEUDONYM)]
        fresh = {one for (one,) in con.execute(f"select customer_id from signs where not {over}", values).fetchall()}
        gone = [one for one, own in ids_of_persons(settings, found).items() if fresh.isdisjoint(own)]
        con.execute("create temp table gone as select unnest(?::varchar[]) as customer_id", [gone])
        for path in paths if gone else ():
            rows = f"read_parquet({path_literal(path)}, hive_partitioning = false)"
            there = {row[0] for row in con.execute(f"describe select * from {rows}").fetchall()}
            own = [name for name in columns if name in there]
            known = f"customer_id in (from gone) and ({' or '.join(f'{name} is not null' for name in own) or 'false'})"
            if not fetch_value(con, f"select count(*) from {rows} where {known}"):
                continue
            emptied = ", ".join(f"case when customer_id not in (from gone) then {name} end as {name}" for name in own)
            with rewritten(path) as unfinished:
                con.execute(
                    f"copy (select * replace ({emptied}) from {rows})"
                    f" to {literal(unfinished)} (format parquet, compression zstd)"
                )
    return len(gone)


def _last_signs(con: duckdb.DuckDBPyConnection, settings: Settings, paths: list[Path]) -> None:
    """Table `signs`: of each account the last day on which it bought, joined or was first named by a file, whichever is
    latest. Batches that no longer count say so too."""
    sources = [path.name for path in settings.raw.glob("*") if path.is_dir()]
    con.execute("create temp table loaded (batch_id varchar, day date)")
    con.executemany(
        "insert into loaded values (?, ?)",
        [(batch.batch_id, batch.loaded_at.date()) for batch in read_all_batches(settings, sources, "customers")],
    )
    bought = data_paths(settings, "transactions")
    purchases = (
        "select customer_id, max(cast(occurred_at as date)) as day"
        f" from read_parquet({path_list(bought)}, union_by_name = true) group by customer_id union all"
        if bought
        else ""
    )
    con.execute(
        f"""
        create temp table signs as
        select customer_id, max(day) as last_sign
        from (
            {purchases}
            select customer_id, greatest(max(joined_on), min(loaded.day)) as day
            from read_parquet({path_list(paths)}, union_by_name = true) left join loaded using (batch_id)
            group by customer_id
        )
        where customer_id is not null
        group by customer_id
        """
    )


#: How each store is cleared here, by its name.
_CLEARING: dict[str, Callable[[Settings, Period, date], int]] = {
    "exports": _exports,
    "blocked": _blocked,
    "quarantine": _quarantine,
    "personal": _personal,
    "plans": _plans,
}
