"""The flow never runs backwards: a stage writes only into its own schema, and a stage that runs again by itself takes
nothing from what later stages made.

A real night, one group at a time, of a business that is taken for too large to explain everybody.
"""

from dataclasses import dataclass

import dagster as dg
import duckdb
import pytest

from assets.shared import warehouse
from assets.shared.settings import Settings, load_settings
from assets.shared.tables import declared_tables
from pipelines.build import build_definitions
from pipelines.jobs import run_config
from pipelines.launch import prepare_dagster_home
from pipelines.stages import PLAYBOOK, STAGES
from tests.integration import shop
from tests.integration.command_line import contents

pytestmark = pytest.mark.campaign

#: Nobody is explained for the size of the business, one in a hundred for the money; the calendar chooses by dates.
HARDLY_ANYBODY = {
    "explain_all_up_to": "0",
    "explain_top_share": "0",
    "actions_value_at_risk_top_share": "0.01",
}
#: Schemas that a group writes in addition to its own: personal data are landed by ingest and never published.
OWN_SCHEMAS = {"ingest": {"personal"}}
#: What is on record about builds of all stages: which tables are whole, which days changed. No stage's rows.
RECORDS = "platform"
#: The seeds first, since stages read them; then the flow.
GROUPS = (PLAYBOOK, *STAGES)


@dataclass(frozen=True)
class Groups:
    """The groups of the flow, run one at a time on one home."""

    settings: Settings
    repository: dg.RepositoryDefinition | None = None

    def run(self, *groups: str) -> None:
        assert self.repository is not None
        keys = dg.AssetSelection.groups(*groups).resolve(self.repository.asset_graph)
        with dg.DagsterInstance.get() as instance:
            result = self.repository.get_implicit_job_def_for_assets(keys).execute_in_process(
                asset_selection=list(keys),
                partition_key=shop.AS_OF.isoformat(),
                instance=instance,
                run_config=run_config(HARDLY_ANYBODY),
            )
        assert result.success, groups

    def schemas(self, group: str) -> set[str]:
        return {group, RECORDS} | OWN_SCHEMAS.get(group, set())

    def mark(self) -> dict[str, tuple]:
        """Every table and view as it is, now with a comment: a stage that makes one again loses it."""
        if self.settings.warehouse.exists():
            with duckdb.connect(str(self.settings.warehouse)) as con:
                for name in self.tables(con):
                    kind, _, quoted = name.partition(" ")
                    con.execute(f"comment on {kind} {quoted} is 'seen'")
                return self.tables(con)
        return {}

    def tables(self, con: duckdb.DuckDBPyConnection | None = None) -> dict[str, tuple]:
        """Kind and name → its comment, and a hash over rows with their row ids or the SQL of a view: written again,
        even with the rows as they were, a table has another one."""
        if con is None:
            with duckdb.connect(str(self.settings.warehouse), read_only=True) as con:
                return self.tables(con)
        ours = "database_name = current_database() and not internal"
        tables = con.execute(f"select schema_name, table_name, comment from duckdb_tables() where {ours}").fetchall()
        views = con.execute(f"select schema_name, view_name, comment, sql from duckdb_views() where {ours}").fetchall()
        found = {}
        for schema, table, comment in tables:
            name = f'"{schema}"."{table}"'
            rows = con.execute(f"select count(*), bit_xor(hash(rows, rows.rowid)) from {name} as rows").fetchone()
            found[f"table {name}"] = (comment, rows)
        return found | {f'view "{schema}"."{view}"': rest for schema, view, *rest in views}


def schema_of(name: str) -> str:
    return name.split('"')[1]


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    """An empty home of the shop."""
    folder = tmp_path_factory.mktemp("groups")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOLDFAST_HOME", str(folder / "home"))
        patch.setenv("HOLDFAST_SOURCES", str(shop.write(folder / "shop", shop.lines(n_customers=220))))
        settings = load_settings()
        patch.setenv("DAGSTER_HOME", str(settings.dagster))
        repository = build_definitions(settings).get_repository_def()
        prepare_dagster_home(settings)
        with warehouse.connect(settings) as con:  # as every run does before its first stage
            warehouse.ensure_tables(con, [table for table in declared_tables().values() if table.is_there_from_start])
        yield Groups(settings, repository)


