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
KPI_MODELS = ("kpi_event_days", "kpi_cells", "kpi_daily")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory, project):
    """The three KPI models as SQL for a warehouse of the module's own, and that warehouse."""
    settings = Settings(home=tmp_path_factory.mktemp("kpis"), sources=("toy",))
    prepare_home(settings)

    def compile_with(horizon: int) -> tuple[str, str, str]:
        variables = {"as_of_date": AS_OF.isoformat(), "churn_horizon_days": horizon}
        arguments = ["compile", "--select", *KPI_MODELS, "--vars", json.dumps(variables)]
        found = invoke_dbt(settings, arguments, manifest=project.manifest).result.results
        texts = {each.node.name: each.node.compiled_code for each in found}
        return tuple(texts[name] for name in KPI_MODELS)

    return settings, compile_with


def purchases(seed: int) -> dict[str, set[date]]:
    """Order days of twenty customers: some regular, some rare, one with an order on the as-of date as well."""
    random = Random(seed)
    days = (AS_OF - FIRST_DAY).days
    found = {
        f"c{number}": {FIRST_DAY + timedelta(random.randrange(days)) for _ in range(random.choice((1, 2, 5, 20)))}
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


def counted_by_hand(orders: dict[str, set[date]], horizon: int) -> dict[tuple[date, str], list[int]]:
    """(day, stage or 'all') to [known, active, retained], as known on the evening of the day."""
    numbers = defaultdict(lambda: [0, 0, 0])
    day = FIRST_DAY
    while day < AS_OF:
        for days in orders.values():
            before = [other for other in days if other <= day]
            if not before:
                continue
            silence = (day - max(before)).days + 1
            is_active = silence <= horizon
            is_retained = is_active and any(day < other <= day + timedelta(horizon) for other in days if other < AS_OF)
            for key in ("all", stage(len(before), silence)):
                for place, holds in enumerate((True, is_active, is_retained)):
                    numbers[day, key][place] += holds
        day += timedelta(1)
    return numbers


# A horizon shorter than the first node, between two nodes, and longer than all of them.
@pytest.mark.parametrize(("seed", "horizon"), [(1, 3), (2, 11), (3, 20)])
def test_stocks_are_what_a_grid_of_customers_and_days_gives(compiled, seed, horizon):
    settings, compile_with = compiled
    event_days, cells, daily = compile_with(horizon)
    orders = purchases(seed)
    with duckdb.connect(str(settings.warehouse)) as con:
        for schema in ("features", "staging", "segments", "measure"):
            con.execute(f"create schema if not exists {schema}")
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
        con.execute("create or replace table staging.stg_customers (customer_id text, region text)")
        # The class changes with the month: stretches are cutoff there, and cells still add up.
        con.execute(
            "create or replace table segments.monthly_value_class as"
            " select distinct customer_id, month, case when hash(customer_id, month) % 2 = 0 then 'A' else 'C' end"
            " as value_class from features.customer_day, (values (date '2018-02-01')) as months (month)"
        )
        con.execute(f"create or replace view measure.kpi_event_days as {event_days}")
        con.execute(f"create or replace view measure.kpi_cells as {cells}")
        rows = con.execute(
            "select kpi_date, lifecycle_stage, n_customers, n_active_customers, n_retained_customers, is_complete,"
            " is_left_censored, churn_rate"
            f" from ({daily}) where dimension in ('total', 'lifecycle_stage')"
        ).fetchall()
        by_class = con.execute(
            "select kpi_date, value_class, n_customers, n_active_customers, n_retained_customers"
            f" from ({daily}) where dimension = 'value_class'"
        ).fetchall()

    by_hand = counted_by_hand(orders, horizon)
    assert {(day, key) for day, key, *_ in rows} >= set(by_hand)
    for day, key, known, active, retained, is_complete, is_left_censored, churn_rate in rows:
        by_counting = by_hand.get((day, key), [0, 0, 0])
        assert is_complete == (day + timedelta(horizon) < AS_OF)
        assert is_left_censored == (day - timedelta(horizon - 1) < FIRST_DAY)
        assert [known, active] == by_counting[:2], (day, key)
        assert retained == (by_counting[2] if is_complete else None), (day, key)
        assert churn_rate is None or (is_complete and not is_left_censored)

    for place in range(3):
        sums = defaultdict(int)
        for day, _, *numbers in by_class:
            sums[day] += numbers[place] or 0
        for day, total in sums.items():
            if place < 2 or day + timedelta(horizon) < AS_OF:
                assert total == by_hand.get((day, "all"), [0, 0, 0])[place], day
    assert {value_class for day, value_class, known, *_ in by_class if known and day < date(2018, 2, 1)} == {"unknown"}
    assert {"A", "C"} <= {value_class for day, value_class, known, *_ in by_class if known and day >= date(2018, 2, 1)}
