"""Dagster's own SQLite storage, with engines that are kept instead of made anew for every event.

In: the folder of Dagster's storage. Out: the same files with the same rows as `DagsterSqliteStorage` (Dagster 1.13)
writes. That makes an SQLAlchemy engine for each of the two thousand statements of a night, compiles the statement again
and, because its connection is the only one, has SQLite fold its write-ahead log into the file each time: a fifth of the
processor time of a small night. Here an engine and its connection live as long as their file.

Several processes may use one folder, as before: SQLite locks as it did, and a file that was removed or replaced is
opened again. An event that has been stored outlives its process, however that ends. When the machine itself loses
power the newest events may be missing, while the file stays whole (`synchronous = normal` with a write-ahead log):
the default waits for the disk two thousand times a night, for a log that no number of ours is read from.
"""

import os
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Any

from dagster._core.storage.event_log import SqlPollingEventWatcher
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import (
    DagsterSqliteStorage,
    _event_logs_directory,
    _runs_directory,
    _schedule_directory,
)
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, make_url

#: Files kept open at a time by one storage. Each run has a file of its own, and a web server looks at many.
MOST_ENGINES = 8


class Engines:
    """One SQLAlchemy engine a database file, the least lately used one closed when there are more than `most`."""

    def __init__(self, most: int = MOST_ENGINES):
        self._most = most
        self._lock = Lock()
        self._held: OrderedDict[str, tuple[tuple[int, ...], Engine]] = OrderedDict()

    def at(self, url: str) -> tuple[Engine, bool]:
        """The engine for the file that `url` names, which is made where there is none, and whether it is a new one: on
        the first call, and after the file was removed or replaced or the process has forked."""
        path = Path(str(make_url(url).database))
        if not path.exists():
            # Never where it is there: who watches the file would take that for news.
            path.touch()
        found = path.stat()
        file = (os.getpid(), found.st_dev, found.st_ino)
        with self._lock:
            known, engine = self._held.get(url, ((), None))
            is_new = engine is None or known != file
            if is_new or engine is None:
                if engine is not None:
                    # A connection of the parent process belongs to it: forget it, do not close it.
                    engine.dispose(close=known[0] == file[0])
                engine = create_engine(url, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
                event.listen(engine, "connect", _do_not_wait_for_the_disk)
                self._held[url] = (file, engine)
            self._held.move_to_end(url)
            while len(self._held) > self._most:
                self._held.popitem(last=False)[1][1].dispose()
            return engine, is_new

    def close(self) -> None:
        """Close every connection that is not in use."""
        with self._lock:
            for (process, *_), engine in self._held.values():
                engine.dispose(close=process == os.getpid())
            self._held.clear()


def _do_not_wait_for_the_disk(connection: Any, _record: Any) -> None:
    connection.execute("pragma synchronous = normal")


class EventLogStorage(SqliteEventLogStorage):
    """The event log: a file a run, and one over all runs."""

    def __init__(self, base_dir: str):
        self._engines = Engines()
        super().__init__(base_dir)
        self._watcher = SqlPollingEventWatcher(self)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        # As in the class above but for the engine, its lock included: one connection at a time.
        with self._db_lock:
            engine, is_new = self._engines.at(self.conn_string_for_shard(shard))
            if is_new or shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.connect() as connection, connection.begin():
                yield connection

    def watch(self, run_id: str, cursor: str | None, callback: Any) -> None:
        # Asked for, as Dagster's Postgres storage does. The class above waits for a change of the file, but a writer
        # that keeps its connection changes the write-ahead log, and that before its words can be read.
        self._watcher.watch_run(run_id, cursor, callback)

    def end_watch(self, run_id: str, handler: Any) -> None:
        self._watcher.unwatch_run(run_id, handler)

    def dispose(self) -> None:
        self._watcher.close()
        super().dispose()
        self._engines.close()


class _KeptEngine:
    """`connect` of the storages with one file."""

    _conn_string: str

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        engine, _ = self._engines.at(self._conn_string)
        with engine.connect() as connection, connection.begin():
            yield connection

    @property
    def _engines(self) -> Engines:
        return self.__dict__.setdefault("_kept_engines", Engines())

    def dispose(self) -> None:
        self._engines.close()


class RunStorage(_KeptEngine, SqliteRunStorage):
    """Runs and their tags."""


class ScheduleStorage(_KeptEngine, SqliteScheduleStorage):
    """Schedules, sensors and their ticks."""


class Storage(DagsterSqliteStorage):
    """What `dagster.yaml` names: all three in one folder."""

    def __init__(self, base_dir: str, inst_data: Any = None):
        # Instead of that of the class above, which would make its own three.
        super(DagsterSqliteStorage, self).__init__()
        self.base_dir, self._inst_data = base_dir, inst_data
        self._run_storage = RunStorage.from_local(_runs_directory(base_dir))
        self._event_log_storage = EventLogStorage(_event_logs_directory(base_dir))
        self._schedule_storage = ScheduleStorage.from_local(_schedule_directory(base_dir))

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "Storage":
        return cls(inst_data=inst_data, **config_value)
