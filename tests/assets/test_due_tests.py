"""Which data tests of dbt run with which tables: all of them in a whole run, and none is lost when stages run alone."""

from datetime import date

import duckdb
import pytest

from assets.dbt.defs import StageTranslator, due_tests
from assets.shared.built_tables import Basis, BuiltTables, begin_build, finish_build
from assets.shared.defs import read_lineage, table_of
from pipelines.stages import PLAYBOOK, STAGES

BASIS = Basis.of(date(2024, 9, 1), ["shop"], {})


class Home:
    """What is on record of a home's tables, and which data tests would have run, step by step."""

    def __init__(self, project, lineage):
        self.project = project
        self.lineage = lineage
        self.con = duckdb.connect()
        self.nodes = {
            table_of(StageTranslator().get_asset_key(node)): uid
            for uid, node in project.as_dict["nodes"].items()
            if node["resource_type"] in {"model", "seed"}
        }
        self.tests = {u: n for u, n in project.as_dict["nodes"].items() if n["resource_type"] == "test"}

    def build(self, *stages: str) -> set[str]:
        """One step that builds all tables of `stages`; the tests that run with it."""
        tables = [table for table in self.lineage if table.split(".")[0] in stages]
        begin_build(self.con, tables, "run", BASIS, self.lineage)
        built = BuiltTables.read(self.con, BASIS, self.lineage)
        selected = {self.nodes[table] for table in tables if table in self.nodes}
        due = due_tests(self.project, selected, built.can_be_read)
        finish_build(self.con, tables)
        return due

    def reads(self, test: str) -> set[str]:
        parents = map(self.project.node_or_source, self.tests[test]["depends_on"]["nodes"])
        return {f"{p['schema']}.{p.get('alias') or p['name']}" for p in parents}


@pytest.fixture
def home(project, definitions):
    made = Home(project, read_lineage(definitions.resolve_asset_graph()))
    yield made
    made.con.close()


@pytest.fixture
def steps(definitions) -> list[set[str]]:
    """The stages of each step of a whole run, in its order."""
    stages = {
        assets.node_def.name: {key.path[0] for key in assets.keys}
        for assets in definitions.resolve_asset_graph().assets_defs
        if assets.is_executable
    }
    return [stages[node.name] for node in definitions.resolve_job_def("nightly").nodes_in_topological_order]


def test_a_whole_run_runs_every_test_once(home, steps):
    ran = [test for stages in steps for test in home.build(*stages)]
    assert sorted(ran) == sorted(home.tests) and len(ran) > 50
    again = [test for stages in steps for test in home.build(*stages)]
    assert sorted(again) == sorted(home.tests), "a second run must not take the tables of the first for its own"


def test_stage_by_stage_every_test_runs_once(home):
    flow = [PLAYBOOK, *STAGES]
    for _ in range(2):
        assert sorted(test for stage in flow for test in home.build(stage)) == sorted(home.tests)


@pytest.mark.parametrize("first", [PLAYBOOK, *STAGES])
def test_from_any_stage_on_no_test_of_what_was_built_is_lost(home, steps, first):
    """Every test runs once more, after the last of its tables that was built again."""
    for stages in steps:
        home.build(*stages)
    chain = [first]
    for stage in (PLAYBOOK, *STAGES):
        # A stage is built as a whole, so whatever reads any table of it follows.
        reads = {read.split(".")[0] for t in home.lineage if t.startswith(f"{stage}.") for read in home.lineage[t]}
        if stage != first and reads & set(chain):
            chain.append(stage)
    ran = {stage: home.build(stage) for stage in chain}
    for test in home.tests:
        rebuilt = [stage for stage in chain if any(read.startswith(f"{stage}.") for read in home.reads(test))]
        dbt_stages = [
            stage for stage in rebuilt if any(home.nodes.get(t) for t in home.lineage if t.startswith(f"{stage}."))
        ]
        if dbt_stages:
            assert test in ran[dbt_stages[-1]], f"{home.tests[test]['name']} does not run with {dbt_stages[-1]}"


def test_a_test_waits_for_a_table_that_follows(home, project, steps):
    """Money of customer_day and of transaction_days is compared when features are built, and not with staging before,
    when customer_day is still the old one."""
    for stages in steps:
        home.build(*stages)
    name = "assert_customer_day_money_adds_up"
    (test,) = [uid for uid, node in home.tests.items() if node["name"] == name]
    assert test not in home.build("staging")
    assert test in home.build("features")
    assert test in home.build("features"), "staging is still up to date"
