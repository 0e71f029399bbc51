"""What is published: the marts as the dbt project declares them.

In: keys, words and indexes of each mart. Out: a `Marts` that stage publish hands around as one thing. How the
declarations are read belongs to `defs`, what is done with them to the modules of the targets.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from assets.shared.quoting import quoted


@dataclass(frozen=True)
class Mart:
    """One mart. `key`: columns by which its rows are sorted; `primary_key`, where it is another; `comment` and
    `columns` (name to words) for readers; `indexes`: columns that BI tools filter by."""

    key: Sequence[str]
    comment: str = ""
    columns: Mapping[str, str] = field(default_factory=dict)
    primary_key: Sequence[str] = ()
    indexes: Sequence[Sequence[str]] = ()

    @property
    def ordering(self) -> str:
        """Its `order by`; without a key, by everything."""
        return ", ".join(map(quoted, self.key)) if self.key else "all"


@dataclass(frozen=True)
class Marts:
    """All marts by name, and names of columns that must never be published, such as personal data. `schema` is where
    they lie in the engine, `catalog.schema` allowed."""

    tables: Mapping[str, Mart]
    forbidden_columns: Collection[str] = ()
    schema: str = "marts"

    def relation(self, name: str) -> str:
        """The mart as it is called in a statement."""
        return quoted(f"{self.schema}.{name}")

    def within(self, catalog: str, names: Collection[str]) -> "Marts":
        """Those of them that are among `names`, as they lie in another database."""
        tables = {name: mart for name, mart in self.tables.items() if name in names}
        return replace(self, tables=tables, schema=f"{catalog}.marts")


#: For a target that is only read, or a rollback to a set that every target holds already.
NO_MARTS = Marts({})
