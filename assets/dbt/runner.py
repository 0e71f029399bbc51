"""dbt in this process: one import and one parse serve every invocation of a run.

In: settings, params, the parsed manifest and a selection. Out: one `NodeResult` per model, seed and test.
A dbt process costs seconds of start-up and, because the run's vars change every night, a full re-parse each
time; the library's own `dbtRunner` with a parsed manifest pays neither. Dagster does not belong here (`defs`).
"""

import json
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from assets.shared.errors import UserError
from assets.shared.params import DBT_PROJECT_DIR, RUN_VARS, Params
from assets.shared.settings import Settings
from assets.shared.warehouse import engine_settings, is_out_of_space, out_of_memory


@dataclass(frozen=True)
class NodeResult:
    """What became of one dbt node. `seconds` is execution time; `failures` counts rows of a failing test."""

    unique_id: str
    status: str
    seconds: float
    message: str
    failures: int | None

    @property
    def is_test(self) -> bool:
        return self.unique_id.startswith("test.")

    @property
    def ok(self) -> bool:
        return self.status in {"success", "pass", "warn", "skipped"}


@contextmanager
def _environment(settings: Settings) -> Iterator[None]:
    """The variables that `profiles.yml` reads, set for the time of one invocation."""
    wanted = {
        "HOLDFAST_WAREHOUSE": str(settings.warehouse),
        "HOLDFAST_ENGINE_SETTINGS": json.dumps(engine_settings(settings)),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def invoke_dbt(
    settings: Settings,
    args: Sequence[str],
    manifest: Any = None,
    callbacks: list[Callable] | None = None,
    target: str = "duckdb",
) -> Any:
    """Run one dbt command in this process and release the warehouse. Returns dbt's own result object.

    `manifest` is a parsed dbt `Manifest`; without it dbt parses (partially, from its cache in the home folder).
    `target`: an output of `profiles.yml`; each has a cache of its own.
    Raises UserError when dbt itself cannot run (a broken model file, an unreadable profile).
    """
    from dbt.cli.main import dbtRunner

    folder = settings.dbt_target if target == "duckdb" else settings.dbt_target / target
    full = [
        "--quiet",
        "--no-use-colors",
        "--log-level-file",
        "info",
        *args,
        "--project-dir",
        str(DBT_PROJECT_DIR),
        "--profiles-dir",
        str(DBT_PROJECT_DIR),
        "--target",
        target,
        "--target-path",
        str(folder),
        "--log-path",
        str(folder),
    ]
    with _environment(settings):
        try:
            result = dbtRunner(manifest=manifest, callbacks=callbacks or []).invoke(full)
        finally:
            if target == "duckdb":
                _release_warehouse()
    if result.exception is not None:
        if is_out_of_space(str(result.exception)):
            raise out_of_memory(settings, str(result.exception))
        raise UserError(
            f"dbt {args[0]} failed: {result.exception}",
            f"correct the file it names; details in {folder}/dbt.log",
        )
    return result


def _release_warehouse() -> None:
    """dbt-duckdb keeps the file open for the process; the next step must be able to open it."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()


def dbt_vars(params: Params, as_of: str, run_id: str, train_cutoff_dates: Sequence[str]) -> dict[str, Any]:
    """The vars of one run: every business parameter and the run's own context, and nothing else."""
    run_context = {"as_of_date": as_of, "run_id": run_id, "train_cutoff_dates": ",".join(train_cutoff_dates)}
    assert set(run_context) == set(RUN_VARS)
    return {**params.model_dump(), **run_context}


#: The tag of the nodes of one build, in memory only.
SELECTED = "holdfast_selected"


@contextmanager
def tagged(manifest: Any, unique_ids: Collection[str]) -> Iterator[str]:
    """A selector of exactly these nodes, for as long as the block runs. dbt compares each of its selectors with each
    node of the project: several hundred names would take seconds, one tag takes none."""
    nodes = [manifest.nodes[unique_id] for unique_id in unique_ids]
    for node in nodes:
        node.tags.append(SELECTED)
    try:
        yield f"tag:{SELECTED}"
    finally:
        for node in nodes:
            node.tags.remove(SELECTED)


def build_nodes(
    settings: Settings,
    manifest: Any,
    select: Sequence[str],
    variables: dict[str, Any],
    on_done: Callable[[str, float], None] = lambda _id, _seconds: None,
    full_refresh: bool = False,
    tests: Literal["selected", "buildable"] = "buildable",
    target: str = "duckdb",
) -> list[NodeResult]:
    """Build the selected nodes with their data tests (unit tests run in `make test`, not every night).

    `tests`: those that are selected themselves, or all those of a selected table for which everything else that they
    read is selected too or comes before it.
    `on_done` is called with the unique id of each node that dbt has finished, and its seconds.
    """

    def callback(event: Any) -> None:
        if event.info.name == "NodeFinished":
            on_done(event.data.node_info.unique_id, event.data.run_result.execution_time)

    result = invoke_dbt(
        settings,
        [
            "build",
            "--select",
            *select,
            "--exclude-resource-type",
            "unit_test",
            "--indirect-selection",
            "empty" if tests == "selected" else tests,
            "--vars",
            json.dumps(variables),
            "--no-write-json",
            *(["--full-refresh"] if full_refresh else []),
        ],
        manifest=manifest,
        callbacks=[callback],
        target=target,
    )
    return [
        NodeResult(
            unique_id=node.node.unique_id,
            status=str(node.status),
            seconds=node.execution_time,
            message=(node.message or "").strip(),
            failures=node.failures,
        )
        for node in (result.result.results if result.result else [])
    ]
