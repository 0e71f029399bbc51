"""The stores of a home that have a period: what each holds, how long it is kept, and the least that may be said.

Published totals have none: tables without a row a person, and the plans that effects are measured by, until a person
says otherwise.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Store:
    """days: kept if nobody says otherwise; None for ever. least: fewer days would break a later night."""

    what: str
    days: int | None
    least: int


STORES = {
    "runs": Store("what Dagster wrote about a run, and its logs", 30, 1),
    "exports": Store("export files with addresses, by their night", 90, 1),
    "blocked": Store("nights that failed their checks, by their night", 90, 1),
    "quarantine": Store("rows that could not be used, from the landing of their file", None, 30),
    "personal": Store("who somebody is, from the last purchase or first appearance", None, 365),
    "history": Store("published tables of earlier nights that have a row a person", None, 400),
    "plans": Store("ledgers of planned, flagged and exported contacts, by their night", None, 800),
}
