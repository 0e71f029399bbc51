"""When to kill: at every boundary of a step, at random moments, and before every file operation.

In: a seed and what an undisturbed run looks like (steps with their times, number of file operations). Out: plans, each
of which watches one job and kills it at its moment.
"""

import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.jobs import START_UP, Job

#: Audit events of Python that change what is on disk, and those that force it there.
_FILE_EVENTS = {
    "os.rename",
    "os.remove",
    "os.symlink",
    "os.mkdir",
    "os.rmdir",
    "shutil.rmtree",
    "shutil.copyfile",
    "os.link",
    "os.truncate",
}
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT
#: Folders of the home whose files must survive; Dagster's own book-keeping, dbt's cache and the rest need not.
_GUARDED = ("raw", "quarantine", "ledgers", "models", "published")


@dataclass(frozen=True)
class Timing:
    """What an undisturbed run looks like: (step, begin, end) in seconds since its start, and its file operations."""

    steps: tuple[tuple[str, float, float], ...]
    total: float
    file_operations: int

    def spans(self) -> list[tuple[str, float, float]]:
        """All stretches of time a job can be killed in: start-up, and each step until the next begins."""
        begins = [begin for _, begin, _ in self.steps]
        until = [*begins[1:], self.total]
        return [
            (START_UP, 0.0, begins[0]),
            *((name, begin, end) for (name, begin, _), end in zip(self.steps, until, strict=True)),
        ]


@dataclass(frozen=True)
class Plan:
    """One kill. `kind`: "boundary", "moment", "file operation" or "fresh start"; `what`: the boundary in words, or the
    stretch of time; `at`: share of that stretch, or the number of the file operation."""

    kind: str
    what: str
    at: float

    def __str__(self) -> str:
        return f"{self.kind} {self.what} {self.at:.3f}"


def plans(seed: int, timing: Timing) -> Iterator[Plan]:
    """Plans without end, the same for the same seed: of ten, five at boundaries (each in its turn, in random order),
    two at a random moment of a random stretch, two before a file operation, one in the start of a fresh process."""
    pick = random.Random(seed)
    boundaries: list[str] = []
    while True:
        for kind in pick.sample(["boundary"] * 5 + ["moment"] * 2 + ["file operation"] * 2 + ["fresh start"], 10):
            if kind == "boundary":
                if not boundaries:
                    boundaries = [f"{edge} of {name}" for name, _, _ in timing.steps for edge in ("start", "end")]
                    pick.shuffle(boundaries)
                yield Plan(kind, boundaries.pop(), 0.0)
            elif kind == "moment":
                yield Plan(kind, pick.choice(timing.spans())[0], pick.random())
            elif kind == "file operation":
                yield Plan(kind, "", pick.randrange(1, max(timing.file_operations, 1) + 1))
            else:
                yield Plan(kind, START_UP, pick.random())


def carry_out(plan: Plan, job: Job, timing: Timing, fresh_start_seconds: float) -> bool:
    """Watch `job` and kill it when the moment of `plan` has come. Returns False when it ended before."""
    if plan.kind == "file operation":  # the job carries its own trap, see `trap`
        job.wait()
        return job.code == -signal.SIGKILL
    if plan.kind == "boundary":
        edge, _, step = plan.what.partition(" of ")
        reached = _until(job, lambda: (edge, step) in job.steps())
    elif plan.kind == "fresh start":
        reached = _until(job, lambda: time.monotonic() - job.started >= plan.at * fresh_start_seconds)
    else:
        begin, end = next((b, e) for name, b, e in timing.spans() if name == plan.what)
        if plan.what == START_UP:
            entered: float | None = job.started
        else:
            entered = time.monotonic() if _until(job, lambda: ("start", plan.what) in job.steps()) else None
        reached = entered is not None and _until(job, lambda: time.monotonic() - entered >= plan.at * (end - begin))
    if not reached:
        return False
    job.kill()
    return job.code == -signal.SIGKILL


def _until(job: Job, happened) -> bool:
    while not happened():
        if job.poll() is not None:
            return False
        time.sleep(0.002)
    return True


def trap(home: Path, number: int) -> None:
    """In the job's process: kill its group before the file operation `number` (from 1) on the guarded folders."""
    _watch(home, lambda n: os.killpg(0, signal.SIGKILL) if n == number else None)


def counter(home: Path, out: Path) -> None:
    """In the job's process: write the number of file operations so far to `out`, after each."""
    handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    _watch(home, lambda n: os.pwrite(handle, str(n).encode(), 0))


def _watch(home: Path, on_operation) -> None:
    guarded = tuple(str(home / folder) + os.sep for folder in _GUARDED)
    seen = 0

    def hook(event: str, arguments: Sequence) -> None:
        nonlocal seen
        if event == "open":
            if not isinstance(arguments[2], int) or not arguments[2] & _WRITE_FLAGS:
                return
        elif event not in _FILE_EVENTS:
            return
        if any(os.fspath(a).startswith(guarded) for a in arguments[:2] if isinstance(a, str | os.PathLike)):
            seen += 1
            on_operation(seen)

    sys.addaudithook(hook)
