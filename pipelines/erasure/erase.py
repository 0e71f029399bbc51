"""A person is forgotten: every place of a home where state lies, and Postgres.

In: requests, each an id and a legal basis. Out: a home in which no file holds an id, an address, a number or a name of
them, and lines in the erasure ledger. What was summed stays: the person's rows are kept under a pseudonym drawn at
random, the same one in every file, without personal columns.

The order is one that a kill does not harm: the journal first, which says who; then file after file, each replaced by
one rename, and each as often as it is asked for; Postgres; the ledger; the journal's end. Called again it goes on from
where it was. The home's lock is held to the end, and nothing else begins in the home while the journal is there.
"""

import secrets
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from assets.model.model_store import list_models
from assets.publish.marts import Marts
from assets.publish.postgres_target import PostgresTarget, postgres_target
from assets.publish.published_set import night_of
from assets.shared.erasure_ledger import LEDGER, Fingerprints, append_to_ledger, new_pseudonym, read_ledger
from assets.shared.errors import UserError
from assets.shared.leftovers import sweep_leftovers
from assets.shared.lock import folder_lock
from assets.shared.private_files import private_files
from assets.shared.published_history import (
    DATABASE,
    is_changed,
    read_contents,
    shown_contents,
    write_contents,
)
from assets.shared.settings import Settings
from assets.shared.warehouse import configure
from pipelines.backup_keys import NAME as KEYS
from pipelines.backup_keys import keys_file, open_keys
from pipelines.erasure.archives import rewrite_archive
from pipelines.erasure.identifiers import Identifiers
from pipelines.erasure.journal import Journal, read_journal
from pipelines.erasure.persons import Request, first_seen, ids_in_batches, ids_of_persons, personal_values
from pipelines.erasure.quarantine import count_quarantine
from pipelines.erasure.rewriting import (
    holds_words,
    rewrite_database,
    rewrite_export,
    rewrite_parquet,
    rewrite_sqlite,
    rewrite_text,
    settle_database,
)

Say = Callable[[str], None]

#: Folders that the next run makes anew: what holds a person there is taken away.
_MADE_ANEW = ("spill", "as_known")

#: Of the erasure itself, and names that a person chose.
_NOT_OURS = frozenset(
    {".run.lock", ".erasing", "erasure.key", KEYS, f"{KEYS}-journal", "home.json", "home.yml", "legal_holds.csv"}
)

_TEXTS = frozenset({".json", ".jsonl", ".md", ".html", ".log", ".err", ".out", ".txt", ".sql", ".yml", ".yaml", ".svg"})


@dataclass(frozen=True)
class Erased:
    """What one call did. by_area: folder of the home to files rewritten, rows before, after and of the persons.
    models: those that learned from rows of a person. refused: given id to the reason of the hold. not_found: given ids
    that no accepted row names, and that nobody erased before."""

    n_persons: int
    n_ids: int
    by_area: Mapping[str, Mapping[str, int]]
    models: Sequence[str]
    refused: Mapping[str, str]
    seconds: float
    not_rewritten: Sequence[str] = ()
    not_found: Sequence[str] = ()


def erase(
    settings: Settings,
    requests: Sequence[Request],
    holds: Mapping[str, str],
    say: Say,
    marts: Callable[[], Marts],
    by: str = "",
) -> Erased:
    """Erase the persons of `requests` from the home, and end an erasure that was killed. `marts` is asked for where
    Postgres is to be filled again.

    Raises UserError when the home belongs to a run as known earlier, when a file is in use, and when Postgres cannot be
    reached: the same command then goes on.
    """
    if settings.raw_home is not None:
        raise UserError(f"{settings.home} reads the batches of {settings.raw_home}", "erase there; it is made anew")
    elsewhere = settings.spark_folder
    if elsewhere is not None and not elsewhere.is_relative_to(settings.home) and any(elsewhere.glob("*")):
        raise UserError(
            f"the tables of Spark in {elsewhere} lie outside the home, where an erasure does not reach",
            "remove what is in that folder and give the command again; the next night builds the tables anew",
        )
    started = time.monotonic()
    with folder_lock(settings.home, on_wait=say), private_files(settings):
        sweep_leftovers(settings)
        journal = read_journal(settings.home)
        if journal is not None:
            say(f"an erasure that was begun at {journal.began_at} goes on")
            journal.resumed += 1
            left = _run(settings, journal, say, marts)
        if requests or journal is None:
            journal = _begin(settings, requests, holds, by)
            left = _run(settings, journal, say, marts)
    return _report(journal, left, time.monotonic() - started)


