"""docs/connecting-a-source.md is complete and true: its examples load, and no key or column is left out."""

import re
from pathlib import Path

import pytest
import yaml
from landed_shop import TOYSHOP

from assets.ingest.canonical import ENTITIES
from assets.ingest.mapping import ColumnMapping, SourceMapping, TableMapping, load_mapping

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
    assert len(EXAMPLES) == 4


@pytest.mark.parametrize("model", [SourceMapping, TableMapping, ColumnMapping])
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


def test_the_declared_tables_are_those_of_the_code():
    path = Path(__file__).resolve().parents[3] / "dbt_project" / "models" / "python_sources" / "ingest.yml"
    tables = {table["name"]: table for table in yaml.safe_load(path.read_text())["sources"][0]["tables"]}
    for entity in ENTITIES.values():
        declared = {column["name"]: column["data_type"] for column in tables[entity.name]["columns"]}
        assert declared == {c.name: c.type for c in entity.columns} | {"source": "varchar", "batch_id": "varchar"}


def test_personal_columns_are_marked():
    path = Path(__file__).resolve().parents[3] / "dbt_project" / "models" / "python_sources" / "ingest.yml"
    tables = {table["name"]: table for table in yaml.safe_load(path.read_text())["sources"][0]["tables"]}
    marked = {
        column["name"]
        for table in ("customers", "quarantined_rows")
        for column in tables[table]["columns"]
        if column.get("config", {}).get("meta", {}).get("personal")
    }
    assert marked == {"birth_date", "email", "phone", "postal_code", "full_name", "reason", "raw_text"}
