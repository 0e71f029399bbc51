"""The plan as a picture: what it is expected to earn and cost, where it stops, and why candidates are not contacted.

In: `actions.contact_plan`. Out: PNG bytes. Drawing is off screen; matplotlib is imported only when a picture is made.
"""

import textwrap

import duckdb
import numpy as np

from assets.shared.params import Params
from assets.shared.plots import BLUE, GREEN, GREY, ORANGE, RED, canvas, in_currency
from assets.shared.warehouse import fetch_value

DECISION_COLOURS = {"contact": GREEN, "holdout": ORANGE, "not_contacted": GREY}


def draw_contact_plan(con: duckdb.DuckDBPyConnection, params: Params) -> bytes:
    """PNG of the plan in `actions.contact_plan`."""
    contacts = con.execute(
        """
        select expected_incremental_profit as profit, contact_cost + offer_cost * redeem_probability as spend
        from actions.contact_plan where decision = 'contact' order by plan_rank
        """
    ).fetchnumpy()
    as_of = fetch_value(con, "select max(as_of_date) from actions.contact_plan")
    return draw_plan(
        np.asarray(contacts["profit"], dtype=float),
        np.asarray(contacts["spend"], dtype=float),
        params.actions_daily_budget,
        count_decisions(con),
        title=f"Contact plan as of {as_of}" if as_of else "Contact plan: no candidates",
        currency=in_currency(con),
    )


def count_decisions(con: duckdb.DuckDBPyConnection) -> list[tuple[str, str, int]]:
    """(words, contact | holdout | not_contacted, candidates), most first. The sign for any currency, which marts
    replace by that of the business, is left out: the axes say whose money it is."""
    return con.execute(
        """
        select replace(coalesce(reason_not_contacted, 'contact'), '¤', '') as words, decision, count(*) as n
        from actions.contact_plan group by all order by n desc, words
        """
    ).fetchall()


def draw_plan(
    profit: np.ndarray,
    spend: np.ndarray,
    budget: float,
    decisions: list[tuple[str, str, int]],
    title: str,
    currency: str,
) -> bytes:
    """PNG: cumulative expected profit and spend over contacts in rank order, and the count of each decision.

    profit, spend: money a contact, in rank order. decisions: (words, contact | holdout | not_contacted, count),
    largest first. currency: words for the axis (`in_currency`).
    """
    ranks = np.arange(len(profit) + 1)
    total_profit, total_spend = (np.r_[0.0, np.cumsum(values)] for values in (profit, spend))
    shown = decisions[::-1]
    contacts = "contact" if len(profit) == 1 else "contacts"
    with canvas(width=13, height=5) as drawn:
        left, right = drawn.figure.subplots(1, 2, width_ratios=(1, 1.15))
        drawn.figure.suptitle(title)

        left.plot(ranks, total_profit, color=BLUE, label="expected incremental profit")
        left.plot(ranks, total_spend, color=RED, label="expected spend (contacts and offers)")
        # A budget far above the curves would flatten them: then it is only named.
        if budget <= 2 * max(total_profit[-1], total_spend[-1]):
            left.axhline(budget, color=RED, linestyle=":", label=f"budget {budget:,.0f}")
        else:
            left.plot([], [], linestyle="none", label=f"budget {budget:,.0f} (beyond the axis)")
        left.axvline(len(profit), color=GREY, linestyle="--", label=f"stops after {len(profit):,} {contacts}")
        left.set(xlabel="contacts, most profitable first", ylabel=f"money, {currency}, cumulative")
        left.legend(loc="best", fontsize=8)
        left.grid(alpha=0.25)

        bars = right.barh(
            [textwrap.fill(words, 46) for words, _, _ in shown],
            [count for _, _, count in shown],
            color=[DECISION_COLOURS[decision] for _, decision, _ in shown],
        )
        right.bar_label(bars, [f"{count:,}" for _, _, count in shown], padding=3, fontsize=8)
        right.tick_params(axis="y", labelsize=8)
        right.margins(x=0.15)
        right.set(xlabel="candidates")
    return drawn.png
