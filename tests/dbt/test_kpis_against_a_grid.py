"""KPI stocks come from running sums over changes; here they are counted again, customer by customer and day by day."""

import json
from collections import defaultdict
from datetime import date, timedelta
from random import Random

import duckdb
import pytest

from assets.dbt.runner import invoke_dbt
from assets.shared.settings import Settings, prepare_home

AS_OF = date(2018, 3, 1)
FIRST_DAY = date(2018, 1, 1)
NODES = (4, 9, 15)
#: Closed for a week across a month's end, and for eight days up to the morning itself.
CLOSED = frozenset(date(2018, 1, 27) + timedelta(n) for n in range(7)) | frozenset(
    AS_OF - timedelta(n) for n in range(1, 9)
)
KPI_MODELS = ("kpi_event_days", "kpi_cells", "kpi_daily", "kpi_levels", "retention_kpis_total")
#: Measures in the order of `counted_by_hand`.
COUNTED = (
    "n_customers",
    "n_active_customers",
    "n_retained_customers",
    "n_opening_customers",
    "n_new_customers",
    "n_won_back_customers",
    "n_resumed_customers",
    "n_lost_customers",
    "n_closing_customers",
)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory, project):
    """The KPI models as SQL for a warehouse of the module's own, and that warehouse."""
    settings = Settings(home=tmp_path_factory.mktemp("kpis"), sources=("toy",))
    prepare_home(settings)

    def compile_with(horizon: int) -> tuple[str, ...]:
        variables = {"as_of_date": AS_OF.isoformat(), "churn_horizon_days": horizon}
        arguments = ["compile", "--select", *KPI_MODELS, "--vars", json.dumps(variables)]
        found = invoke_dbt(settings, arguments, manifest=project.manifest).result.results
        texts = {each.node.name: each.node.compiled_code for each in found}
        return tuple(texts[name] for name in KPI_MODELS)

    return settings, compile_with


def purchases(seed: int, closed: frozenset[date]) -> dict[str, set[date]]:
    """Order days of twenty customers: some regular, some rare, one with an order on the as-of date as well."""
    random = Random(seed)
    days = (AS_OF - FIRST_DAY).days
    found = {
        f"c{number}": {FIRST_DAY + timedelta(random.randrange(days)) for _ in range(random.choice((1, 2, 5, 20)))}
        - closed
        for number in range(20)
    }
    found["c0"] |= {FIRST_DAY, AS_OF}
    return found


def stage(n_orders: int, silence: int) -> str:
    silent, dormant, lost = NODES
    if silence >= lost:
        return "lost"
    if silence >= dormant:
        return "dormant"
    if silence >= silent:
        return "silent"
    return "new" if n_orders == 1 else "active"


def open_days(start: date, end: date, closed: frozenset[date]) -> int:
    """From `start` up to the morning of `end`."""
    return sum(start + timedelta(n) not in closed for n in range((end - start).days))


def counted_by_hand(
    orders: dict[str, set[date]], horizon: int, closed: frozenset[date]
) -> dict[tuple[date, str], list[int]]:
    """(day, stage of the evening or 'all') to the measures of COUNTED, customer by customer."""
    numbers = defaultdict(lambda: [0] * len(COUNTED))
    day = FIRST_DAY
    while day < AS_OF:
        for days in orders.values():
            before = [other for other in days if other <= day]
            if not before:
                continue
            silence = open_days(max(before), day + timedelta(1), closed)
            evening = stage(len(before), silence)
            earlier = [other for other in days if other < day]
            morning = stage(len(earlier), open_days(max(earlier), day, closed)) if earlier else None
            has_bought = day in days
            is_active = silence <= horizon
            is_retained = is_active and any(
                day < other < AS_OF and open_days(day + timedelta(1), other, closed) < horizon for other in days
            )
            found = (
                True,
                is_active,
                is_retained,
                morning not in (None, "lost"),
                morning is None,
                has_bought and morning == "lost",
                has_bought and morning in ("silent", "dormant"),
                evening == "lost" != morning,
                evening != "lost",
            )
            for key in ("all", evening):
                for place, holds in enumerate(found):
                    numbers[day, key][place] += holds
        day += timedelta(1)
    return numbers


