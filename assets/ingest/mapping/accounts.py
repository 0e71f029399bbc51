"""Ids of a source that are no customers, and large ones that are: said by a person.

In: the key `accounts` of the YAML. Out: the condition by which rows are left out. What happens to ids that are far
outside the population does not belong here (`features.outlier_accounts`).
"""

from typing import Annotated

from pydantic import model_validator

from assets.ingest.mapping.language import Key, Keys, Mistake, Texts
from assets.shared.quoting import literals


class Accounts(Keys):
    """`exclude`: rows of these ids are left out. `include`: customers, however large."""

    exclude: Annotated[
        Texts,
        Key(
            "ids that are no customers, as the tables have them: a house account, walk-in buyers, tests. Their rows "
            "are left out, and counted as such",
            "exclude: [POS-WALKIN, GUEST]",
            "none",
        ),
    ] = ()
    include: Annotated[
        Texts,
        Key(
            "large ids that are customers all the same; see [below](#accounts-that-are-no-customers)",
            "include: [C0042]",
            "none",
        ),
    ] = ()

    @model_validator(mode="after")
    def _one_or_the_other(self) -> "Accounts":
        if both := sorted(set(self.exclude) & set(self.include)):
            raise Mistake(f"{both[0]!r} is in both accounts.exclude and accounts.include", "remove it from one of them")
        return self

    def is_excluded_sql(self, is_mapped: bool) -> str:
        """Expression over `given_customer_id`, where that is mapped: is the row of an excluded id? Never NULL."""
        if not self.exclude or not is_mapped:
            return "false"
        return f"coalesce(cast(given_customer_id as varchar) in {literals(self.exclude)}, false)"
