"""Homes that a campaign works on, and the journal of what it did.

In: a folder. Out: a home with a copy of the business of its own, whose nights can be run, looked at, and taken back;
what an undisturbed night looks like; two readers of a home.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from tests.chaos import business, jobs, kills, state

#: Of the home, what a night may change apart from the published set and Dagster's and dbt's own books.
PRIVATE = ("raw", "quarantine", "ledgers", "models", "blocked", "exports", "warehouse.duckdb")


class Journal:
    """What happened, one JSON object a line, written through at once."""

    def __init__(self, path: Path):
        self.path = path

    def read(self) -> list[dict]:
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def add(self, **entry) -> None:
        with self.path.open("a") as out:
            out.write(json.dumps(entry) + "\n")
        words = " ".join(f"{key}={value}" for key, value in entry.items() if key != "state")
        print(f"{time.strftime('%H:%M:%S')} {words[:400]}", file=sys.stderr, flush=True)


class Home:
    """A home with its own copy of the business."""

    def __init__(self, folder: Path, n_nights: int):
        self.folder = folder
        self.home = folder / "home"
        self.shop = business.business(folder / "shop", n_nights)
        self.log = folder / "job.log"
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def environment(self) -> dict[str, str]:
        return {"HOLDFAST_HOME": str(self.home)}

    def arguments(self, night: date) -> list[str]:
        # One line of each small delivery is unreadable: over weeks more than the share that stops a release.
        return [
            "run",
            "--source",
            str(self.shop.yaml),
            "--as-of",
            str(night),
            "--param",
            "validate_max_quarantine_share=0.1",
        ]

    def start(
        self,
        night: date,
        in_child: Callable[[], None] = lambda: None,
        arguments: Sequence[str] | None = None,
        environment: Mapping[str, str] | None = None,
        log: str = "job.log",
    ) -> jobs.Job:
        """Start the job of `night`, or other `arguments`, with more `environment`."""
        return jobs.forked(
            arguments or self.arguments(night), {**self.environment, **(environment or {})}, self.folder / log, in_child
        )

    def published(self) -> dict | None:
        return jobs.in_a_fork(lambda: state.published_state(self.home))

    def kept(self) -> dict:
        return jobs.in_a_fork(lambda: state.kept_state(self.home))

    def save_private(self) -> None:
        """Keep what lies next to the published set now."""
        saved = self.folder / "before"
        shutil.rmtree(saved, ignore_errors=True)
        saved.mkdir()
        for name in PRIVATE:
            _copy(self.home / name, saved / name)

    def restore_private(self) -> None:
        """Bring back what `save_private` kept."""
        for name in (*PRIVATE, "warehouse.duckdb.wal"):
            path = self.home / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
            _copy(self.folder / "before" / name, path)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target)


def undisturbed_night(home: Home, night: date, arguments: Sequence[str] | None = None) -> dict:
    """Deliver and run a night that nothing disturbs: {"night", "seconds", "steps": [[name, begin, end]],
    "file_operations", "state"}. Ends the campaign when it fails."""
    home.shop.deliver(night)
    counted = home.folder / "file_operations"
    counted.unlink(missing_ok=True)
    job = home.start(night, lambda: kills.counter(home.home, counted), arguments)
    begins: dict[str, float] = {}
    ends: dict[str, float] = {}
    while job.poll() is None:
        for edge, step in job.steps():
            (begins if edge == "start" else ends).setdefault(step, time.monotonic() - job.started)
        time.sleep(0.01)
    if job.code:
        raise SystemExit(f"the undisturbed run of {night} failed:\n{job.said()[-4000:]}")
    return {
        "event": "undisturbed",
        "night": str(night),
        "seconds": time.monotonic() - job.started,
        "steps": [[step, begins[step], ends.get(step, begins[step])] for step in begins],
        "file_operations": int(counted.read_text() or 0),
        "state": {"published": home.published(), "kept": home.kept()},
    }


@contextmanager
def readers(home: Path, results: Path, part: int) -> Iterator[None]:
    """Two readers of a home for as long as the block runs: one opens again for each look, one holds its connection over
    a publish. Their counts are `reader-<part>-<name>.json` in `results`."""
    started = [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.chaos.readers",
                str(home),
                str(results / f"reader-{part}-{name}.json"),
                "--hold",
                str(hold),
            ],
        )
        for name, hold in (("reopening", 0), ("holding", 12))
    ]
    try:
        yield
    finally:
        for reader in started:
            reader.send_signal(signal.SIGTERM)
        for reader in started:
            reader.wait(60)