# A horizon shorter than the first node, between two nodes, and longer than all of them; without and with closures.
@pytest.mark.parametrize(
    ("seed", "horizon", "closed"),
    [
        (1, 3, frozenset()),
        pytest.param(2, 11, frozenset(), marks=pytest.mark.campaign),
        pytest.param(3, 20, frozenset(), marks=pytest.mark.campaign),
        pytest.param(4, 3, CLOSED, marks=pytest.mark.campaign),
        (5, 11, CLOSED),
        pytest.param(6, 20, CLOSED, marks=pytest.mark.campaign),
    ],
)
def test_stocks_are_what_a_grid_of_customers_and_days_gives(compiled, seed, horizon, closed):
    settings, compile_with = compiled
    event_days, cells, daily, levels, _ = compile_with(horizon)
    orders = purchases(seed, closed)
    with duckdb.connect(str(settings.warehouse)) as con:
        for schema in ("features", "staging", "segments", "score", "measure", "ingest"):
            con.execute(f"create schema if not exists {schema}")
        con.execute(
            "create or replace table ingest.business_days"
            " (day date, closed_days_before int, open_day date, is_closed boolean)"
        )
        first = min(closed, default=AS_OF + timedelta(1))
        for day in (first + timedelta(n) for n in range((AS_OF - first).days + 1)):
            n_closed = sum(other < day for other in closed)
            con.execute(
                "insert into ingest.business_days values (?, ?, ?, ?)",
                [day, n_closed, day - timedelta(n_closed), day in closed],
            )
        con.execute(
            "create or replace table features.customer_day"
            " (customer_id text, day date, n_orders bigint, net_sales decimal(18, 4), channel text)"
        )
        con.executemany(
            "insert into features.customer_day values (?, ?, 1, 10, 'web')",
            [(customer, day) for customer, days in orders.items() for day in days],
        )
        con.execute(
            "create or replace table features.lifecycle_nodes as"
            " select ?::date as cutoff_date, ? as silent_days, ? as dormant_days, ? as lost_days",
            [AS_OF, *NODES],
        )
        con.execute("create or replace table staging.stg_interactions (customer_id text, occurred_on date, kind text)")
        con.execute("create or replace table staging.stg_contacts (customer_id text, sent_on date, outcome text)")
        con.execute("create or replace table staging.stg_referrals (customer_id text, referrer_customer_id text)")
        con.execute("create or replace table staging.stg_customers (customer_id text, region text)")
        con.execute("create or replace table staging.transaction_days (day date, last_currency text)")
        con.execute("create or replace table score.expected_value (customer_id text, expected_margin_year double)")
        con.execute("create or replace table segments.customer_lifecycle (customer_id text, lifecycle_stage text)")
        # On the first of a month the month before has the classes of that date.
        con.execute(
            "create or replace table segments.customer_value as select distinct customer_id,"
            " case when hash(customer_id) % 2 = 0 then 'A' else 'C' end as value_class from features.customer_day"
        )
        # The class changes with the month: stretches end there, and cells still add up. What was known of the customers
        # when February began counts from the second of March on.
        con.execute(
            "create or replace table segments.monthly_value_class as"
            " select distinct customer_id, month, 'B'"
            " as value_class from features.customer_day, (values (date '2018-02-01')) as months (month)"
        )
        con.execute(f"create or replace view measure.kpi_event_days as {event_days}")
        con.execute(f"create or replace view measure.kpi_cells as {cells}")
        con.execute(f"create or replace view measure.kpi_daily as {daily}")
        con.execute(f"create or replace view measure.kpi_levels as {levels}")
        rows = con.execute(
            f"select kpi_date, lifecycle_stage, is_complete, is_left_censored, churn_rate, {', '.join(COUNTED)}"
            " from measure.kpi_levels where level in ('total', 'lifecycle_stage')"
        ).fetchall()
        by_class = con.execute(
            f"select kpi_date, value_class, {', '.join(COUNTED)} from measure.kpi_levels where level = 'value_class'"
        ).fetchall()
        leaves = con.execute(
            f"select kpi_date, 'all', {', '.join(f'sum({name})' for name in COUNTED)}"
            " from measure.kpi_daily group by all"
        ).fetchall()

    by_hand = counted_by_hand(orders, horizon, closed)

    def closes_in_time(day: date) -> bool:
        return open_days(day + timedelta(1), AS_OF, closed) >= horizon

    retained = COUNTED.index("n_retained_customers")
    assert {(day, key) for day, key, *_ in rows} >= set(by_hand)
    for day, key, is_complete, is_left_censored, churn_rate, *numbers in rows:
        by_counting = by_hand.get((day, key), [0] * len(COUNTED))
        assert is_complete == closes_in_time(day)
        assert is_left_censored == (open_days(FIRST_DAY, day + timedelta(1), closed) < horizon)
        assert numbers[retained] == (by_counting[retained] if is_complete else None), (day, key)
        del numbers[retained], (by_counting := list(by_counting))[retained]
        assert numbers == by_counting, (day, key)
        assert churn_rate is None or (is_complete and not is_left_censored)
    for place in range(3, len(COUNTED)):
        assert sum(by_hand[day, "all"][place] for day, key in by_hand if key == "all") > 0, COUNTED[place]

    for parts in (by_class, leaves):
        for place in range(len(COUNTED)):
            sums = defaultdict(int)
            for day, _, *numbers in parts:
                sums[day] += numbers[place] or 0
            for day, total in sums.items():
                if place != retained or closes_in_time(day):
                    assert total == by_hand.get((day, "all"), [0] * len(COUNTED))[place], (day, COUNTED[place])
    assert {value_class for day, value_class, known, *_ in by_class if known and day < date(2018, 2, 1)} == {"unknown"}
    assert {"A", "C"} <= {value_class for day, value_class, known, *_ in by_class if known and day >= date(2018, 2, 1)}


def test_each_total_has_the_same_weekday_of_week_and_year_beside_it(compiled, project):
    """Orders of a day are its number, so those of an earlier day say which day it is."""
    *_, total = compiled[1](30)
    columns = project.as_dict["nodes"]["model.holdfast.kpi_levels"]["columns"].values()
    types = ", ".join(f"{c['name']} {c['data_type'].replace('string', 'text')}" for c in columns)
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as warehouse; use warehouse; create schema measure")
        con.execute(f"create table measure.kpi_levels ({types})")
        con.execute(
            "insert into measure.kpi_levels by name select 'total' as level, i as n_orders,"
            " date '2018-01-01' + cast(i as int) as kpi_date from range(400) as days (i)"
        )
        rows = con.execute(
            "select n_orders, n_orders_previous_day, n_orders_previous_week, n_orders_previous_year"
            f" from ({total}) order by n_orders"
        ).fetchall()
    assert rows == [(i, *(i - back if i >= back else None for back in (1, 7, 364))) for i in range(400)]
