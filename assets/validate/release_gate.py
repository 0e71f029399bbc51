"""The whole validation of a run: suites, reconciliations, manifest and verdict, written as tables.

In: a finished set of marts in the working warehouse. Out: rows in validate.check_results, validate.run_manifest and
validate.verdicts of this date. Publishing does not belong here: it reads the verdict.
"""

import json
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from importlib import metadata
from typing import Any

import duckdb

from assets.shared import warehouse
from assets.shared.params import Params
from assets.shared.settings import Settings
from assets.shared.tables import tables_of
from assets.shared.warehouse import ensure_tables, fetch_row
from assets.validate.checks import CheckResult, as_rows, check_suites, write_rows
from assets.validate.deliveries import delivery_rules
from assets.validate.failed_rows import with_failed_keys
from assets.validate.ids import alias_rules, ids_go_on
from assets.validate.page import page
from assets.validate.reconciliations import Reconciliation, complete_marts, reconciliations, run_reconciliations
from assets.validate.release_bounds import check_release, earlier_releases, figures_of, model_age
from assets.validate.stage_costs import with_validation
from assets.validate.verdict import Verdict, decide_verdict

#: Marts that show the results of the checks themselves, and are checked when those are written.
SELF_DESCRIBING = ("data_quality", "run_manifest")
OWN_TABLES = tuple(f"marts.{mart}" for mart in SELF_DESCRIBING)

LIBRARIES = (
    "holdfast",
    "duckdb",
    "dbt-core",
    "dbt-duckdb",
    "dagster",
    "great-expectations",
    "scikit-learn",
    "pandas",
    "numpy",
    "pyarrow",
    "skops",
)


@dataclass(frozen=True)
class Validation:
    """All results of a run and what follows from them."""

    results: tuple[CheckResult, ...]
    verdict: Verdict
    #: What a person reads when the verdict is no, in Markdown; None when it is yes.
    page: str | None = None


def validate_run(
    settings: Settings,
    as_of_date: date,
    run_id: str,
    params: Params,
    started_at: datetime,
    code_version: str = "",
    keys: Mapping[str, Sequence[str]] | None = None,
    costs: Callable[[duckdb.DuckDBPyConnection], list[dict[str, Any]]] = lambda _: [],
) -> Validation:
    """Check everything that run `run_id` made as of `as_of_date`, write the three tables and return the results.

    Never raises for a failing check: the verdict says so. `started_at` is the run's start in UTC, `keys` the key
    columns of tables (`schema.table`) by which failing rows are named, `costs` says what each stage
    cost. The two marts that show these very results are checked after the results are written, and their own results
    are added.
    """
    run_values = _run_values(as_of_date, run_id, params)
    began = time.perf_counter()
    with warehouse.connect(settings) as con:
        ensure_tables(con, tables_of("validate"))
        # A verdict on what an earlier run left for this date must not outlive the start of a new validation.
        write_rows(con, "validate.verdicts", as_of_date, [])
        marts = _marts(con)
        data_marts = [mart for mart in marts if mart not in SELF_DESCRIBING]

        results = run_reconciliations(con, _rules(as_of_date, params))
        results += run_reconciliations(con, [complete_marts(as_of_date, run_id, data_marts)])
        results += check_suites(con, run_values, without=OWN_TABLES)
        results += _compare_releases(con, settings, as_of_date, params, data_marts)
        results = with_failed_keys(con, results, run_values, keys or {})
        first_verdict = decide_verdict(results)
        stages = with_validation(costs(con), time.perf_counter() - began, len(results))
        manifest = _manifest(con, as_of_date, run_id, params, started_at, code_version, marts, stages, first_verdict)
        write_rows(con, "validate.check_results", as_of_date, as_rows(results, as_of_date, run_id, _now()))
        write_rows(con, "validate.run_manifest", as_of_date, [manifest])

        last = check_suites(con, run_values, tables=OWN_TABLES)
        self_describing = [mart for mart in marts if mart in SELF_DESCRIBING]
        last += [
            replace(result, rule="one_date_one_run_of_results")
            for result in run_reconciliations(con, [complete_marts(as_of_date, run_id, self_describing)])
        ]
        last = with_failed_keys(con, last, run_values, keys or {})
        results += last
        verdict = decide_verdict(results)
        words = None if verdict.passed else page(as_of_date, run_id, verdict, results, params.ingest_knowledge_time)
        write_rows(con, "validate.check_results", as_of_date, as_rows(last, as_of_date, run_id, _now()), replace=False)
        manifest = _manifest(con, as_of_date, run_id, params, started_at, code_version, marts, stages, verdict)
        write_rows(con, "validate.run_manifest", as_of_date, [manifest])
        write_rows(
            con,
            "validate.verdicts",
            as_of_date,
            [{"as_of_date": as_of_date, "run_id": run_id, "decided_at": _now(), "page": words, **vars(verdict)}],
        )
    return Validation(tuple(results), verdict, words)


