"""Whose scores are explained: those that somebody will look at.

In: the scores and the contact plan of a date. Out: a condition in SQL and its parameters.
"""

from dataclasses import dataclass
from datetime import date
from math import ceil, inf

import duckdb

from assets.shared.params import Params
from assets.shared.warehouse import fetch_value

SCORES_TABLE = "score.churn_scores"
PLAN_TABLE = "actions.contact_plan"

#: Who is on the list, of `scores` (rows of `SCORES_TABLE`).
IS_LISTED = f"""
    scores.is_eligible and (
        coalesce(scores.value_at_risk >= $explained_from, false)
        or exists (
            select 1
            from {PLAN_TABLE} as plan
            where plan.customer_id = scores.customer_id
                and plan.as_of_date = $as_of
                and plan.decision in ('contact', 'holdout')
        )
    )
"""


@dataclass(frozen=True)
class Listing:
    """Who is on the list as of a date: whoever the plan contacts or holds out, and everybody whose value at risk is at
    least `explained_from` (-inf: everybody who is scored, inf: nobody else)."""

    as_of: date
    explained_from: float

    @property
    def parameters(self) -> dict[str, object]:
        """Of `IS_LISTED`."""
        return {"as_of": self.as_of, "explained_from": self.explained_from}


def list_explained(con: duckdb.DuckDBPyConnection, as_of: date, params: Params) -> Listing:
    """Everybody up to `explain_all_up_to` scored customers; beyond it the top `explain_top_share` by value at risk, all
    who tie with the last of them included, and never fewer than the plan's own trigger by value at risk proposes. A
    calendar entry chooses by dates and not by value: so the plan itself is on the list too."""
    n_scored = fetch_value(con, f"select count(*) from {SCORES_TABLE} where is_eligible")
    n_listed = top_count(n_scored, max(params.explain_top_share, params.actions_value_at_risk_top_share))
    if n_scored <= params.explain_all_up_to or n_listed >= n_scored:
        return Listing(as_of, -inf)
    if n_listed == 0:
        return Listing(as_of, inf)
    least = fetch_value(
        con,
        f"select value_at_risk from {SCORES_TABLE} where is_eligible order by value_at_risk desc limit 1 offset ?",
        [n_listed - 1],
    )
    return Listing(as_of, float(least))


def top_count(n: int, share: float) -> int:
    """How many the top share of n is, rounded up; less a hair, because 0.07 x 100 is a little more than 7 in binary."""
    return ceil(share * n - 1e-9)
