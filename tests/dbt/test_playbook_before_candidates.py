"""A playbook that cannot be read stops stage candidates before any of its tables is made."""

import dagster as dg
import pytest

from assets.dbt.defs import build_dbt_assets
from assets.dbt.runner import invoke_dbt
from assets.shared import warehouse
from assets.shared.defs import Run
from assets.shared.settings import load_settings


@pytest.fixture
def seeded(home, project):
    """A home that holds the shipped playbook and nothing else."""
    invoke_dbt(load_settings(), ["seed"], manifest=project.manifest)
    return load_settings()


def build_reasons(project) -> dg.ExecuteInProcessResult:
    """The one table of the stage that needs no others."""
    dates = dg.DailyPartitionsDefinition("2024-01-01")
    assets = build_dbt_assets("candidates", project, ("candidates",), dates, lambda _run, _day: ())
    return dg.materialize(
        [assets],
        partition_key="2024-05-01",
        selection=[dg.AssetKey(["candidates", "reasons"])],
        resources={"run": Run()},
        raise_on_error=False,
    )


def test_the_row_and_the_column_are_named(seeded, project):
    with warehouse.connect(seeded) as con:
        con.execute("update playbook.playbook_calendar set on_dates = '31-12' where calendar_id = 'holiday'")
    result = build_reasons(project)
    (failed,) = [event for event in result.all_events if event.is_step_failure]
    failure = failed.step_failure_data.user_failure_data
    assert "calendar holiday: on_dates '31-12' is not like 06-18|11-11" in failure.description
    assert "dbt_project/seeds" in failure.metadata["remedy"].value
    with warehouse.connect(seeded) as con:
        tables = con.execute("select table_name from duckdb_tables() where schema_name = 'candidates'").fetchall()
    assert tables == []


def test_a_sound_playbook_lets_the_stage_run(seeded, project):
    result = build_reasons(project)
    assert result.success
    with warehouse.connect(seeded) as con:
        assert con.execute("select count(*) from candidates.reasons").fetchone()[0] > 10
