"""Ids of a source that are no customers, and large ones that are: said by a person.

In: the key `accounts` of the YAML. Out: the condition by which rows are left out, and the ids as the tables have them.
What happens to ids that are far outside the population does not belong here (`features.outlier_accounts`).
"""

import re
from collections.abc import Sequence
from typing import Annotated

import duckdb
from pydantic import model_validator

from assets.ingest.canonical import Column
from assets.ingest.mapping.columns import ColumnMapping
from assets.ingest.mapping.language import Key, Keys, Mistake, Texts
from assets.shared.quoting import literals


class Accounts(Keys):
    """`exclude`: rows of these ids are left out. `include`: customers, however large."""

    exclude: Annotated[
        Texts,
        Key(
            "ids that are no customers, as the files write them or as the tables have them (after `case`, `hash` and "
            "the like): a house account, walk-in buyers, tests. Their rows are left out, and counted as such",
            "exclude: [POS-WALKIN, GUEST]",
            "none",
        ),
    ] = ()
    include: Annotated[
        Texts,
        Key(
            "large ids that are customers all the same, written likewise; see [below](#accounts-that-are-no-customers)",
            "include: [C0042]",
            "none",
        ),
    ] = ()

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "Accounts":
        if both := sorted(set(self.exclude) & set(self.include)):
            raise Mistake(f"{both[0]!r} is in both accounts.exclude and accounts.include", "remove it from one of them")
        return self

    def as_published(self, mapping: ColumnMapping | None, column: Column) -> "Accounts":
        """With the ids as the tables have them, where `mapping` makes others of those of the files. What is hashed is
        then in clear no more."""
        if mapping is None or not mapping.is_changed or not (self.exclude or self.include):
            return self
        return Accounts(
            exclude=_published(self.exclude, mapping, column), include=_published(self.include, mapping, column)
        )

    def is_excluded_sql(self, is_mapped: bool) -> str:
        """Expression over `given_customer_id`, where that is mapped: is the row of an excluded id? Never NULL."""
        if not self.exclude or not is_mapped:
            return "false"
        return f"coalesce(cast(given_customer_id as varchar) in {literals(self.exclude)}, false)"


#: What `hash` makes of an id.
_HASHED = re.compile("[0-9a-f]{32}")


def _published(ids: Sequence[str], mapping: ColumnMapping, column: Column) -> tuple[str, ...]:
    is_hashed = mapping.hash.is_used()
    kept = [said for said in ids if not is_hashed or _HASHED.fullmatch(said)]
    with duckdb.connect() as con:
        mapping.hash.set_on(con)
        made = con.execute(
            f"select {mapping.through_steps('said', column)} from (select unnest(cast(? as varchar[])) as said)",
            [list(ids)],
        ).fetchall()
    return tuple(dict.fromkeys([*kept, *(text for (text,) in made if text is not None)]))
