"""Our storage keeps Dagster's files as Dagster's own class does, also among processes, kills and removed files."""

import multiprocessing
import os
import signal
import sqlite3
import threading
import time
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from pipelines.dagster_storage import Engines, EventLogStorage, Storage

SPAWN = multiprocessing.get_context("spawn")


def event(run_id: str, words: str) -> EventLogEntry:
    return EventLogEntry(
        error_info=None, user_message=words, level=20, run_id=run_id, timestamp=time.time(), dagster_event=None
    )


def words_of(storage: DagsterSqliteStorage, run_id: str) -> list[str]:
    return [entry.user_message for entry in storage.event_log_storage.get_logs_for_run(run_id)]


def write_events(folder: str, run_id: str, words: str, n: int) -> None:
    storage = Storage.from_local(folder)
    for number in range(n):
        storage.event_log_storage.store_event(event(run_id, f"{words} {number}"))


def write_until_killed(folder: str, run_id: str, stored) -> None:
    storage = Storage.from_local(folder)
    for number in range(50):
        storage.event_log_storage.store_event(event(run_id, str(number)))
    stored.set()
    time.sleep(600)


@pytest.fixture
def storage(tmp_path):
    storage = Storage.from_local(str(tmp_path))
    yield storage
    storage.dispose()


def test_the_shipped_configuration_names_it_and_its_files_are_those_of_dagsters_own_class(home, monkeypatch):
    from assets.shared.settings import load_settings
    from pipelines.launch import prepare_dagster_home

    monkeypatch.setenv("DAGSTER_HOME", "")
    prepare_dagster_home(load_settings())
    one_asset = dg.AssetKey(["schema", "table"])

    @dg.asset(key=one_asset, check_specs=[dg.AssetCheckSpec("good", asset=one_asset)])
    def table():
        yield dg.MaterializeResult(
            asset_key=one_asset, check_results=[dg.AssetCheckResult(check_name="good", passed=True)]
        )

    with dg.DagsterInstance.get() as instance:
        assert type(instance.event_log_storage) is EventLogStorage
        result = dg.materialize([table], instance=instance)
        ours = instance.all_logs(result.run_id)
    theirs = DagsterSqliteStorage.from_local(str(home / "dagster"))
    assert list(theirs.event_log_storage.get_logs_for_run(result.run_id)) == list(ours)
    assert [run.is_success for run in theirs.run_storage.get_runs()] == [True]
    records = theirs.event_log_storage.get_asset_records([one_asset])
    assert [record.asset_entry.last_materialization.run_id for record in records] == [result.run_id]


def test_a_run_of_dagsters_own_class_is_read_and_continued(storage, tmp_path):
    theirs = DagsterSqliteStorage.from_local(str(tmp_path))
    theirs.event_log_storage.store_event(event("run", "theirs"))
    storage.event_log_storage.store_event(event("run", "ours"))
    assert words_of(storage, "run") == words_of(theirs, "run") == ["theirs", "ours"]


def test_several_processes_write_at_once_and_nothing_is_lost(storage, tmp_path):
    writers = [SPAWN.Process(target=write_events, args=(str(tmp_path), "run", str(n), 40)) for n in range(2)]
    for writer in writers:
        writer.start()
    for number in range(40):
        storage.event_log_storage.store_event(event("run", f"here {number}"))
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    found = words_of(storage, "run")
    assert len(found) == 120
    for who in ("here", "0", "1"):
        assert [words for words in found if words.startswith(f"{who} ")] == [f"{who} {n}" for n in range(40)]


def test_what_a_killed_process_has_stored_is_there(storage, tmp_path):
    stored = SPAWN.Event()
    writer = SPAWN.Process(target=write_until_killed, args=(str(tmp_path), "run", stored))
    writer.start()
    assert stored.wait(120)
    os.kill(writer.pid, signal.SIGKILL)
    writer.join()
    assert words_of(storage, "run") == [str(n) for n in range(50)]
    storage.event_log_storage.store_event(event("run", "afterwards"))
    assert words_of(storage, "run")[-1] == "afterwards"
    with sqlite3.connect(tmp_path / "history" / "runs" / "run.db") as con:
        assert con.execute("pragma integrity_check").fetchall() == [("ok",)]


def test_a_file_that_was_removed_is_made_again(storage, tmp_path):
    storage.event_log_storage.store_event(event("run", "before"))
    for path in (tmp_path / "history" / "runs").glob("run.db*"):
        path.unlink()
    storage.event_log_storage.store_event(event("run", "after"))
    assert words_of(DagsterSqliteStorage.from_local(str(tmp_path)), "run") == ["after"]


def test_a_child_that_was_forked_opens_the_files_itself(storage, tmp_path):
    storage.event_log_storage.store_event(event("run", "parent"))
    child = os.fork()
    if child == 0:
        try:
            storage.event_log_storage.store_event(event("run", "child"))
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    storage.event_log_storage.store_event(event("run", "parent again"))
    assert words_of(storage, "run") == ["parent", "child", "parent again"]


def test_a_reader_who_watches_a_run_hears_of_events_of_another_process(storage, tmp_path):
    storage.event_log_storage.store_event(event("run", "known"))
    cursor = storage.event_log_storage.get_records_for_run("run").cursor
    heard, enough = [], threading.Event()

    def hear(entry: EventLogEntry, _: str) -> None:
        heard.append(entry.user_message)
        if len(heard) == 5:
            enough.set()

    storage.event_log_storage.watch("run", cursor, hear)
    writer = SPAWN.Process(target=write_events, args=(str(tmp_path), "run", "new", 5))
    writer.start()
    writer.join()
    assert enough.wait(120)
    storage.event_log_storage.end_watch("run", hear)
    assert heard == [f"new {n}" for n in range(5)]


def test_few_files_are_held_open_and_none_after_the_end(storage, tmp_path):
    storage.event_log_storage._engines.close()
    storage.event_log_storage._engines = Engines(most=2)
    for number in range(4):
        storage.event_log_storage.store_event(event(f"run-{number}", "words"))
    assert {Path(path).name for path in open_files(tmp_path / "history" / "runs")} == {"run-2.db", "run-3.db"}
    assert words_of(storage, "run-0") == ["words"]
    storage.dispose()
    assert open_files(tmp_path) == set()


def test_an_engine_is_kept_for_as_long_as_its_file(tmp_path):
    engines, url = Engines(most=2), f"sqlite:///{tmp_path / 'one.db'}"
    first, is_new = engines.at(url)
    assert is_new
    assert engines.at(url) == (first, False)
    (tmp_path / "one.db").rename(tmp_path / "moved.db")
    second, is_new = engines.at(url)
    assert is_new
    assert second is not first
    for name in ("two", "three"):
        engines.at(f"sqlite:///{tmp_path / name}.db")
    assert engines.at(url)[1], "the least lately used one was closed"


def open_files(folder: Path) -> set[str]:
    """Databases below `folder` that this process has open."""
    paths = {str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()}
    return {path for path in paths if path.startswith(f"{folder}/") and path.endswith(".db")}
