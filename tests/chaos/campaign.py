"""`make chaos`: the nightly job of a small shop, killed hundreds of times while two BI readers never stop.

In: a folder, a number of kills, a seed. Out: `docs/chaos.md` with the counts, exit code 1 when anything was found.

For each night the source gets its delivery. Then the job is started and killed, the published set is looked at, and the
job is started again and must succeed without anybody's help. The next kill of the same night begins from a copy of what
lay next to the published set before that night, so that every kill meets work that is really to be done. After each
success everything must be what an undisturbed home holds after the same night.

A campaign that was interrupted goes on where it stopped when it is started again with the same folder and seed.
"""

import argparse
import os
import random
import sys
import time
from contextlib import ExitStack
from datetime import date
from pathlib import Path

from tests.chaos import business, faults, jobs, kills, report, state
from tests.chaos.homes import Home, Journal, readers, undisturbed_night


def main(argv: list[str] | None = None) -> int:
    """Run the campaign. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nights", type=int, help="default: one for every six kills, at least two")
    parser.add_argument("--folder", type=Path, default=Path("data/chaos"), help="where everything happens")
    parser.add_argument("--report", type=Path, default=Path("docs/chaos.md"))
    parser.add_argument("--parts", type=int, default=1, help="campaigns of kills side by side, each with its share")
    parser.add_argument("--only", choices=("kills", "faults"), help="one half of the campaign")
    parser.add_argument("--fault", action="append", help="only faults whose name contains this")
    arguments = parser.parse_args(argv)
    folder = arguments.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    jobs.import_everything_heavy()
    if arguments.only != "faults":
        _run_kills(folder, arguments.kills, arguments.seed, arguments.nights, arguments.parts)
    if arguments.only != "kills":
        faults.run_all(folder / "faults", arguments.fault or [])
    text, violations = report.render(folder)
    arguments.report.parent.mkdir(parents=True, exist_ok=True)
    arguments.report.write_text(text)
    print(text)
    return 1 if violations else 0


def _run_kills(folder: Path, n_kills: int, seed: int, n_nights: int | None, n_parts: int) -> None:
    """The kills in `n_parts` campaigns side by side, each with homes, readers and a seed of its own."""
    shares = [n_kills // n_parts + (part < n_kills % n_parts) for part in range(n_parts)]
    campaigns = [
        Campaign(folder / f"kills-{part + 1}", share, seed + part, n_nights) for part, share in enumerate(shares)
    ]
    children = []
    for campaign in campaigns[1:]:
        pid = os.fork()
        if not pid:
            code = 1
            try:
                campaign.run()
                code = 0
            finally:
                os._exit(code)
        children.append(pid)
    campaigns[0].run()
    codes = [os.waitpid(pid, 0)[1] for pid in children]
    if any(codes):
        raise SystemExit("a campaign of kills broke off; its words are above")


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
        with ExitStack() as reading:
            for n, night in enumerate(self.victim.shop.nights):
                key = str(night)
                if key not in expected:
                    expected[key] = undisturbed_night(self.undisturbed, night)
                    self.journal.add(**expected[key])
                timing = kills.Timing(
                    tuple(tuple(step) for step in expected[key]["steps"]),
                    expected[key]["seconds"],
                    expected[key]["file_operations"],
                )
                if n == 1:  # from the first published set on
                    reading.enter_context(readers(self.victim.home, self.folder, len(entries)))
                if key not in finished:
                    self._night(night, expected, quotas[n], timing, killed.count(key))
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
        number, chains = already, nights.index(night)
        while number < quota:
            if number:
                victim.restore_private()
            # The run that should repair is often killed as well, and the one after it: one, two, three in a row.
            in_a_row = min((1, 2, 3)[chains % 3], quota - number)
            chains, done = chains + 1, 0
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
        died = kills.carry_out(plan, job, timing, fresh_start_seconds=5)
        self.journal.add(
            event="killed" if died else "ended first",
            night=str(night),
            kind=plan.kind,
            plan=str(plan),
            where=job.where(),
            code=job.code,
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

    def _compare_at_the_end(self) -> None:
        """Row by row, both ways, the two published sets."""
        words = jobs.in_a_fork(lambda: state.row_differences(self.undisturbed.home, self.victim.home))
        self.journal.add(event="compared", tables=words["tables"], rows=words["rows"])
        for difference in words["differences"]:
            self.violation(self.victim.shop.nights[-1], f"at the end, {difference}")


if __name__ == "__main__":
    sys.exit(main())
