"""The scores as a picture: how many customers are how likely to leave, and where the money at risk lies.

In: `score.churn_scores`. Out: PNG bytes, or None when nobody is scored.
"""

import duckdb

from assets.shared.plots import BLUE, RISING, canvas, in_currency

BANDS = ("low", "medium", "high", "critical")


def draw_scores(con: duckdb.DuckDBPyConnection) -> bytes | None:
    """PNG: customers by probability in steps of 5 %, and the value at risk of each band."""
    bars = con.execute(
        """
        select least(floor(churn_probability * 20), 19) / 20 as from_probability, count(*)
        from score.churn_scores where churn_probability is not null group by 1 order by 1
        """
    ).fetchall()
    if not bars:
        return None
    money = dict(
        con.execute(
            "select churn_band, sum(value_at_risk) from score.churn_scores where is_eligible group by 1"
        ).fetchall()
    )
    with canvas(width=9) as made:
        left, right = made.figure.subplots(1, 2)
        left.bar([100 * b[0] + 2.5 for b in bars], [b[1] for b in bars], width=4.6, color=BLUE)
        left.set(xlabel="probability of leaving, %", ylabel="customers", xlim=(0, 100))
        columns = right.bar(BANDS, [money.get(band) or 0 for band in BANDS], color=RISING)
        right.bar_label(columns, fmt="{:,.0f}", padding=2)
        right.margins(y=0.12)  # room for the label of the highest bar
        right.set(xlabel="churn band", ylabel=f"value at risk, {in_currency(con)}")
        made.figure.suptitle("Scores of eligible customers", fontsize=10)
    return made.png
