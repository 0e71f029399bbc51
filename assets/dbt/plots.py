"""Pictures of SQL-made tables, where people would rather look than read.

In: a connection to the warehouse and the tables just built. Out: PNG bytes by table. One function a table; each
reads an aggregate of a few hundred rows, never the table itself.
"""

from collections.abc import Callable, Sequence

import duckdb

from assets.shared.plots import BLUE, GREEN, GREY, ORANGE, RED, canvas

STAGES = ("never_purchased", "new", "active", "silent", "dormant", "lost")


def draw(con: duckdb.DuckDBPyConnection, tables: Sequence[str]) -> dict[str, tuple[str, bytes]]:
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
    rows = con.execute(
        "select day, count(*), sum(net_sales)::double from features.customer_day group by day order by day"
    ).fetchall()
    if not rows:
        return None
    days, customers, sales = zip(*rows, strict=True)
    with canvas() as made:
        top, bottom = made.figure.subplots(2, 1, sharex=True)
        top.plot(days, customers, color=BLUE, linewidth=1)
        top.set_ylabel("customers")
        bottom.plot(days, sales, color=GREEN, linewidth=1)
        bottom.set_ylabel("net sales")
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
        grid[int(recency) - 1][int(frequency) - 1] = n
    return _heat(
        grid,
        [str(n) for n in range(1, 6)],
        [str(n) for n in range(1, 6)],
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
    stages = [stage for stage in STAGES if any(stage in row[:2] for row in rows)]
    if not rows:
        return None
    grid = [[0] * len(stages) for _ in stages]
    for before, after, n in rows:
        grid[stages.index(before)][stages.index(after)] = int(n)
    return _heat(
        grid,
        stages,
        stages,
        "stage at the end of the month",
        "stage a month before",
        "Customers moving between stages, newest complete month",
    )


def _kpis(con: duckdb.DuckDBPyConnection) -> bytes | None:
    rows = con.execute(
        "select kpi_date, n_active_customers, churn_rate from marts.retention_kpis "
        "where dimension = 'total' order by kpi_date"
    ).fetchall()
    if not rows:
        return None
    days, active, churn = zip(*rows, strict=True)
    with canvas() as made:
        top, bottom = made.figure.subplots(2, 1, sharex=True)
        top.plot(days, active, color=BLUE, linewidth=1)
        top.set_ylabel("active customers")
        bottom.plot(days, [None if c is None else 100 * c for c in churn], color=RED, linewidth=1)
        bottom.set(ylabel="churn rate, %", xlabel="day (open windows are left blank)")
        made.figure.suptitle("Active customers and churn rate", fontsize=10)
    return made.png


def _cohorts(con: duckdb.DuckDBPyConnection) -> bytes | None:
    rows = con.execute(
        "select cohort_month, months_since_first, retained_share from marts.cohort_retention "
        "where is_complete order by all"
    ).fetchall()
    if not rows:
        return None
    with canvas() as made:
        axes = made.figure.subplots()
        cohorts = sorted({row[0] for row in rows})
        for n, cohort in enumerate(cohorts):
            curve = [(row[1], 100 * row[2]) for row in rows if row[0] == cohort]
            shade = n / max(len(cohorts) - 1, 1)
            axes.plot(*zip(*curve, strict=True), color=BLUE, alpha=0.25 + 0.75 * shade, linewidth=1.2, marker=".")
        axes.set(xlabel="months since the first purchase", ylabel="customers buying, %", ylim=(0, 105))
        axes.set_title(f"Retention by cohort, {cohorts[0]:%b %Y} (pale) to {cohorts[-1]:%b %Y} (dark)", fontsize=10)
    return made.png


def _heat(grid, columns, rows, xlabel: str, ylabel: str, title: str) -> bytes:
    with canvas(6.4, 4.2) as made:
        axes = made.figure.subplots()
        axes.imshow(grid, cmap="Blues", aspect="auto")
        darkest = max(max(line) for line in grid) or 1
        for y, line in enumerate(grid):
            for x, n in enumerate(line):
                axes.text(
                    x, y, f"{n:,}", ha="center", va="center", fontsize=8, color="white" if n > darkest / 2 else "black"
                )
        axes.set_xticks(range(len(columns)), columns)
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
    "marts.retention_kpis": ("Active customers and churn rate", _kpis),
    "marts.cohort_retention": ("Retention curves by cohort", _cohorts),
}
