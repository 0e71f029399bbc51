"""Every group can be built alone, and the chain from it to publish gives what a whole run gives; what would mix nights,
or show what was not validated, is refused.

The selections go the way of `dagster asset materialize`: an asset selection, the implicit job of its assets, a run of
that job for one partition. One process pays for the start once; one test runs the command itself.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from tests.integration.code_location import GROUPS, NIGHT, Dagster, refusal, succeeded
from tests.integration.command_line import contents, published, ran

TOYSHOP = Path(__file__).resolve().parents[1] / "toyshop"
EARLIER = "2024-08-31"

# The whole file: one home for all of its tests costs half a minute to make.
pytestmark = [pytest.mark.slow, pytest.mark.campaign]


def failed_checks(result: dg.ExecuteInProcessResult) -> list[str]:
    found = result.get_asset_check_evaluations()
    return [f"{check.asset_key.to_user_string()} {check.check_name}" for check in found if not check.passed]


def night_of(home: Path) -> str:
    with published(home) as con:
        return con.execute("select run_id from marts.run_manifest").fetchone()[0]


@pytest.fixture(scope="module")
def source(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("source") / "toyshop"
    shutil.copytree(TOYSHOP, folder)
    return folder


@pytest.fixture(scope="module")
def location(tmp_path_factory, source):
    """The home, its code location, and a copy of the home as the whole run left it."""
    home, whole = tmp_path_factory.mktemp("groups") / "home", tmp_path_factory.mktemp("whole") / "home"
    ran(home, "--source", str(source / "toyshop.yml"), "--as-of", NIGHT)
    shutil.copytree(home, whole, symlinks=True)
    before = dict(os.environ)
    os.environ |= {"HOLDFAST_HOME": str(home), "HOLDFAST_SOURCES": str(source / "toyshop.yml")}
    made = Dagster(home)
    try:
        yield made, whole
    finally:
        made.instance.dispose()
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture
def dagster(location) -> Dagster:
    """Dagster on the home as the whole run left it, whatever earlier tests did; only its instance knows of them."""
    made, whole = location
    kept = made.settings.dagster
    for path in made.home.iterdir():
        if path != kept:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    shutil.copytree(whole, made.home, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns(kept.name))
    return made


@pytest.fixture(scope="module")
def expected(location) -> dict[str, list[tuple]]:
    """What the whole run published."""
    return contents(location[1])


def test_every_group_runs_alone_and_one_after_the_other_gives_what_a_whole_run_gives(dagster, expected):
    """The tables of a group are dropped before it runs, so that whatever is compared was built by it alone."""
    declared = {key for key in dagster.graph.asset_check_keys if key.name == "expectations"}
    # Marts about the results have none before validate, and are compared as they are published.
    own = {"data_quality", "run_manifest"}
    # The whole run trained; its model is active now, so no cutoffs of training are built again.
    of_training = {"training_snapshots", "lifecycle_nodes"}
    runs, shown = {}, set()
    for group in GROUPS:
        before = dagster.rows_of(group)
        dagster.execute(f"drop schema if exists {group} cascade")
        alone = succeeded(dagster.materialize(f"group:{group}"))
        runs[group] = alone.run_id
        assert {event.asset_key for event in alone.get_asset_materialization_events()} == dagster.tables_of(group)
        after = dagster.rows_of(group)
        assert set(after) == set(before)
        assert [t for t in set(after) - own - of_training if after[t] != before[t]] == []
        checks = {check.asset_check_key for check in alone.get_asset_check_evaluations()}
        assert failed_checks(alone) == []
        if group == "validate":
            assert checks == declared, "the checks of all tables, also of those that were built before"
        else:
            assert {check.asset_key.path[0] for check in checks} <= {group}
            assert {c for c in declared if c.asset_key.path[0] == group and c.asset_key.path[1] not in own} <= checks
            shown |= checks & declared
    assert {check.asset_key.path[0] for check in shown} >= {
        "ingest",
        "staging",
        "features",
        "segments",
        "score",
        "marts",
    }
    latest = dagster.instance.event_log_storage.get_latest_asset_check_execution_by_key(list(declared))
    assert {(r.run_id, r.status.value) for r in latest.values()} == {(runs["validate"], "SUCCEEDED")}
    assert set(latest) == declared
    assert contents(dagster.home) == expected
    assert night_of(dagster.home) == runs["marts"], "a night is named after the run that built its marts"


@pytest.mark.parametrize("group", ["staging", "segments", "score", "measure"])
def test_a_group_alone_and_then_the_chain_from_it_gives_what_a_whole_run_gives(dagster, expected, group):
    dagster.execute(f"drop schema if exists {group} cascade")
    succeeded(dagster.materialize(f"group:{group}"))
    if chain := dagster.following(group):
        succeeded(dagster.materialize(",".join(f"group:{following}" for following in chain)))
    assert contents(dagster.home) == expected


def test_dagsters_own_command_builds_a_group(dagster):
    before = dagster.rows_of("segments")
    dagster.execute("drop schema segments cascade")
    command = [Path(sys.executable).with_name("dagster"), "asset", "materialize", "-m", "pipelines.definitions"]
    done = subprocess.run(
        [*command, "--select", "group:segments", "--partition", NIGHT],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert dagster.rows_of("segments") == before and before


def test_what_changed_since_the_verdict_is_not_published(dagster, expected):
    """Most marts are views: without this they would show new rows under the old verdict."""
    before = night_of(dagster.home)
    succeeded(dagster.materialize("group:score"))
    assert "candidates.customer_state: older than score.churn_scores" in refusal(dagster.materialize("group:publish"))
    assert "candidates.customer_state: older than score.churn_scores" in refusal(dagster.materialize("group:validate"))
    # What the refusal names is what helps.
    select = refusal(dagster.materialize("group:marts")).split("--select ")[1].split()[0]
    assert select == "group:candidates+,group:measure+"
    succeeded(dagster.materialize(select))
    assert contents(dagster.home) == expected and night_of(dagster.home) != before
    # A single mart: all are built again, for a night is of one run.
    single = succeeded(dagster.materialize("key:marts/segment_thresholds"))
    assert {event.asset_key for event in single.get_asset_materialization_events()} == dagster.tables_of("marts")
    made = {run for mart in expected for (run,) in dagster.execute(f"select distinct run_id from marts.{mart}")}
    assert made == {single.run_id}
    # There is a passing verdict, but on the marts before.
    assert dagster.execute("select passed from validate.verdicts") == [(True,)]
    assert "validate.verdicts: older than marts." in refusal(dagster.materialize("group:publish"))
    assert night_of(dagster.home) not in {before, single.run_id}


def test_a_verdict_that_says_no_is_not_published(dagster):
    before = night_of(dagster.home)
    dagster.execute(
        "delete from segments.customer_rfm where customer_id = (select min(customer_id) from segments.customer_rfm)"
    )
    shown = succeeded(dagster.materialize("group:validate"))
    assert "segments/customer_rfm expectations" in failed_checks(shown)
    assert "did not pass validation" in refusal(dagster.materialize("group:publish"))
    assert night_of(dagster.home) == before


def test_a_group_whose_test_fails_stops_all_that_follows_until_it_passes(dagster):
    """Tests of dbt run with their stage, and validate does not repeat them."""
    dagster.execute("insert into features.customer_features from features.customer_features limit 1")
    assert "dbt test" in refusal(dagster.materialize("group:segments"))
    for following in ("group:actions", "group:marts", "group:validate", "group:publish"):
        assert "its last build did not end well" in refusal(dagster.materialize(following))
    succeeded(dagster.materialize("group:features"))
    succeeded(dagster.materialize("group:segments"))
    assert "train.model_performance: older than" in refusal(dagster.materialize("group:score"))


def test_stages_of_another_date_or_of_other_parameters_are_not_read(dagster):
    assert f"built as of {NIGHT}" in refusal(dagster.materialize("group:segments", EARLIER))
    words = refusal(dagster.materialize("group:segments", churn_horizon_days="45"))
    assert "built with churn_horizon_days=30 (this run: 45)" in words
    succeeded(dagster.materialize("group:publish"))


def test_a_home_without_a_run_says_what_to_run_first(dagster):
    dagster.settings.warehouse.unlink()
    words = refusal(dagster.materialize("group:segments"))
    assert "never built" in words and f"holdfast run --as-of {NIGHT}" in words


def test_lines_that_arrive_reach_staging_and_features_when_each_runs(dagster, source):
    """A late line of an old day: the tables of days each take it when their own group runs, whichever ran before."""
    counted = "select sum(n_lines) from staging.transaction_days", "select sum(n_lines) from features.customer_day"

    def lines() -> list[int]:
        return [dagster.execute(sql)[0][0] for sql in counted]

    staged, taken = lines()
    first = (source / "transactions.csv").read_text().splitlines()[:2]
    late = source / "transactions-late.csv"
    fields = first[1].split(";")
    late.write_text("\n".join([first[0], ";".join(["99999", *fields[1:]])]) + "\n")
    try:
        succeeded(dagster.materialize("group:ingest"))
        succeeded(dagster.materialize("group:identity"))
        assert lines() == [staged, taken]
        succeeded(dagster.materialize("group:staging"))
        assert lines() == [staged + 1, taken]
        succeeded(dagster.materialize("group:features"))
        assert lines() == [staged + 1, taken + 1]
    finally:
        late.unlink()
