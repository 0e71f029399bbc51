"""`make chaos`: the nightly job of a small shop, killed hundreds of times while two BI readers never stop.

In: a folder, a number of kills, a seed. Out: `docs/chaos.md` with the counts, exit code 1 when anything was found.

For each night the source gets its delivery. Then the job is started and killed, the published set is looked at, and the
job is started again and must succeed without anybody's help. The next kill of the same night begins from a copy of what
lay beside the published set before that night, so that every kill meets work that is really to be done. After each
success everything must be what an undisturbed home holds after the same night.

A campaign that was interrupted goes on where it stopped when it is started again with the same folder and seed.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path

from tests.chaos import business, faults, jobs, kills, report, state

#: Of the home, what a night may change beside the published set and Dagster's and dbt's own books.
PRIVATE = ("raw", "quarantine", "ledgers", "models", "warehouse.duckdb")


def main(argv: list[str] | None = None) -> int:
    """Run the campaign. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nights", type=int, help="default: one for every six kills, at least two")
    parser.add_argument("--folder", type=Path, default=Path("data/chaos"), help="where everything happens")
    parser.add_argument("--report", type=Path, default=Path("docs/chaos.md"))
    parser.add_argument("--only", choices=("kills", "faults"), help="one half of the campaign")
    parser.add_argument("--fault", action="append", help="only faults whose name contains this")
    arguments = parser.parse_args(argv)
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    jobs.import_everything_heavy()
    if arguments.only != "faults":
        Campaign(folder / "kills", arguments.kills, arguments.seed, arguments.nights).run()
    if arguments.only != "kills":
        faults.run_all(folder / "faults", arguments.fault or [])
    text, violations = report.render(folder)
    arguments.report.parent.mkdir(parents=True, exist_ok=True)
    arguments.report.write_text(text)
    print(text)
    return 1 if violations else 0


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
        return ["run", "--source", str(self.shop.yaml), "--as-of", str(night)]

    def start(self, night: date, in_child=lambda: None) -> jobs.Job:
        return jobs.forked(self.arguments(night), self.environment, self.log, in_child)

    def published(self) -> dict | None:
        return jobs.in_a_fork(lambda: state.published_state(self.home))

    def kept(self) -> dict:
        return jobs.in_a_fork(lambda: state.kept_state(self.home))

    def save_private(self) -> None:
        """Keep what lies beside the published set now."""
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


