"""docs/connecting-a-source.md is complete and true: its examples load, and no key or column is left out."""

import re
from pathlib import Path

import pytest
import yaml
from landed_shop import TOYSHOP

from assets.ingest import raw_views
from assets.ingest.canonical import ENTITIES
from assets.ingest.extract_guard import Expectation
from assets.ingest.mapping.columns import ColumnMapping, SignFlag
from assets.ingest.mapping.postgres import PostgresServer, PostgresTable
from assets.ingest.mapping.reference import TABLES, with_key_tables
from assets.ingest.mapping.rows import FillDown
from assets.ingest.mapping.sales import FlagConvention, OrderAmounts, ReturnFlag
from assets.ingest.mapping.source import SourceMapping, TableMapping
from assets.ingest.mapping.yaml_file import load_mapping
from assets.ingest.sources import resolve_source
from assets.shared import warehouse
from assets.shared.params import DBT_PROJECT_DIR
from assets.shared.settings import Settings, prepare_home
from assets.shared.tables import declared_table

GUIDE = (Path(__file__).resolve().parents[3] / "docs" / "connecting-a-source.md").read_text(encoding="utf-8")
EXAMPLES = [text for text in re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL) if text.lstrip("# ").count("name:")]


def test_the_worked_example_is_the_toy_shop():
    assert (TOYSHOP / "toyshop.yml").read_text(encoding="utf-8").rstrip() in GUIDE


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: yaml.safe_load(text)["name"])
def test_every_example_is_a_valid_mapping(tmp_path, monkeypatch, text):
    monkeypatch.setenv("HOLDFAST_ID_KEY", "a key of at least 16 characters")
    document = {**yaml.safe_load(text), "folder": "."}
    path = tmp_path / "example.yml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    assert load_mapping(path).tables["transactions"].columns


def test_there_are_examples():
    assert len(EXAMPLES) == 6


MODELS = [SourceMapping, TableMapping, ColumnMapping, Expectation, PostgresServer, PostgresTable]


@pytest.mark.parametrize("model", [*MODELS, ReturnFlag, FlagConvention, FillDown, OrderAmounts, SignFlag])
def test_every_key_is_described(model):
    undescribed = {name for name in model.model_fields if f"`{name}" not in GUIDE and f"{name}:" not in GUIDE}
    assert undescribed <= {"path"}, "`path` is where the YAML was found, no key of it"
    assert set(model.model_fields) - set(model.declared()) <= {"path"}
    assert all(key.doc for key in model.declared().values())


def test_the_tables_of_keys_are_those_of_the_code():
    assert with_key_tables(GUIDE) == GUIDE, "run python -m assets.ingest.mapping.reference"
    assert all(f"<!-- keys: {name} -->" in GUIDE for name in TABLES)


def test_a_table_of_no_keys_is_a_mistake_in_the_guide():
    with pytest.raises(KeyError, match="clumns"):
        with_key_tables("<!-- keys: clumns -->\nold\n<!-- end of keys -->\n")


def documents(model, name: str, example: str) -> dict:
    """A whole source around the example of one key."""
    said = yaml.safe_load(example)
    columns = {c.name: c.name for c in ENTITIES["transactions"].columns if c.name != "is_return"}
    table = {"files": "x.csv", "columns": columns}
    top = {"name": "shop"}
    if model is SourceMapping:
        top |= said
    elif model is ColumnMapping:
        columns |= said
    elif model is Expectation:
        table["expects"] = said
    elif model in (PostgresServer, PostgresTable):
        top["postgres"] = {"dsn_env": "SHOP"}
        del table["files"]
        table["postgres"] = {"table": "lines"}
        (top if model is PostgresServer else table).update(said)
    else:
        table |= said
    if "postgres" in top and "files" in table:
        table["postgres"] = {"table": table.pop("files")}
    return {**top, "tables": {"transactions": table}}


EXAMPLES_OF_KEYS = [(model, name, key) for model in MODELS for name, key in model.declared().items() if key.example]


@pytest.mark.parametrize(
    ("model", "name", "key"), EXAMPLES_OF_KEYS, ids=lambda value: value if type(value) is str else ""
)
def test_the_example_of_a_key_can_be_copied_and_uses_the_key(tmp_path, monkeypatch, model, name, key):
    monkeypatch.setenv("HOLDFAST_ID_KEY", "a key of at least 16 characters")
    (tmp_path / "exports").mkdir()
    path = tmp_path / "shop.yml"
    path.write_text(yaml.safe_dump(documents(model, name, key.example)), encoding="utf-8")
    mapping = load_mapping(path)
    table = mapping.tables["transactions"]
    holder = {
        SourceMapping: mapping,
        TableMapping: table,
        ColumnMapping: table.columns[next(iter(yaml.safe_load(key.example)))] if model is ColumnMapping else None,
        Expectation: table.expects,
        PostgresServer: mapping.postgres,
        PostgresTable: table.postgres,
    }[model]
    default = model.model_fields[name].get_default()
    assert getattr(holder, name) != default, "an example that says what is so anyway shows nothing"


def test_only_columns_of_a_source_need_no_example():
    without = {(m.__name__, name) for m in MODELS for name, key in m.declared().items() if not key.example}
    assert without == {("SourceMapping", "tables"), ("TableMapping", "columns"), ("TableMapping", "postgres")}


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


def test_the_declared_tables_are_those_of_the_code():
    lineage = {"source": "varchar", "batch_id": "varchar"}
    for entity in ENTITIES.values():
        shown = {f"has_{c.name}" if c.personal else c.name: "boolean" if c.personal else c.type for c in entity.columns}
        assert declared_table(f"ingest.{entity.name}").duckdb_types == shown | lineage


def test_personal_columns_are_those_of_the_code_and_marked():
    path = DBT_PROJECT_DIR / "models" / "python_sources" / "personal.yml"
    tables = {table["name"]: table for table in yaml.safe_load(path.read_text())["sources"][0]["tables"]}
    assert set(tables) == {"customers", "quarantined_rows"}
    own = {c.name: c.type for c in ENTITIES["customers"].columns if c.personal}
    declared = declared_table("personal.customers").duckdb_types
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
