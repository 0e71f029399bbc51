"""dbt's own unit tests, all of them: what the SQL means on rows given by hand."""

import pytest

from assets.dbt.runner import invoke_dbt
from assets.shared import warehouse
from assets.shared.quoting import quoted
from assets.shared.settings import Settings, prepare_home


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory) -> Settings:
    settings = Settings(home=tmp_path_factory.mktemp("unit-tests"), sources=("toy",))
    prepare_home(settings)
    return settings


def test_every_dbt_unit_test_passes(empty_home, project):
    """dbt reads column types from the tables, so schema `ingest` and empty tables of every model are made first."""
    with warehouse.connect(empty_home) as con:
        for source in project.as_dict["sources"].values():
            con.execute(f"create schema if not exists {source['schema']}")
            columns = ", ".join(
                f"{quoted(c['name'])} {c['data_type'].replace('string', 'varchar')}" for c in source["columns"].values()
            )
            con.execute(f"create table {source['schema']}.{source['name']} ({columns})")
    invoke_dbt(empty_home, ["seed"], manifest=project.manifest)
    built = invoke_dbt(empty_home, ["run", "--empty"], manifest=project.manifest)
    assert built.success, [r.message for r in built.result.results if str(r.status) != "success"]
    tested = invoke_dbt(empty_home, ["test", "--select", "test_type:unit"], manifest=project.manifest)
    results = tested.result.results
    assert len(results) == len(project.manifest.unit_tests) > 0
    assert not {r.node.name: r.message for r in results if str(r.status) != "pass"}


@pytest.mark.campaign
def test_the_docs_build_in_a_new_home(tmp_path):
    settings = Settings(home=tmp_path, sources=("toy",))
    prepare_home(settings)
    invoke_dbt(settings, ["docs", "generate", "--static"])
    page = (settings.dbt_target / "static_index.html").read_text()
    assert "How likely each customer is not to purchase in the coming horizon" in page