def _begin(settings: Settings, requests: Sequence[Request], holds: Mapping[str, str], by: str) -> Journal:
    """Resolve the requests and write the journal."""
    fingerprints = Fingerprints.of_home(settings.home, make_key=True)
    persons = ids_of_persons(settings, [request.customer_id for request in requests])
    now = datetime.now(UTC).isoformat(timespec="seconds")
    everybody = [one for own in persons.values() for one in own]
    seen, known = first_seen(settings, everybody), personal_values(settings, everybody)
    there = ids_in_batches(settings, everybody)
    models = list_models(settings.models)
    lines: list[dict[str, Any]] = []
    ids: list[str] = []
    for request in requests:
        own = persons[request.customer_id]
        values = set[str]().union(*(known.get(one, set()) for one in own))
        who = Identifiers(dict.fromkeys(own, ""), sorted(values))
        if who.clean(request.basis) != request.basis:
            raise UserError(
                f"the basis of {request.customer_id} says who it is", "write the rule of law only: GDPR 17(1)(b)"
            )
        held = next((holds[one] for one in own if one in holds), None)
        line: dict[str, Any] = {
            "request": uuid.uuid4().hex,
            "at": now,
            "by": by,
            "fingerprints": [fingerprints.of(one) for one in own],
            "basis": request.basis,
        }
        if held is not None:
            lines.append({**line, "status": "refused", "hold": who.clean(held), "given": request.customer_id})
            continue
        if not there.intersection(own) and not fingerprints.known.intersection(line["fingerprints"]):
            line |= {"not_found": True, "given": request.customer_id}
        days = [seen[one].date().isoformat() for one in own if one in seen]
        learned = [model for model in models if days and model[:10] > min(days)]
        lines.append({**line, "status": "erased", "n_ids": len(own), "models": learned})
        ids += own
    journal = Journal(
        home=settings.home,
        run=uuid.uuid4().hex,
        began_at=now,
        requests=lines,
        pseudonyms={one: new_pseudonym() for one in dict.fromkeys(ids)},
        values=sorted(set[str]().union(*personal_values(settings, ids).values())),
        secret=secrets.token_hex(16),
    )
    journal.save()
    return journal


def _run(settings: Settings, journal: Journal, say: Say, marts: Callable[[], Marts]) -> list[str]:
    """Do what the journal says, to its end. Returns files that hold something and could not be rewritten."""
    who = journal.identifiers
    left: list[str] = []
    if who.pseudonyms:
        with _engine(settings, journal) as con:
            _erase_files(con, settings, journal, who, left, say, keys_file(settings.home))
            if settings.publish_postgres is not None:
                _erase_postgres(con, settings, marts(), who, say)
    by_area = _by_area(journal)
    summary = {
        "run": journal.run,
        "status": "done",
        "began_at": journal.began_at,
        "ended_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "resumed": journal.resumed,
        "rewritten": by_area,
        "not_rewritten": left,
    }
    if not any(line.get("run") == journal.run for line in read_ledger(journal.home)):
        said = [
            {**{key: value for key, value in line.items() if key != "given"}, "run": journal.run}
            for line in journal.requests
        ]
        append_to_ledger(journal.home, [*said, summary])
    journal.end()
    return left


@contextmanager
def _engine(settings: Settings, journal: Journal) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as con:
        configure(con, settings)
        con.execute("set preserve_insertion_order = true")
        con.execute("set temp_directory = ?", [str(journal.folder / "spill")])
        yield con


# -- Files of the home ------------------------------------------------------------------------------------------------


def _erase_files(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    journal: Journal,
    who: Identifiers,
    left: list[str],
    say: Say,
    keys_at: Path | None = None,
) -> None:
    home = settings.home
    for name in _MADE_ANEW:
        if (folder := home / name).is_dir():
            shutil.rmtree(folder)
    _restamp(journal)
    archives: list[Path] = []
    parts = sorted((path for path in home.iterdir() if path.name not in _NOT_OURS), key=lambda path: path.name)
    for part in parts:
        started, n_before = time.monotonic(), len(journal.counts)
        files = [path for path in ([part] if part.is_file() else sorted(part.rglob("*"))) if _is_file(path)]
        for path in files:
            if path.name.endswith(".tar.gz"):
                archives.append(path)
            # A file that another one's writing has taken along, such as the log of a database.
            elif path.exists():
                _erase_file(con, settings, journal, who, path, left)
        seconds = time.monotonic() - started
        say(f"{part.name}: {len(journal.counts) - n_before} of {len(files)} files rewritten in {seconds:.1f} s")
    count_quarantine(settings, also=("rows_erased",))
    if keys_at is not None:
        _destroy_keys(journal, keys_at)
    for path in archives:
        own = keys_at or journal.folder / "backup.keys"
        rewrite_archive(path, journal.folder, own, lambda home: _erase_copy(con, home, journal, who), journal.note)


