"""Jobs that can be killed: the command line in a process group of its own.

In: arguments of `holdfast`. Out: a running `Job`, whose progress is read from what it prints.

Most jobs are forked from this process, which has paid for the heavy imports once: that is what lets a campaign kill
hundreds of them. What runs is the same `pipelines.cli` as in a fresh process; a part of the campaign starts fresh ones,
so that start-up is hit too. Nothing in the product knows of any of this.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_STEP = re.compile(r"^\[ *[\d.]+ s\] +(?:\d+\. (?P<started>\w+) …|(?P<done>\w+) done in)", re.MULTILINE)

#: Where a job is before its first step and after its last.
START_UP = "start-up"
WIND_DOWN = "wind-down"


def import_everything_heavy() -> None:
    """Pay for the imports of a night here, once. Starts no thread: a process with threads must not be forked."""
    os.environ["MPLBACKEND"] = "Agg"
    import dbt.adapters.duckdb.connections  # noqa: F401
    import dbt.cli.main  # noqa: F401
    import great_expectations  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import pyarrow.parquet  # noqa: F401
    import sklearn.ensemble  # noqa: F401
    import skops.io  # noqa: F401

    import expectations.runner  # noqa: F401
    import pipelines.build  # noqa: F401
    import pipelines.launch  # noqa: F401
    import pipelines.summary  # noqa: F401


@dataclass
class Job:
    """One running or ended job. `code` is its exit code, negative for a signal, None while it runs."""

    pid: int
    log: Path
    started: float = field(default_factory=time.monotonic)
    code: int | None = None
    popen: subprocess.Popen | None = None

    def poll(self) -> int | None:
        """The exit code if it has ended."""
        if self.code is None:
            if self.popen is not None:
                self.code = self.popen.poll()
            else:
                pid, status = os.waitpid(self.pid, os.WNOHANG)
                if pid:
                    self.code = os.waitstatus_to_exitcode(status)
        return self.code

    def wait(self, seconds: float = 600) -> int:
        """Wait for its end. Raises TimeoutError, after killing it, when it takes longer."""
        deadline = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"no end after {seconds} s\n{self.said()[-3000:]}")
            time.sleep(0.02)
        return self.code

    def kill(self) -> None:
        """SIGKILL to the whole process group."""
        while self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # a fork that has not made its group yet
                os.killpg(self.pid, signal.SIGKILL)
            time.sleep(0.001)

    def said(self) -> str:
        return self.log.read_text(errors="replace")

    def steps(self) -> list[tuple[str, str]]:
        """What has happened so far: ("start" | "end", step), in order."""
        return [
            ("start", match["started"]) if match["started"] else ("end", match["done"])
            for match in _STEP.finditer(self.said())
        ]

    def where(self) -> str:
        """The step that runs, `START_UP`, `WIND_DOWN`, or `after X` between two steps."""
        steps = self.steps()
        if not steps:
            return START_UP
        kind, step = steps[-1]
        if kind == "start":
            return step
        return WIND_DOWN if step == "publish" else f"after {step}"


def forked(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    log: Path,
    in_child: Callable[[], None] = lambda: None,
) -> Job:
    """Start `holdfast <arguments>` in a fork of this process. `in_child` runs there first."""
    log.write_bytes(b"")
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        return Job(pid, log)
    try:
        os.setsid()
        out = os.open(log, os.O_WRONLY | os.O_APPEND)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.environ.update(environment)
        sys.argv = ["holdfast", *arguments]
        in_child()
        from pipelines.cli import console

        console()
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(70)


def fresh(arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Job:
    """Start `holdfast <arguments>` in a fresh interpreter."""
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    return Job(process.pid, log, popen=process)


def in_a_fork(function: Callable[[], object], seconds: float = 300) -> object:
    """The JSON-able result of `function`, computed in a fork: engines and their threads never live in this process.
    Raises RuntimeError with the traceback when it raises."""
    import json
    import traceback

    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(read_end)
        try:
            answer = {"result": function()}
        except BaseException:
            answer = {"error": traceback.format_exc()}
        with os.fdopen(write_end, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(write_end)
    signal.alarm(int(seconds))
    try:
        with os.fdopen(read_end) as pipe:
            text = pipe.read()
        os.waitpid(pid, 0)
    finally:
        signal.alarm(0)
    answer = json.loads(text)
    if "error" in answer:
        raise RuntimeError(answer["error"])
    return answer["result"]