@pytest.fixture(scope="module")
def changed(groups) -> dict[str, set[str]]:
    """A whole night, group by group; group → the tables and views that it made, changed or dropped."""
    found = {}
    for group in GROUPS:
        before = groups.mark()
        groups.run(group)
        after = groups.tables()
        found[group] = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    return found


def test_a_stage_writes_only_into_its_own_schema(groups, changed):
    for group, tables in changed.items():
        foreign = {name for name in tables if schema_of(name) not in groups.schemas(group)}
        assert not foreign, f"{group} changed {sorted(foreign)}"
    written = {schema_of(name) for tables in changed.values() for name in tables}
    assert written >= set(GROUPS) - {"publish"}, "a stage wrote nothing: this shows nothing about it"


def test_a_table_that_is_written_again_is_seen(tmp_path):
    """The comparison cannot be fooled by rows that are put back as they were."""
    home = Settings(home=tmp_path, sources=("toy",))
    toy = Groups(home)
    with duckdb.connect(str(home.warehouse)) as con:
        con.execute("create schema score; create table score.churn_scores as select range as p from range(5)")
        con.execute("create view score.best as select max(p) from score.churn_scores")
    for statement in (
        "create table score.other as select 1 as one",
        "create or replace table score.churn_scores as select * from score.churn_scores",
        "begin; create temp table kept as from score.churn_scores; delete from score.churn_scores;"
        " insert into score.churn_scores select * from kept; commit",
        "update score.churn_scores set p = -1 where p = 3",
        "create or replace view score.best as select max(p) from score.churn_scores",
        "drop table score.other",
    ):
        before = toy.mark()
        assert toy.tables() == before
        with duckdb.connect(str(home.warehouse)) as con:
            con.execute(statement)
        assert toy.tables() != before, statement
    before = toy.mark()
    with duckdb.connect(str(home.warehouse)) as con:
        con.execute("select * from score.churn_scores").fetchall()
    assert toy.tables() == before, "reading changes nothing"


def _without_reasons(settings: Settings) -> dict[str, tuple[int, int]]:
    """Of the stage table, the mart of the warehouse and customer_360: planned or held-out customers, and how many of
    them are without reasons."""
    with duckdb.connect(str(settings.warehouse), read_only=True) as con:
        return {
            table: con.execute(
                f"""
                select count(*), count(*) filter (where reasons.reason_1 is null)
                from (
                    select distinct customer_id from actions.contact_plan where decision in ('contact', 'holdout')
                ) as plan
                inner join score.churn_scores as scores on plan.customer_id = scores.customer_id and scores.is_eligible
                left join {table} as reasons on plan.customer_id = reasons.customer_id
                """
            ).fetchall()[0]
            for table in ("explain.score_reasons", "marts.churn_scores", "marts.customer_360")
        }


def test_scoring_again_takes_no_reasons_away(groups, changed):
    """Group score alone, then the chain: every planned or held-out customer has reasons all along."""
    before = contents(groups.settings.home)
    with duckdb.connect(str(groups.settings.warehouse), read_only=True) as con:
        beyond = (
            con.execute("select count(*) from explain.score_reasons where is_explained").fetchall()[0][0]
            > 0.01 * con.execute("select count(*) from score.churn_scores where is_eligible").fetchall()[0][0] + 1
        )
    assert beyond, "the plan must hold more than the share that is explained for the money, or this shows nothing"

    def all_have_reasons() -> None:
        for table, (planned, without) in _without_reasons(groups.settings).items():
            assert planned > 5 and without == 0, table

    all_have_reasons()
    groups.run("score")
    all_have_reasons()
    groups.run(*GROUPS[GROUPS.index("score") + 1 :])
    all_have_reasons()
    assert contents(groups.settings.home) == before