def check_tables(
    settings: Settings,
    as_of_date: date,
    run_id: str,
    params: Params,
    tables: Collection[str],
    keys: Mapping[str, Sequence[str]] | None = None,
) -> list[CheckResult]:
    """What every rule about `tables` finds in them now, for a stage that runs alone. Writes and decides nothing. The
    marts that show results are left out: only a validation fills them."""
    wanted = set(tables) - set(OWN_TABLES)
    run_values = _run_values(as_of_date, run_id, params)
    with warehouse.connect(settings) as con:
        rules = [rule for rule in _rules(as_of_date, params) if rule.table in wanted]
        results = run_reconciliations(con, rules) + check_suites(con, run_values, tables=wanted)
        if any(table.startswith("marts.") for table in wanted):
            data_marts = [mart for mart in _marts(con) if mart not in SELF_DESCRIBING]
            compared = _compare_releases(con, settings, as_of_date, params, data_marts)
            results += [result for result in compared if result.table_name in wanted]
        return with_failed_keys(con, results, run_values, keys or {})


def _rules(as_of_date: date, params: Params) -> list[Reconciliation]:
    return [
        *reconciliations(as_of_date, params),
        *delivery_rules(as_of_date, params),
        *alias_rules(as_of_date, params),
        ids_go_on(as_of_date, params),
    ]


def _run_values(as_of_date: date, run_id: str, params: Params) -> dict[str, Any]:
    return {**params.model_dump(), "as_of_date": as_of_date, "run_id": run_id}


def _compare_releases(
    con: duckdb.DuckDBPyConnection, settings: Settings, as_of_date: date, params: Params, marts: Sequence[str]
) -> list[CheckResult]:
    return [
        model_age(con, as_of_date, params),
        *check_release(
            figures_of(con, params), _rows(con, marts), earlier_releases(con, settings, as_of_date, params), params
        ),
    ]


def _marts(con: duckdb.DuckDBPyConnection) -> list[str]:
    rows = con.execute(
        "select table_name from information_schema.tables"
        " where table_catalog = current_database() and table_schema = 'marts' order by table_name"
    ).fetchall()
    return [name for (name,) in rows]


def _rows(con: duckdb.DuckDBPyConnection, marts: Sequence[str]) -> dict[str, int]:
    return {mart: warehouse.count_rows(con, f"marts.{mart}") for mart in marts}


def _manifest(
    con,
    as_of_date: date,
    run_id: str,
    params: Params,
    started_at: datetime,
    code_version: str,
    marts: list[str],
    stages: list[dict[str, Any]],
    verdict: Verdict,
) -> dict[str, Any]:
    batches = _first_row(
        con,
        "select sum(rows_in), sum(rows_accepted), sum(rows_quarantined), sum(rows_left_out) from ingest.batches",
        (None, None, None, None),
    )
    # Names, not the settings' entries: those may be paths of this machine.
    sources = _first_row(con, "select string_agg(distinct source, ', ' order by source) from ingest.batches", (None,))
    models = _first_row(
        con, "select string_agg(distinct model_version, ', ' order by model_version) from score.churn_scores", (None,)
    )
    return {
        "as_of_date": as_of_date,
        "run_id": run_id,
        "started_at": _naive_utc(started_at),
        "sources": sources[0],
        "parameters": json.dumps(params.model_dump(), sort_keys=True),
        "versions": json.dumps(_versions(), sort_keys=True),
        "model_version": models[0],
        "rows_in": batches[0] or 0,
        "rows_accepted": batches[1] or 0,
        "rows_quarantined": batches[2] or 0,
        "rows_left_out": batches[3] or 0,
        "table_rows": json.dumps(_rows(con, marts)),
        "stages": json.dumps(stages),
        "release_figures": figures.to_json() if (figures := figures_of(con, params)) else None,
        "verdict": "passed" if verdict.passed else "failed",
        "verdict_reason": verdict.reason,
        "code_version": code_version,
    }


def _first_row(con: duckdb.DuckDBPyConnection, sql: str, when_missing: tuple) -> tuple:
    try:
        return fetch_row(con, sql)
    except duckdb.CatalogException:
        return when_missing


def _versions() -> dict[str, str]:
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _naive_utc(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(tzinfo=None) if at.tzinfo else at
