"""One code location and its Dagster instance in this process: selections go the way of `dagster asset materialize`."""

from pathlib import Path

import dagster as dg
import duckdb

from assets.shared.quoting import quoted
from assets.shared.settings import load_settings
from pipelines.build import build_definitions
from pipelines.launch import prepare_dagster_home
from pipelines.stages import PLAYBOOK, STAGES
from tests.integration.command_line import rows, tables

NIGHT = "2024-09-01"
#: The seeds first, since stages read them; then the flow.
GROUPS = (PLAYBOOK, *STAGES)


class Dagster:
    """One code location and its instance, in this process, on a home with a whole run of NIGHT."""

    def __init__(self, home: Path):
        self.home = home
        self.settings = load_settings()
        prepare_dagster_home(self.settings)
        self.repository = build_definitions(self.settings).get_repository_def()
        self.graph = self.repository.asset_graph
        self.instance = dg.DagsterInstance.get()

    def materialize(self, select: str, partition: str = NIGHT, **overrides: str) -> dg.ExecuteInProcessResult:
        keys = dg.AssetSelection.from_coercible(select.split(",")).resolve(self.graph)
        job = self.repository.get_implicit_job_def_for_assets(keys)
        return job.execute_in_process(
            asset_selection=list(keys),
            partition_key=partition,
            instance=self.instance,
            run_config={"resources": {"run": {"config": {"overrides": overrides}}}},
            raise_on_error=False,
        )

    def tables_of(self, group: str) -> set[dg.AssetKey]:
        return {key for key in self.graph.materializable_asset_keys if key.path[0] == group}

    def following(self, group: str) -> list[str]:
        """The groups that read a table of `group` or of one that follows, each built whole, in the flow's order."""
        chain = [group]
        for other in GROUPS:
            reads = dg.AssetSelection.groups(other).upstream(depth=1).resolve(self.graph)
            if other != group and {key.path[0] for key in reads} - {other} & set(chain):
                chain.append(other)
        return chain[1:]

    def execute(self, sql: str) -> list[tuple]:
        with duckdb.connect(str(self.settings.warehouse)) as con:
            return con.execute(sql).fetchall()

    def rows_of(self, group: str) -> dict[str, list[tuple]]:
        """Every table of a group in the working warehouse, but for the columns of the run."""
        with duckdb.connect(str(self.settings.warehouse)) as con:
            return {
                table: rows(con, quoted(f"{group}.{table}"))
                for table in tables(con, group)
                if dg.AssetKey([group, table]) in self.tables_of(group)
            }


def succeeded(result: dg.ExecuteInProcessResult) -> dg.ExecuteInProcessResult:
    assert result.success, refusal(result)
    return result


def refusal(result: dg.ExecuteInProcessResult) -> str:
    """Why a run failed: the words for the user, and where there are none the error."""
    assert not result.success
    (failed,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    return failed.user_failure_data.description if failed.user_failure_data else failed.error.to_string()