def _destroy_keys(journal: Journal, keys_at: Path) -> None:
    """What backups hold of the persons cannot be read from now on. Once, and before the backups in the home are packed
    again, with new keys of the files that were rewritten."""
    if keys_at.exists() and not journal.has_destroyed_keys:
        with open_keys(keys_at) as keys:
            keys.destroy(journal.pseudonyms, journal.counts)
    journal.has_destroyed_keys = True
    journal.save()


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _erase_file(
    con: duckdb.DuckDBPyConnection,
    settings: Settings,
    journal: Journal,
    who: Identifiers,
    path: Path,
    left: list[str],
) -> None:
    relative, note = path.relative_to(settings.home), journal.note
    area, ending = relative.parts[0], path.suffix.lower()
    if relative == LEDGER:
        return  # it names nobody, and a line that changes breaks the chain of hashes
    if _is_of_dead_writer(relative):
        path.unlink()
    elif ending == ".parquet":
        rewrite_parquet(con, path, who, note, is_quarantine=area == "quarantine", is_export=area == "exports")
    elif ending == ".duckdb" and area in ("published", "blocked"):
        _erase_set(con, journal, who, path)
    elif ending == ".duckdb":
        settle_database(path)
        rewrite_database(con, path, who, note, always=True)
    elif ending == ".wal":
        # Of a published set: what somebody wrote into it is lost with the next one anyway.
        path.unlink()
    elif ending == ".csv" and (area == "exports" or area == "person_links.csv"):
        rewrite_export(path, who, note)
    elif ending == ".db":
        rewrite_sqlite(path, who, note)
    elif path.name.endswith(("-wal", "-shm", "-journal")):
        pass  # SQLite's own notes: emptied with their database, which comes before them
    elif ending in _TEXTS or ending == ".csv":
        rewrite_text(path, who, note)
    elif holds_words(path, who):
        if area == "dbt":
            path.unlink()
        else:
            left.append(relative.as_posix())


def _is_of_dead_writer(relative: Path) -> bool:
    """Left by a writer that was killed, by a name that no sweep knows; our own lock says that nobody writes."""
    return any(part.startswith((".tmp-", ".old-")) for part in relative.parts)


def _erase_set(con: duckdb.DuckDBPyConnection, journal: Journal, who: Identifiers, path: Path) -> None:
    """The database of a set, and what the set says of it: a reader who has it open keeps the old one until then."""
    folder, name = path.parent, path.parent.relative_to(journal.home).as_posix()
    is_stamped = (folder / "set.json").exists() and not is_changed(folder)

    def note(database: Path, facts: Mapping[str, int]) -> None:
        if is_stamped and name not in journal.stamps:
            journal.stamps.append(name)
        journal.note(database, facts)

    if rewrite_database(con, path, who, note):
        _restamp(journal)


def _restamp(journal: Journal) -> None:
    """Say of each set whose database was replaced what it is like now."""
    for name in journal.stamps:
        folder = journal.home / name
        if (folder / DATABASE).exists() and (folder / "set.json").exists():
            contents = read_contents(folder)
            write_contents(folder, contents.as_of_date, contents.run_id, contents.files)


def _erase_copy(con: duckdb.DuckDBPyConnection, home: Path, journal: Journal, who: Identifiers) -> dict[str, int]:
    """The same for a home that was unpacked from a backup. Returns the counts of its files."""
    inner = Journal(home, journal.run, journal.began_at, [], dict(who.pseudonyms), list(who.values), who.secret)
    settings = Settings(home=home, sources=())
    _erase_files(con, settings, inner, who, [], lambda _: None)
    found = list(inner.counts.values())
    if inner.folder.exists():
        shutil.rmtree(inner.folder)
    return {name: sum(facts[name] for facts in found) for name in ("rows_before", "rows_after", "rows_of_persons")}


# -- Postgres ---------------------------------------------------------------------------------------------------------


def _erase_postgres(
    con: duckdb.DuckDBPyConnection, settings: Settings, marts: Marts, who: Identifiers, say: Say
) -> None:
    """The shown set from its files, which are rewritten; the sets behind it go, and contacts of the persons."""
    contents = shown_contents(settings)
    with postgres_target(settings, marts, lambda _: None, say) as target:
        if target is None:
            return
        target.forget_contacts(sorted(who.pseudonyms))
        if contents is not None and target.shown() is not None:
            say("Postgres: the shown set is copied anew")
            target.load(con, contents.marts(settings.published), night_of(contents))
            target.swap()
        _drop_kept(target)


def _drop_kept(target: PostgresTarget) -> None:
    for _ in range(20):
        target.remove_all_but(0)
        if not target.kept():
            return
        time.sleep(0.5)
    raise UserError(
        "old sets in Postgres are in use, and still hold the persons: " + ", ".join(name for name, _ in target.kept()),
        "end the statements of readers, drop views that rest on these schemas, and give the command again",
    )


# -- What was done ----------------------------------------------------------------------------------------------------


def _by_area(journal: Journal) -> dict[str, dict[str, int]]:
    """Facts of the rewritten files, summed by folder of the home."""
    found: dict[str, dict[str, int]] = {}
    for name, facts in sorted(journal.counts.items()):
        area = found.setdefault(name.split("/")[0], {"files": 0})
        area["files"] += 1
        for key, n in facts.items():
            area[key] = area.get(key, 0) + n
    return found


def _report(journal: Journal, left: Sequence[str], seconds: float) -> Erased:
    erased = [line for line in journal.requests if line["status"] == "erased"]
    return Erased(
        n_persons=len(erased),
        n_ids=len(journal.pseudonyms),
        by_area=_by_area(journal),
        models=sorted({model for line in erased for model in line["models"]}),
        refused={line["given"]: line["hold"] for line in journal.requests if line["status"] == "refused"},
        seconds=seconds,
        not_rewritten=left,
        not_found=[line["given"] for line in erased if line.get("not_found")],
    )
