"""What Dagster is given: jobs, schedules, partitions, checks, and what a run decides before it computes."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest

from assets.dbt.defs import keys_to_build
from assets.ingest.defs import refuse_outside_data
from assets.model import model_store
from assets.shared import warehouse
from assets.shared.defs import Run
from assets.shared.errors import UserError
from assets.shared.params import load_params
from assets.shared.settings import Settings, load_settings
from assets.validate.deliveries import delivery_rules
from assets.validate.reconciliations import reconciliations
from pipelines.build import as_of_dates, snapshot_cutoffs
from pipelines.ownership import owned
from pipelines.stages import PLAYBOOK, STAGES


def test_the_nightly_job_holds_every_asset_and_every_check(definitions):
    job = definitions.resolve_job_def("nightly")
    graph = definitions.resolve_asset_graph()
    assert set(job.asset_layer.executable_asset_keys) == set(graph.materializable_asset_keys)
    assert {key.path[0] for key in graph.materializable_asset_keys} == {*STAGES, "playbook"}


def test_the_retrain_job_ends_with_train_and_publishes_nothing(definitions):
    keys = definitions.resolve_job_def("retrain").asset_layer.executable_asset_keys
    assert {key.path[0] for key in keys} == {"ingest", "identity", "playbook", "staging", "features", "train"}


@pytest.mark.parametrize("group", [PLAYBOOK, *STAGES])
def test_any_group_can_be_selected_alone_with_the_checks_of_its_tables(definitions, group):
    """As the command line does: the implicit job of the assets, and all their checks."""
    repository = definitions.get_repository_def()
    keys = dg.AssetSelection.from_string(f"group:{group}").resolve(repository.asset_graph)
    job = repository.get_implicit_job_def_for_assets(keys).get_subset(asset_selection=keys)
    assert set(job.asset_layer.executable_asset_keys) == keys and keys
    declared = {key for key in repository.asset_graph.asset_check_keys if key.asset_key in keys}
    assert set(job.asset_layer.asset_graph.asset_check_keys) == declared


def test_retraining_shows_the_checks_of_the_tables_it_builds(definitions):
    graph = definitions.resolve_job_def("retrain").asset_layer.asset_graph
    shown = {key.asset_key.to_user_string() for key in graph.asset_check_keys if key.name == "expectations"}
    assert {"ingest/batches", "staging/transaction_days", "features/customer_features"} <= shown
    assert {name.split("/")[0] for name in shown} == {"ingest", "staging", "features"}


def test_every_rule_between_tables_is_shown_at_a_table_with_checks(definitions):
    """A result without a place to be shown at would end every night."""
    params = load_params()
    rules = [*reconciliations(date(2024, 1, 1), params), *delivery_rules(date(2024, 1, 1), params)]
    keys = definitions.resolve_asset_graph().asset_check_keys
    shown = {".".join(key.asset_key.path) for key in keys if key.name == "expectations"}
    assert {rule.table for rule in rules} <= shown


def test_whoever_builds_a_mart_builds_all_of_them(project):
    marts = {dg.AssetKey(["marts", name]) for name in project.models_in("marts")}
    one, other = dg.AssetKey(["marts", "segment_thresholds"]), dg.AssetKey(["measure", "kpi_daily"])
    assert keys_to_build(project, {one, other}) == {*marts, other} and len(marts) > 1
    assert keys_to_build(project, {other}) == {other}
    assert keys_to_build(project, set()) == set()


def test_every_mart_shows_its_expectations_as_a_check(definitions):
    checks = definitions.resolve_asset_graph().asset_check_keys
    marts = {key for key in definitions.resolve_asset_graph().materializable_asset_keys if key.path[0] == "marts"}
    assert marts and {dg.AssetCheckKey(key, "expectations") for key in marts} <= set(checks)


def test_every_asset_shows_grain_and_columns(definitions):
    for spec in definitions.resolve_all_asset_specs():
        if spec.key.path[0] not in {"playbook", "publish"}:
            assert spec.metadata.get("grain") or "grain" in spec.description.lower(), spec.key
        if spec.key.path[0] != "publish":
            assert spec.metadata["dagster/column_schema"].columns, spec.key


@pytest.mark.parametrize(("schedule", "hour"), [("nightly_schedule", 5), ("retrain_schedule", 3)])
def test_schedules_ask_for_the_newest_date(definitions, schedule, hour):
    found = definitions.resolve_schedule_def(schedule)
    assert found.default_status == dg.DefaultScheduleStatus.RUNNING
    tick = datetime(2026, 5, 1, hour, tzinfo=UTC)
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_schedule_context(
            instance, scheduled_execution_time=tick, repository_def=definitions.get_repository_def()
        )
        ticked = found.evaluate_tick(context)
    assert [request.partition_key for request in ticked.run_requests] == ["2018-01-01"]


def test_the_built_in_source_has_the_dates_of_its_data(project_home):
    dates = as_of_dates(project_home)
    assert (dates.get_first_partition_key(), dates.get_last_partition_key()) == ("2017-01-02", "2018-01-01")


def test_other_sources_have_every_day_up_to_today(tmp_path):
    dates = as_of_dates(Settings(home=tmp_path, sources=("shop.yml",)))
    with dg.partition_loading_context(effective_dt=datetime(2024, 3, 10, 4, tzinfo=UTC)):
        assert dates.get_last_partition_key() == "2024-03-10"


@pytest.fixture
def run_with_data(home):
    """A run in a home whose ledger has the days of 2017, with a customer more on each of them."""
    with warehouse.connect(load_settings()) as con:
        con.execute("create schema ingest")
        con.execute(
            "create table ingest.batch_days as select 'b' as batch_id, cast(day as date) as day, 1 as n_rows "
            "from range(date '2017-01-01', date '2018-01-01', interval 1 day) as days (day)"
        )
        con.execute(
            "create table ingest.transactions as select cast(day as varchar) as customer_id, "
            "cast(day as timestamp) as occurred_at from ingest.batch_days"
        )
        con.execute("create table ingest.business_days (day date, is_closed boolean)")
    return lambda **config: Run(**config)


def put_model(trained_as_of: date) -> None:
    settings = load_settings()
    mark = model_store.fingerprint(load_params(), settings.source_names)
    model_store.save_model(
        settings.models, {"model_id": model_store.model_id(trained_as_of, mark)}, churn=None, margin=None, files={}
    )


def test_without_a_model_the_cutoffs_of_the_months_first_day_are_built(run_with_data):
    cutoffs = snapshot_cutoffs(run_with_data(), date(2017, 12, 2))
    assert cutoffs and max(cutoffs) == date(2017, 11, 1), "the newest label closes on the anchor, 2017-12-01"


def test_no_cutoff_is_built_for_a_value_window_that_too_few_customers_began(run_with_data):
    """200 customers have come by 19 July, so the quarter of the summer can not be learned from."""
    few, enough = (
        snapshot_cutoffs(run_with_data(overrides={"train_min_customers": n}), date(2017, 12, 2)) for n in ("200", "20")
    )
    assert set(few) < set(enough)
    assert date(2017, 9, 1) in set(enough) - set(few), "the newest quarter that is closed on the anchor"


def test_a_model_that_is_due_for_a_check_as_soon_as_it_is_trained_gets_the_cutoff_for_it(run_with_data):
    """Else the second run of the date would check what the first did not, and leave other tables."""
    cutoffs = snapshot_cutoffs(run_with_data(), date(2017, 12, 20))
    assert cutoffs[-2:] == [date(2017, 11, 1), date(2017, 11, 15)], "checked as of 2017-12-15, when that horizon closed"


def test_with_a_model_in_force_no_cutoff_is_built(run_with_data):
    put_model(date(2017, 12, 1))
    assert snapshot_cutoffs(run_with_data(), date(2017, 12, 5)) == ()
    assert snapshot_cutoffs(run_with_data(), date(2017, 12, 20)) == (date(2017, 11, 15),), "a check is due"
    assert snapshot_cutoffs(run_with_data(), date(2017, 11, 20)), "a model of December would know the future"
    assert snapshot_cutoffs(run_with_data(overrides={"churn_horizon_days": "60"}), date(2017, 12, 20))


def test_retraining_ignores_the_model_in_force(run_with_data):
    put_model(date(2017, 12, 1))
    assert max(snapshot_cutoffs(run_with_data(retrain=True), date(2017, 12, 20))) == date(2017, 11, 20)


@pytest.mark.parametrize("day", [date(2017, 1, 1), date(2018, 1, 2), date(2016, 5, 5)])
def test_a_date_outside_the_data_is_refused(run_with_data, day):
    with warehouse.connect(load_settings()) as con, pytest.raises(UserError, match="outside the data"):
        refuse_outside_data(con, day, ["shop"])


@pytest.mark.parametrize("day", [date(2017, 1, 2), date(2018, 1, 1)])
def test_the_first_and_last_date_of_the_data_are_accepted(run_with_data, day):
    with warehouse.connect(load_settings()) as con:
        refuse_outside_data(con, day, ["shop"])


def test_days_without_data_may_be_explained_and_no_day_more(run_with_data):
    with warehouse.connect(load_settings()) as con:
        refuse_outside_data(con, date(2018, 1, 22), ["shop"], n_explained=21)
        with pytest.raises(UserError, match="outside the data") as caught:
            refuse_outside_data(con, date(2018, 1, 23), ["shop"], n_explained=21)
        assert "closed_on" in caught.value.remedy


def test_every_asset_has_an_owner_tags_and_kinds(definitions):
    graph = definitions.resolve_asset_graph()
    for key in graph.materializable_asset_keys:
        asset = graph.get(key)
        public = key.path[0] in ("marts", "publish", PLAYBOOK)
        assert asset.owners == ["team:retention" if public else "team:data"], key
        assert asset.tags["holdfast/audience"] == ("readers" if public else "pipeline"), key
        assert asset.kinds, key
        assert asset.freshness_policy is None, "the built-in source has ended: its tables never get old"


@pytest.mark.parametrize(("group", "days"), [("marts", 3), ("publish", 3), ("features", None)])
def test_what_readers_see_must_be_fresh(group, days):
    policy = owned(max_days_late=2)(dg.AssetSpec([group, "table"], group_name=group)).freshness_policy
    assert (None if policy is None else policy.fail_window.to_timedelta()) == (days and timedelta(days=days))
