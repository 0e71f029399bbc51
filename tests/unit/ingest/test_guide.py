"""docs/connecting-a-source.md is complete and true: its examples load, and no key or column is left out."""

import re
from pathlib import Path

import pytest
import yaml
from landed_shop import TOYSHOP

from assets.ingest import raw_views
from assets.ingest.canonical import ENTITIES
from assets.ingest.mapping import (
    ColumnMapping,
    PostgresServer,
    PostgresTable,
    SourceMapping,
    TableMapping,
    load_mapping,
)
from assets.ingest.sources import resolve_source
from assets.shared import warehouse
from assets.shared.settings import Settings, prepare_home

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "connecting-a-source.md").read_text(encoding="utf-8")
EXAMPLES = [text for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL) if text.lstrip("# ").count("name:")]


def test_the_worked_example_is_the_toy_shop():
    assert (TOYSHOP / "toyshop.yml").read_text(encoding="utf-8").rstrip() in GUIDE


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: yaml.safe_load(text)["name"])
def test_every_example_is_a_valid_mapping(tmp_path, text):
    document = {**yaml.safe_load(text), "folder": "."}
    path = tmp_path / "example.yml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    assert load_mapping(path).tables["transactions"].columns


def test_there_are_examples():
    assert len(EXAMPLES) == 5


@pytest.mark.parametrize("model", [SourceMapping, TableMapping, ColumnMapping, PostgresServer, PostgresTable])
def test_every_key_is_described(model):
    undescribed = {name for name in model.model_fields if f"`{name}" not in GUIDE and f"{name}:" not in GUIDE}
    assert undescribed <= {"path"}, "`path` is where the YAML was found, no key of it"


@pytest.mark.parametrize("entity", ENTITIES.values(), ids=lambda entity: entity.name)
def test_every_canonical_column_is_listed(entity):
    row = next(line for line in GUIDE.splitlines() if line.startswith(f"| {entity.name} |"))
    for column in entity.columns:
        if column.name == "is_return":
            continue
        listed = f"**{column.name}**" if column.required else column.name
        assert listed in row, column.name
        for word in column.allowed:
            assert word in row, word


def declared_tables(stage: str) -> dict[str, dict]:
    path = Path(__file__).resolve().parents[3] / "dbt_project" / "models" / "python_sources" / f"{stage}.yml"
    return {table["name"]: table for table in yaml.safe_load(path.read_text())["sources"][0]["tables"]}


def test_the_declared_tables_are_those_of_the_code():
    tables, lineage = declared_tables("ingest"), {"source": "varchar", "batch_id": "varchar"}
    for entity in ENTITIES.values():
        declared = {column["name"]: column["data_type"] for column in tables[entity.name]["columns"]}
        shown = {f"has_{c.name}" if c.personal else c.name: "boolean" if c.personal else c.type for c in entity.columns}
        assert declared == shown | lineage


def test_personal_columns_are_those_of_the_code_and_marked():
    tables = declared_tables("personal")
    assert set(tables) == {"customers", "quarantined_rows"}
    declared = {column["name"]: column["data_type"] for column in tables["customers"]["columns"]}
    own = {c.name: c.type for c in ENTITIES["customers"].columns if c.personal}
    assert declared == {"customer_id": "varchar", **own, "source": "varchar", "batch_id": "varchar"}
    columns = [column for table in tables.values() for column in table["columns"]]
    marked = {c["name"] for c in columns if c.get("config", {}).get("meta", {}).get("personal")}
    assert marked == set(own) | {"reason", "raw_text"}


def test_no_personal_value_is_in_schema_ingest(tmp_path):
    """Every text of schema `ingest`, searched for what the toy shop's customer list says of people."""
    settings = Settings(home=tmp_path, sources=("toyshop",))
    prepare_home(settings)
    source = resolve_source(str(TOYSHOP / "toyshop.yml"))
    source.land(settings)
    with warehouse.connect(settings) as con:
        raw_views.rebuild_raw_views(con, settings, [source.name])
        known = con.execute("select count(*) from personal.customers where email like '%@example.org'").fetchone()[0]
        assert known == 60
        names = con.execute("select table_name from information_schema.tables where table_schema = 'ingest'").fetchall()
        for (name,) in names:
            text = str(con.execute(f"select * from ingest.{name}").fetchall())
            assert "@example.org" not in text and "Kunde 10" not in text, name
