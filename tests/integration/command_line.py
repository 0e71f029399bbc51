"""The command line as a user runs it, and the published set as a BI tool reads it."""

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import duckdb

from pipelines.cli import main

#: Every public table.
MARTS = [
    "action_verdicts",
    "campaign_outcomes",
    "churn_scores",
    "cohort_retention",
    "contact_funnel",
    "customer_360",
    "customer_segments",
    "data_quality",
    "experiment_balance",
    "experiment_purity",
    "holdout_ledger",
    "loyalty_tiers",
    "metric_definitions",
    "model_calibration",
    "model_drift",
    "model_monitor",
    "model_performance",
    "model_selection",
    "movement_alerts",
    "partial_churn",
    "plan_limits",
    "profit_curve",
    "referrals",
    "retention_actions",
    "retention_decisions",
    "retention_kpis",
    "retention_kpis_levels",
    "retention_kpis_total",
    "run_manifest",
    "segment_names",
    "segment_thresholds",
    "stage_transitions",
    "survey_attributes",
    "survey_months",
    "tenure_watershed",
    "unreachable_customers",
    "value_performance",
]

#: Columns that name the run or the clock: everything else must be the same in every run of a date.
OF_THE_RUN = {"run_id", "started_at", "checked_at", "decided_at", "loaded_at", "released_at", "stages"}


def holdfast(home: Path, *arguments: str, timeout: int = 400) -> subprocess.CompletedProcess:
    """Run `holdfast` with `home` as its home, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "pipelines.cli", *arguments],
        env={**os.environ, "HOLDFAST_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def called(home: Path, *arguments: str) -> subprocess.CompletedProcess:
    """The same in this process, which has paid for the heavy imports already."""
    before = dict(os.environ)
    os.environ["HOLDFAST_HOME"] = str(home)
    said, warned = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(warned):
            code = main(arguments)
    finally:
        os.environ.clear()
        os.environ.update(before)
        sys.stderr.write(warned.getvalue())
    return subprocess.CompletedProcess(arguments, code, said.getvalue(), warned.getvalue())


def ran(home: Path, *arguments: str) -> str:
    """Run `holdfast run` in this process and insist that it succeeded. Returns what it printed for the user."""
    done = called(home, "run", *arguments)
    assert done.returncode == 0, "see the captured stderr"
    return done.stdout


def published(home: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(home / "published" / "holdfast.duckdb"), read_only=True)


def tables(con: duckdb.DuckDBPyConnection, schema: str = "marts") -> list[str]:
    return [
        row[0]
        for row in con.execute(
            "select table_name from information_schema.tables where table_schema = ? order by 1", [schema]
        ).fetchall()
    ]


def rows(con: duckdb.DuckDBPyConnection, table: str, without: set[str] = OF_THE_RUN) -> list[tuple]:
    """All rows of `schema.table` but for the columns of the run, in an order of their own content."""
    columns = [c[0] for c in con.execute(f"describe {table}").fetchall() if c[0] not in without]
    return con.execute(f"select {', '.join(columns)} from {table} order by all").fetchall()


def contents(home: Path, schema: str = "marts") -> dict[str, list[tuple]]:
    """Every published table of a schema with its rows."""
    with published(home) as con:
        return {table: rows(con, f"{schema}.{table}") for table in tables(con, schema)}
