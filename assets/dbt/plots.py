"""Pictures of SQL-made tables, where people would rather look than read.

In: a connection to the warehouse and the tables just built. Out: PNG bytes by table. One function a table; each
reads an aggregate of a few hundred rows, never the table itself.
"""

from collections.abc import Callable, Sequence
from datetime import date

import duckdb

from assets.shared.plots import BLUE, GREEN, GREY, ORANGE, RED, canvas, in_currency
from assets.shared.warehouse import fetch_value

#: Rows and columns of the picture of cohorts: the newest two years.
MOST_COHORTS = 24
STAGES = ("never_purchased", "new", "active", "silent", "dormant", "lost")
#: Where movements start for customers who came into sight in the month.
NOT_YET = "not_yet_customer"


def draw_plots(con: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> dict[str, tuple[str, bytes]]:
    """Table to (what the picture shows, PNG) for those of `tables` that have one and hold rows."""
    made = {}
    for table in tables:
        if table in _PICTURES:
            words, draw_one = _PICTURES[table]
            png = draw_one(con)
            if png:
                made[table] = (words, png)
    return made


def _days(con: duckdb.DuckDBPyConnection) -> bytes | None:
    # Days from the as-of date on are not known in full: the last one would look like a collapse.
    rows = con.execute(
        "select day, count(*), sum(net_sales)::double from features.customer_day "
        "where day < ? group by day order by day",
        [_as_of(con)],
    ).fetchall()
    if not rows:
        return None
    days, customers, sales = zip(*rows, strict=True)
    with canvas() as made:
        top, bottom = made.figure.subplots(2, 1, sharex=True)
        top.plot(days, customers, color=BLUE, linewidth=1)
        top.set_ylabel("customers")
        bottom.plot(days, sales, color=GREEN, linewidth=1)
        bottom.set_ylabel(f"net sales, {in_currency(con)}")
        bottom.set_xlabel("day")
        made.figure.suptitle("Customers and net sales by day", fontsize=10)
    return made.png


def _silence(con: duckdb.DuckDBPyConnection) -> bytes | None:
    rows = con.execute(
        "select least(days_since_last_order, 120)::int, count(*) from features.customer_features "
        "where days_since_last_order is not null group by 1 order by 1"
    ).fetchall()
    if not rows:
        return None
    with canvas() as made:
        axes = made.figure.subplots()
        axes.bar([r[0] for r in rows], [r[1] for r in rows], width=1, color=BLUE)
        axes.set(xlabel="days since the last order (120 and more in the last bar)", ylabel="customers")
        axes.set_title("How long customers have been silent", fontsize=10)
    return made.png


def _stages(con: duckdb.DuckDBPyConnection) -> bytes | None:
    rows = dict(con.execute("select lifecycle_stage, count(*) from segments.customer_lifecycle group by 1").fetchall())
    if not rows:
        return None
    colours = [GREY, BLUE, GREEN, ORANGE, RED, GREY]
    with canvas(height=2.6) as made:
        axes = made.figure.subplots()
        bars = axes.barh(STAGES[::-1], [rows.get(stage, 0) for stage in STAGES[::-1]], color=colours[::-1])
        axes.bar_label(bars, fmt="{:,.0f}", padding=3)
        axes.set(xlabel="customers")
        axes.set_title("Lifecycle stages", fontsize=10)
    return made.png


def _rfm(con: duckdb.DuckDBPyConnection) -> bytes | None:
    rows = con.execute(
        "select r_score, f_score, count(*) from segments.customer_rfm where r_score is not null group by all"
    ).fetchall()
    if not rows:
        return None
    grid = [[0] * 5 for _ in range(5)]
    for recency, frequency, n in rows:
        grid[5 - int(recency)][int(frequency) - 1] = n
    return _heat(
        grid,
        [[f"{n:,}" for n in line] for line in grid],
        [str(n) for n in range(1, 6)],
        [str(n) for n in range(5, 0, -1)],
        "frequency score",
        "recency score",
        "Customers by RFM recency and frequency (5 is best)",
    )


def _transitions(con: duckdb.DuckDBPyConnection) -> bytes | None:
    rows = con.execute(
        """
        select from_stage, to_stage, sum(n_customers)
        from segments.lifecycle_transitions
        where is_complete and to_month = (select max(to_month) from segments.lifecycle_transitions where is_complete)
        group by all
        """
    ).fetchall()
    stages = [stage for stage in (*STAGES, NOT_YET) if any(stage in row[:2] for row in rows)]
    if not rows:
        return None
    grid = [[0] * len(stages) for _ in stages]
    for before, after, n in rows:
        grid[stages.index(before)][stages.index(after)] = int(n)
    shares = [[n / sum(line) if sum(line) else 0.0 for n in line] for line in grid]
    names = [stage.replace("_", " ") for stage in stages]
    return _heat(
        shares,
        [
            [f"{n:,}\n{share:.0%}" if n else "0" for n, share in zip(*line, strict=True)]
            for line in zip(grid, shares, strict=True)
        ],
        names,
        names,
        "stage at the end of the month",
        "stage a month before",
        "Customers moving between stages in the newest complete month\n(colour: share of the row)",
    )


def _kpis(con: duckdb.DuckDBPyConnection) -> bytes | None:
    # Where the data begin less than a window before, too few customers count as active and the rate means nothing.
    censored = _has_column(con, "marts.retention_kpis_total", "is_left_censored")
    rate = "case when not coalesce(is_left_censored, false) then churn_rate end" if censored else "churn_rate"
    rows = con.execute(
        f"select kpi_date, n_active_customers, {rate} from marts.retention_kpis_total order by kpi_date"
    ).fetchall()
    if not rows:
        return None
    days, active, churn = zip(*rows, strict=True)
    with canvas() as made:
        top, bottom = made.figure.subplots(2, 1, sharex=True)
        top.plot(days, active, color=BLUE, linewidth=1)
        top.set_ylabel("active customers")
        bottom.plot(days, [None if c is None else 100 * c for c in churn], color=RED, linewidth=1)
        bottom.set(ylabel="churn rate, %", xlabel="day (no rate where its window is not whole)")
        made.figure.suptitle("Active customers and churn rate", fontsize=10)
    return made.png


def _cohorts(con: duckdb.DuckDBPyConnection) -> bytes | None:
    rows = con.execute(
        f"""
        select cohort_month, months_since_first, retained_share, n_customers from marts.cohort_retention
        where is_complete and months_since_first > 0 and not ({_first_data_month(con)}) order by all
        """
    ).fetchall()
    if not rows:
        return None
    shares = {(cohort, month): share for cohort, month, share, _ in rows}
    sizes = {cohort: n for cohort, _, _, n in rows}
    cohorts = sorted({row[0] for row in rows})[-MOST_COHORTS:]
    months = range(1, min(max(row[1] for row in rows), MOST_COHORTS) + 1)
    grid = [[shares.get((cohort, month)) for month in months] for cohort in cohorts]
    return _heat(
        grid,
        [["" if share is None else f"{100 * share:.0f}" for share in line] for line in grid],
        [str(month) for month in months],
        [f"{cohort:%b %Y} ({sizes[cohort]:,})" for cohort in cohorts],
        "months since the first purchase",
        "month of the first purchase (customers)",
        "Share of a cohort that buys in a later month, %",
    )


def _first_data_month(con: duckdb.DuckDBPyConnection) -> str:
    """SQL condition for cohorts that are none: whoever was a customer before the data begin seems to begin with them,
    so the first month holds old customers and new ones."""
    if _has_column(con, "marts.cohort_retention", "is_before_data"):
        return "coalesce(is_before_data, false)"
    if _has_column(con, "features.customer_day", "day"):
        return "cohort_month = (select date_trunc('month', min(day)) from features.customer_day)"
    return "false"


def _as_of(con: duckdb.DuckDBPyConnection) -> date | None:
    """The date that the features speak of; None before there are any."""
    if not _has_column(con, "features.customer_features", "as_of_date"):
        return None
    return fetch_value(con, "select max(as_of_date) from features.customer_features")


def _has_column(con: duckdb.DuckDBPyConnection, table: str, column: str) -> bool:
    schema, name = table.split(".")
    return bool(
        con.execute(
            "select 1 from information_schema.columns where table_schema = ? and table_name = ? and column_name = ?",
            [schema, name, column],
        ).fetchall()
    )


def _heat(
    shades: Sequence[Sequence[float | None]],
    words: Sequence[Sequence[str]],
    columns: Sequence[str],
    rows: Sequence[str],
    xlabel: str,
    ylabel: str,
    title: str,
) -> bytes:
    """A table of cells: `shades` colour them (None: left white), `words` stand in them; first row on top."""
    height = max(3.6, 1.7 + 0.36 * len(rows))
    with canvas(max(6.4, 1.8 + 0.52 * len(columns)), height) as made:
        axes = made.figure.subplots()
        known = [value for line in shades for value in line if value is not None]
        darkest = max(known, default=0) or 1
        drawn = [[float("nan") if value is None else value for value in line] for line in shades]
        axes.imshow(drawn, cmap="Blues", aspect="auto", vmin=0, vmax=darkest)
        for y, line in enumerate(words):
            for x, text in enumerate(line):
                shade = shades[y][x]
                dark = shade is not None and shade > 0.55 * darkest
                axes.text(x, y, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")
        turned = max(map(len, columns)) > 6
        axes.set_xticks(
            range(len(columns)),
            columns,
            rotation=35 if turned else 0,
            ha="right" if turned else "center",
            rotation_mode="anchor" if turned else "default",
        )
        axes.set_yticks(range(len(rows)), rows)
        axes.set(xlabel=xlabel, ylabel=ylabel)
        axes.set_title(title, fontsize=10)
    return made.png


_PICTURES: dict[str, tuple[str, Callable[[duckdb.DuckDBPyConnection], bytes | None]]] = {
    "features.customer_day": ("Customers and net sales by day", _days),
    "features.customer_features": ("Days since the last order", _silence),
    "segments.customer_lifecycle": ("Customers by lifecycle stage", _stages),
    "segments.customer_rfm": ("Customers by RFM scores", _rfm),
    "segments.lifecycle_transitions": ("Movement between stages", _transitions),
    "marts.retention_kpis_total": ("Active customers and churn rate", _kpis),
    "marts.cohort_retention": ("Retention by cohort and month", _cohorts),
}
