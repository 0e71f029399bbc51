"""Progress of a run in words a person reads while waiting: one line a stage with its seconds; in detail one a table.

In: Dagster's own event stream (this is a Dagster logger, so it serves the terminal and the UI's log alike).
Out: lines on stderr.
"""

import logging
import time
from typing import Any, NamedTuple

import dagster as dg
from dagster import DagsterEventType

from pipelines.log_lines import Level, say

#: Rows and seconds of one stage are worth a line; the many single checks that pass are not.
_TABLE_EVENT = DagsterEventType.ASSET_MATERIALIZATION


def last_seconds(instance: dg.DagsterInstance, job: str) -> dict[str, float]:
    """Seconds by step of the newest run of `job` that succeeded: what the next one will take, more or less."""
    done = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS])
    for run in instance.get_runs(done, limit=1):
        return {
            stats.step_key: stats.end_time - stats.start_time
            for stats in instance.get_run_step_stats(run.run_id)
            if stats.start_time and stats.end_time
        }
    return {}


class _Line(NamedTuple):
    """A line for a person, with what a program wants to know of it."""

    words: str
    level: Level = "info"
    fields: dict[str, Any] = {}


class _Progress(logging.Handler):
    def __init__(self, expected: dict[str, float], verbose: bool) -> None:
        super().__init__()
        self._expected = expected
        self._verbose = verbose
        self._run_started: dict[str, float] = {}
        self._step_started: dict[tuple[str, str], float] = {}
        self._n_steps: dict[str, int] = {}
        self._n_tables: dict[tuple[str, str], int] = {}

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self._line(record)
        except Exception:  # a progress line must never break a run
            self.handleError(record)
            return
        if line:
            say(line.words, line.level, **line.fields)

    def _line(self, record: logging.LogRecord) -> _Line | None:
        meta = getattr(record, "dagster_meta", {})
        run_id = meta.get("run_id") or ""
        event = getattr(record, "dagster_event", None)
        if event is None:
            if record.levelno < logging.INFO:
                return None
            words = record.getMessage().split(" - ")[-1] if meta.get("run_id") else record.getMessage()
            words = meta.get("orig_message") or words
            if words.startswith("Dependencies for step"):
                return None  # a list of what could not start; the step that failed says why
            prefix = "" if record.levelno < logging.WARNING else f"{record.levelname.lower()}: "
            return _Line(f"    {prefix}{words}", _level(record.levelno))
        step = event.step_key or ""
        started = self._run_started.setdefault(run_id, time.monotonic())
        elapsed = time.monotonic() - started
        if event.event_type == DagsterEventType.STEP_START:
            self._step_started[run_id, step] = time.monotonic()
            self._n_steps[run_id] = self._n_steps.get(run_id, 0) + 1
            return _Line(
                f"[{elapsed:5.1f} s] {self._n_steps[run_id]}. {step} …{self._estimate(run_id)}",
                fields={"event": "step_start", "step": step, "run_id": run_id},
            )
        if event.event_type == _TABLE_EVENT:
            materialization = event.step_materialization_data.materialization
            self._n_tables[run_id, step] = self._n_tables.get((run_id, step), 0) + 1
            if not self._verbose:
                return None
            rows = materialization.metadata.get("dagster/row_count")
            counted = f"{rows.value:>12,} rows" if rows is not None else ""
            table = ".".join(materialization.asset_key.path)
            return _Line(
                f"            {table:<38}{counted}".rstrip(),
                fields={"event": "table", "table": table, "rows": None if rows is None else rows.value},
            )
        if event.event_type == DagsterEventType.STEP_SUCCESS:
            took = time.monotonic() - self._step_started.get((run_id, step), started)
            n_tables = self._n_tables.get((run_id, step), 0)
            tables = f", {n_tables} tables" if n_tables > 1 else ""
            return _Line(
                f"[{elapsed:5.1f} s]    {step} done in {took:.1f} s{tables}",
                fields={"event": "step_done", "step": step, "run_id": run_id, "seconds": round(took, 2)},
            )
        if event.event_type == DagsterEventType.ASSET_CHECK_EVALUATION:
            check = event.asset_check_evaluation_data
            if check.passed:
                return None
            table = ".".join(check.asset_key.path)
            return _Line(
                f"    check {check.check_name} on {table} failed: {check.description or 'it says no more'}",
                "error" if check.severity == dg.AssetCheckSeverity.ERROR else "warning",
                {"event": "check_failed", "check": check.check_name, "table": table},
            )
        if event.event_type == DagsterEventType.STEP_FAILURE:
            fields = {"event": "step_failed", "step": step, "run_id": run_id}
            return _Line(f"[{elapsed:5.1f} s]    {step} failed", "error", fields)
        return None

    def _estimate(self, run_id: str) -> str:
        """What is left by the times of the last run: of this step, and of this step with all that follow."""
        started = [step for run, step in self._step_started if run == run_id]
        step = started[-1]
        if step not in self._expected:
            return ""
        left = sum(seconds for name, seconds in self._expected.items() if name not in started[:-1])
        return f" (last time {self._expected[step]:.0f} s; about {left:.0f} s left in all)"


def _level(number: int) -> Level:
    return "error" if number >= logging.ERROR else "warning" if number >= logging.WARNING else "info"


@dg.logger(
    description="One line a stage with its seconds; verbose: one a table with its rows too.",
    config_schema={
        "expected": dg.Field(dict, default_value={}, description="Seconds by step of the last run."),
        "verbose": dg.Field(bool, default_value=False, description="A line for each table too."),
    },
)
def progress_logger(context: dg.InitLoggerContext) -> logging.Logger:
    log = logging.getLogger("holdfast.progress")
    log.setLevel(logging.DEBUG)  # Dagster's own events come at this level
    log.propagate = False
    log.handlers = [_Progress(context.logger_config["expected"], context.logger_config["verbose"])]
    return log
