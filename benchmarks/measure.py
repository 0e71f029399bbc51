"""Run a program as a process of its own and measure it: seconds, peak memory of its whole process tree, what it said.

Not for tests: timings are for reading.
"""

import os
import pickle
import platform
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TypeVar

import psutil

ROOT = Path(__file__).resolve().parents[1]
SAMPLE_SECONDS = 0.05


T = TypeVar("T")


@contextmanager
def workspace(name: str) -> Iterator[Path]:
    """A folder for one benchmark: a temporary one, or the one of this name in `BENCH_KEEP`, which stays, so that a long
    benchmark can be run in portions. What is kept there is taken as it is: delete it to measure again."""
    kept = os.environ.get("BENCH_KEEP")
    if kept:
        folder = Path(kept) / name
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as work:
        yield Path(work)


def kept_or(path: Path, make: Callable[[], T]) -> T:
    """What an earlier portion of the same benchmark left in a file, or what is made now and left there."""
    if path.exists():
        return pickle.loads(path.read_bytes())
    found = make()
    path.write_bytes(pickle.dumps(found))
    return found


@dataclass(frozen=True)
class Measured:
    """One process: seconds from start to exit, peak resident memory in MB summed over it and its children, exit code,
    what it wrote to standard output and error."""

    seconds: float
    peak_mb: float
    code: int
    out: str
    said: str


def measure(
    argv: Sequence[str],
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    timeout: float | None = None,
    most_mb: float | None = None,
) -> Measured:
    """Run `argv` with `env` added to the environment. Memory is sampled every 50 ms, children included. A process that
    outlives `timeout` seconds, or takes more than `most_mb` with its children, is killed, its code is -9."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        started = time.perf_counter()
        process = subprocess.Popen(argv, cwd=cwd, env={**os.environ, **(env or {})}, stdout=out, stderr=said)
        peak = _PeakOfTree(process.pid, most_mb)
        peak.start()
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            _kill_tree(process.pid)
            code = process.wait()
        seconds = time.perf_counter() - started
        peak.stop()
        out.seek(0)
        said.seek(0)
        return Measured(seconds, peak.bytes / 1e6, code, out.read(), said.read())


class _PeakOfTree(threading.Thread):
    """The largest sum of resident memory over a process and its descendants. Pages that parent and child share are
    counted twice, so a tree of forks looks larger than it is, never smaller."""

    def __init__(self, pid: int, most_mb: float | None) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self._most = float("inf") if most_mb is None else most_mb * 1e6
        self._done = threading.Event()
        self.bytes = 0

    def run(self) -> None:
        while not self._done.wait(SAMPLE_SECONDS):
            self.bytes = max(self.bytes, self._resident())
            if self.bytes > self._most:
                _kill_tree(self._root.pid)

    def stop(self) -> None:
        self._done.set()
        self.join()

    def _resident(self) -> int:
        total = 0
        try:
            for process in (self._root, *self._root.children(recursive=True)):
                total += process.memory_info().rss
        except psutil.NoSuchProcess:
            pass
        return total


def _kill_tree(pid: int) -> None:
    try:
        root = psutil.Process(pid)
        for process in (*root.children(recursive=True), root):
            process.kill()
    except psutil.NoSuchProcess:
        pass


def machine() -> str:
    """Cores, memory and Python in one sentence."""
    memory_gib = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores, {memory_gib:.0f} GiB of memory, Python {platform.python_version()}"


def versions(libraries: Sequence[str]) -> str:
    """`name version` of each library that is installed, separated by commas."""
    found = []
    for library in libraries:
        try:
            found.append(f"{library} {metadata.version(library)}")
        except metadata.PackageNotFoundError:
            continue
    return ", ".join(found)