class Campaign:
    """The kills. Everything it knows is in its folder."""

    def __init__(self, folder: Path, n_kills: int, seed: int, n_nights: int | None):
        self.folder, self.n_kills, self.seed = folder, n_kills, seed
        self.n_nights = min(n_nights or max(2, n_kills // 6), business.MOST_NIGHTS)
        folder.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(folder / "journal.jsonl")
        self.undisturbed = Home(folder / "undisturbed", self.n_nights)
        self.victim = Home(folder / "victim", self.n_nights)

    def run(self) -> None:
        """Run, or go on with, the campaign."""
        entries = self.journal.read()
        if not entries:
            self.journal.add(event="begin", kills=self.n_kills, seed=self.seed, nights=self.n_nights, at=time.time())
        elif (entries[0]["seed"], entries[0]["kills"]) != (self.seed, self.n_kills):
            raise SystemExit(f"{self.folder} holds another campaign ({entries[0]}); give another --folder")
        killed = [e["night"] for e in entries if e["event"] == "killed"]
        finished = {e["night"] for e in entries if e["event"] == "night over"}
        expected = {e["night"]: e for e in entries if e["event"] == "undisturbed"}
        quotas = self._kills_a_night()
        readers: list[subprocess.Popen] = []
        timing = None
        try:
            for n, night in enumerate(self.victim.shop.nights):
                key = str(night)
                if key not in expected:
                    expected[key] = self._undisturbed(night)
                timing = kills.Timing(
                    tuple(tuple(step) for step in expected[key]["steps"]),
                    expected[key]["seconds"], expected[key]["file_operations"],
                )
                if key in finished:
                    continue
                if not readers and n:
                    readers = self._readers(len(entries))
                self._night(night, expected, quotas[n], timing, killed.count(key))
                if not readers:
                    readers = self._readers(len(entries))
        finally:
            for reader in readers:
                reader.send_signal(signal.SIGTERM)
            for reader in readers:
                reader.wait(60)
        self._compare_at_the_end()
        self.journal.add(event="end", at=time.time())

    def _kills_a_night(self) -> list[int]:
        """Kills for each night: the first and the night of the new model, which do most work, get twice a share."""
        nights = self.victim.shop.nights
        weights = [2 if n == 0 or night == business.NEW_MONTH else 1 for n, night in enumerate(nights)]
        shares = [self.n_kills * w // sum(weights) for w in weights]
        for n in range(self.n_kills - sum(shares)):
            shares[n % len(shares)] += 1
        return shares

    def _undisturbed(self, night: date) -> dict:
        """The night in a home that nothing disturbs: what must be there afterwards, and when each step ran."""
        home = self.undisturbed
        home.shop.deliver(night)
        counted = home.folder / "file_operations"
        counted.unlink(missing_ok=True)
        job = home.start(night, lambda: kills.counter(home.home, counted))
        begins: dict[str, float] = {}
        ends: dict[str, float] = {}
        while job.poll() is None:
            for edge, step in job.steps():
                (begins if edge == "start" else ends).setdefault(step, time.monotonic() - job.started)
            time.sleep(0.01)
        if job.code:
            raise SystemExit(f"the undisturbed run of {night} failed:\n{job.said()[-4000:]}")
        entry = {
            "event": "undisturbed", "night": str(night), "seconds": time.monotonic() - job.started,
            "steps": [[step, begins[step], ends.get(step, begins[step])] for step in begins],
            "file_operations": int(counted.read_text() or 0),
            "state": {"published": home.published(), "kept": home.kept()},
        }
        self.journal.add(**entry)
        return entry

    def _night(self, night: date, expected: dict, quota: int, timing: kills.Timing, already: int) -> None:
        """All kills of one night, each followed by a success."""
        victim, nights = self.victim, self.victim.shop.nights
        after = expected[str(night)]["state"]
        n = nights.index(night)
        before = expected[str(nights[n - 1])]["state"]["published"] if n else None
        victim.shop.deliver(night)
        saved = victim.folder / f"saved-{night}"
        if not saved.exists():
            victim.save_private()
            saved.touch()
        plan_of_night = kills.plans(random.Random(f"{self.seed} {night}").randrange(2**32), timing)
        allowed = [before, after["published"]]
        number = already
        while number < quota:
            if number:
                victim.restore_private()
            # Every third time the run that should repair is killed as well.
            in_a_row = 2 if number % 4 == 2 and number + 2 <= quota else 1
            done = 0
            while done < in_a_row:
                plan = next(plan_of_night)
                if self._kill(night, plan, timing):
                    self._look(night, allowed, plan)
                    done += 1
                else:  # it was quicker than its killer: a success, and another plan
                    self._recovered(night, after, None, restored=False)
                    victim.restore_private()
                    allowed = [after["published"]]
            self._recovered(night, after, victim.start(night), restored=number > 0)
            allowed = [after["published"]]
            number += done
        if not quota:
            self._recovered(night, after, victim.start(night), restored=False)
        saved.unlink(missing_ok=True)
        self.journal.add(event="night over", night=str(night))

    def _kill(self, night: date, plan: kills.Plan, timing: kills.Timing) -> bool:
        victim = self.victim
        if plan.kind == "fresh start":
            job = jobs.fresh(victim.arguments(night), victim.environment, victim.log)
        elif plan.kind == "file operation":
            job = victim.start(night, lambda: kills.trap(victim.home, int(plan.at)))
        else:
            job = victim.start(night)
        died = kills.carry_out(plan, job, timing, fresh_start_seconds=8)
        self.journal.add(
            event="killed" if died else "ended first", night=str(night), kind=plan.kind, plan=str(plan),
            where=job.where(), code=job.code,
            words="" if died or not job.code else job.said()[-3000:],
        )
        if not died and job.code:
            self.violation(night, f"a run that was not killed ({plan}) failed: {job.said()[-2000:]}")
        return died

    def _look(self, night: date, allowed: list, plan: kills.Plan) -> None:
        """Right after a kill: the published set is readable, whole, of one run, and either the old or the new."""
        try:
            found = self.victim.published()
        except RuntimeError as error:
            self.violation(night, f"after {plan} the published set is unreadable or mixed: {str(error)[-1500:]}")
            return
        # `None` as the old state: nothing was published before the first night.
        if found not in allowed:
            words = state.differences(found, allowed[-1])
            self.violation(night, f"after {plan} the published set is neither the old nor the new: {words[:5]}")

    def _recovered(self, night: date, after: dict, job: jobs.Job | None, restored: bool) -> None:
        """The next run succeeds by itself and leaves what an undisturbed home has."""
        if job is not None and job.wait():
            self.violation(night, f"the run after a kill failed: {job.said()[-3000:]}")
            return
        words = state.differences(self.victim.published(), after["published"])
        words += state.differences(self.victim.kept(), after["kept"])
        if words:
            self.violation(night, f"not what an undisturbed run leaves: {words[:6]}")
        left = state.leftovers(self.victim.home)
        if left:
            self.violation(night, f"files of dead runs stay behind: {left[:6]}")
        if job is not None:
            self.journal.add(event="recovered", night=str(night), differences=len(words), restored=restored)

    def violation(self, night: date, words: str) -> None:
        self.journal.add(event="violation", night=str(night), words=words)

    def _readers(self, part: int) -> list[subprocess.Popen]:
        """Two readers of the victim: one opens anew for each look, one holds its connection over a publish."""
        return [
            subprocess.Popen(
                [sys.executable, "-m", "tests.chaos.readers", str(self.victim.home),
                 str(self.folder / f"reader-{part}-{name}.json"), "--hold", str(hold)],
            )
            for name, hold in (("reopening", 0), ("holding", 12))
        ]

    def _compare_at_the_end(self) -> None:
        """Row by row, both ways, the two published sets."""
        words = jobs.in_a_fork(lambda: row_differences(self.undisturbed.home, self.victim.home))
        self.journal.add(event="compared", tables=words["tables"], rows=words["rows"])
        for difference in words["differences"]:
            self.violation(self.victim.shop.nights[-1], f"at the end, {difference}")


def row_differences(one: Path, other: Path) -> dict:
    """`except all` both ways over every published table: {"tables": n, "rows": n, "differences": [words]}."""
    import duckdb

    from tests.integration.command_line import OF_THE_RUN

    con = duckdb.connect(config={"threads": 1})
    for name, home in (("one", one), ("other", other)):
        con.execute(f"attach '{home / 'published' / 'holdfast.duckdb'}' as {name} (read_only)")
    found: dict = {"tables": 0, "rows": 0, "differences": []}
    names = con.execute(
        "select database_name, schema_name, table_name from (select database_name, schema_name, table_name from"
        " duckdb_tables() union all select database_name, schema_name, view_name from duckdb_views() where not internal)"
        " where schema_name in ('marts', 'history')"
    ).fetchall()
    both = Counter((schema, table) for _, schema, table in names)
    for (schema, table), n in sorted(both.items()):
        if n != 2:
            found["differences"].append(f"{schema}.{table} is in one home only")
            continue
        relation = f"{schema}.{table}"
        columns = ", ".join(
            f'"{row[0]}"' for row in con.execute(f"describe select * from one.{relation}").fetchall()
            if row[0] not in OF_THE_RUN
        )
        found["tables"] += 1
        found["rows"] += con.execute(f"select count(*) from one.{relation}").fetchone()[0]
        for a, b in (("one", "other"), ("other", "one")):
            only = con.execute(
                f"select {columns} from {a}.{relation} except all select {columns} from {b}.{relation} limit 3"
            ).fetchall()
            if only:
                found["differences"].append(f"{relation}: rows of {a} alone: {str(only)[:600]}")
    con.close()
    return found


if __name__ == "__main__":
    sys.exit(main())
