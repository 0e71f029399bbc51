"""The tables of the project as the dbt YAML declares them: columns, types, rules. One home for Python and SQL.

In: the YAML files of `dbt_project/models`. Out: a `Table` for each model and for each table that Python makes. Read
without dbt, in a fraction of a second and once a process. Descriptions belong to dbt, which resolves their doc blocks.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from assets.shared.params import DBT_PROJECT_DIR
from assets.shared.quoting import identifier

if TYPE_CHECKING:
    import pyarrow as pa

#: Types of contracts in the dialect of DuckDB, where it has another name for them.
_DUCKDB_TYPES = {"string": "varchar", "int": "integer"}


@dataclass(frozen=True)
class Column:
    """A declared column. data_type: as in the contract. rules: what must be true of it, as the YAML has them."""

    name: str
    data_type: str
    rules: tuple[Mapping[str, Any], ...] = ()

    @property
    def duckdb_type(self) -> str:
        return _DUCKDB_TYPES.get(self.data_type, self.data_type)


@dataclass(frozen=True)
class Table:
    """A declared table, `schema.name`, with its columns in order and the rules about whole rows or the whole table.
    is_there_from_start: views of earlier stages name it, so a run makes it, empty, before its first stage."""

    name: str
    columns: tuple[Column, ...]
    rules: tuple[Mapping[str, Any], ...] = ()
    is_there_from_start: bool = False

    @property
    def duckdb_types(self) -> dict[str, str]:
        """Column name to DuckDB type, in order."""
        return {column.name: column.duckdb_type for column in self.columns}

    @property
    def column_list(self) -> str:
        """The columns with their types as a `create table` takes them."""
        return ", ".join(f"{identifier(name)} {kind}" for name, kind in self.duckdb_types.items())

    @property
    def arrow_schema(self) -> "pa.Schema":
        """The same for Arrow. Raises KeyError for a type that no table made from Arrow has (a decimal)."""
        import pyarrow as pa  # heavier than all that this module is asked for otherwise

        types = {
            "boolean": pa.bool_(),
            "int": pa.int32(),
            "bigint": pa.int64(),
            "double": pa.float64(),
            "string": pa.string(),
            "date": pa.date32(),
            "timestamp": pa.timestamp("us"),
        }
        return pa.schema([(column.name, types[column.data_type]) for column in self.columns])


@cache
def declared_tables() -> Mapping[str, Table]:
    """Every declared table by its name `schema.table`."""
    found: dict[str, Table] = {}
    for path in sorted((DBT_PROJECT_DIR / "models").rglob("*.yml")):
        # The C loader, because the many files of the project take the other one a second.
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader) or {}
        stage = path.relative_to(DBT_PROJECT_DIR / "models").parts[0]
        for model in content.get("models", ()):
            table = read_table(f"{stage}.{model['name']}", model)
            found[table.name] = table
        for source in content.get("sources", ()):
            for declaration in source["tables"]:
                table = read_table(f"{source.get('schema', source['name'])}.{declaration['name']}", declaration)
                found[table.name] = table
    return found


def declared_table(name: str) -> Table:
    """The declaration of `schema.table`. Raises KeyError where the project declares no such table."""
    return declared_tables()[name]


def tables_of(schema: str) -> list[Table]:
    """The declared tables of a schema."""
    return [table for name, table in declared_tables().items() if name.startswith(f"{schema}.")]


def read_table(name: str, declaration: Mapping[str, Any]) -> Table:
    """The table `schema.table` of one entry of the YAML, model or source table."""
    return Table(
        name,
        tuple(
            Column(column["name"], column.get("data_type", "string"), _rules_of(column))
            for column in declaration.get("columns", ())
        ),
        _rules_of(declaration),
        _meta(declaration).get("is_there_from_start", False),
    )


def _rules_of(declaration: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    return tuple(_meta(declaration).get("rules", ()))


def _meta(declaration: Mapping[str, Any]) -> Mapping[str, Any]:
    return declaration.get("config", {}).get("meta", {})
