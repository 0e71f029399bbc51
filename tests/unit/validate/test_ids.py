"""Ids that end together, while as many begin, are no departure."""

from datetime import date, timedelta

import duckdb
import pytest

from assets.shared.errors import UserError
from assets.shared.params import load_params
from assets.validate.ids import SPANS, WEEKS, alias_rules, ids_go_on
from assets.validate.reconciliations import run_reconciliations

AS_OF = date(2024, 7, 1)
PARAMS = load_params()


@pytest.fixture
def con():
    with duckdb.connect() as con:
        con.execute(
            "create schema features; create table features.customer_day (customer_id text, day date, n_orders int)"
        )
        yield con


def buy(con, n: int, every: int, changed_on: date | None = None, share: float = 1.0, days: int = 7 * WEEKS) -> None:
    """`n` customers who buy every so many days; `share` of them have another id from `changed_on` on."""
    con.execute(
        """
        insert into features.customer_day
        select
            case when day >= $changed and c < $n * $share then 'new' else 'old' end || c, day, 1
        from range($n) as customers(c), range($days) as days(d),
            lateral (select cast($as_of as date) - cast(d + 1 as integer) as day)
        where (d + c * 13) % $every = 0
        """,
        {
            "n": n,
            "every": every,
            "changed": changed_on or date(2100, 1, 1),
            "share": share,
            "days": days,
            "as_of": AS_OF,
        },
    )


def failed(con, **changes) -> list[str]:
    results = run_reconciliations(con, [ids_go_on(AS_OF, PARAMS.model_copy(update=changes))])
    return [result.observed for result in results if not result.passed]


@pytest.mark.parametrize("every", [2, 7, 20])
def test_customers_who_go_on_are_no_doubt(con, every):
    buy(con, 300, every)
    assert failed(con) == []


@pytest.mark.parametrize(("every", "weeks_ago"), [(3, 1), (3, 10), (10, 2), (20, 4)])
def test_new_numbers_for_everybody_are_seen_as_soon_as_they_can_be(con, every, weeks_ago):
    changed_on = AS_OF - timedelta(days=7 * weeks_ago)
    buy(con, 300, every, changed_on)
    (observed,) = failed(con)
    assert f"ids from {changed_on} on" in observed
    assert failed(con, validate_ids_changed_on=f"2023-01-01, {changed_on}") == []
    assert failed(con, validate_ids_changed_on="2023-01-01") != []


@pytest.mark.parametrize(("share", "expected"), [(0.7, False), (0.8, True)])
def test_some_customers_may_have_new_numbers(con, share, expected):
    buy(con, 300, 2, AS_OF - timedelta(days=35), share)
    assert bool(failed(con)) is expected


@pytest.mark.parametrize(("n", "expected"), [(19, False), (20, True)])
def test_a_handful_of_customers_is_not_judged(con, n, expected):
    buy(con, n, 2, AS_OF - timedelta(days=35))
    assert bool(failed(con)) is expected


def test_many_who_leave_without_new_ones_have_left(con):
    buy(con, 300, 2, AS_OF - timedelta(days=35))
    con.execute("delete from features.customer_day where customer_id like 'new%' and customer_id not like 'new%7'")
    con.execute("update features.customer_day set customer_id = replace(customer_id, 'new', 'old')")
    assert failed(con) == []


def test_a_closure_is_no_change_of_ids(con):
    buy(con, 300, 3)
    con.execute(
        "delete from features.customer_day where day between $1 and $2", [AS_OF - timedelta(40), AS_OF - timedelta(20)]
    )
    assert failed(con) == []


def test_a_young_business_and_none_at_all(con):
    assert failed(con) == []
    buy(con, 300, 3, days=10)
    assert failed(con) == []
    assert max(SPANS) * 2 <= WEEKS


def test_what_is_no_day_is_said(con):
    with pytest.raises(UserError, match="'May' is no day"):
        failed(con, validate_ids_changed_on="2024-05-01, May")


@pytest.fixture
def changes(con):
    """20 ids that were replaced on the 1st of June; nobody bought yet."""
    con.execute(
        """
        create schema ingest;
        create table ingest.transactions (customer_id text, occurred_at timestamp);
        create table ingest.id_changes as
            select 'old' || n as old_customer_id, 'new' || n as customer_id, 'new' || n as next_customer_id,
                date '2024-06-01' as valid_from, false as is_circular
            from range(20) as numbers(n);
        create table features.customer_features as select customer_id from ingest.id_changes
        """
    )
    return con


def broken(con) -> list[str]:
    results = run_reconciliations(con, alias_rules(AS_OF, PARAMS))
    return [result.rule for result in results if not result.passed]


def sell(con, n: int, day: str) -> None:
    con.execute(
        f"insert into ingest.transactions select 'old' || n, timestamp '{day} 12:00:00' from range({n}) as r(n)"
    )


def test_old_ids_that_are_silent_and_none_at_all_are_no_doubt(changes):
    sell(changes, 20, "2024-06-01")
    sell(changes, 20, "2024-07-01")  # the date itself
    assert broken(changes) == []
    changes.execute("delete from ingest.id_changes")
    assert broken(changes) == []


@pytest.mark.parametrize(
    ("n", "expected"),
    [
        (1, ["old_ids_have_ended"]),
        (10, ["old_ids_have_ended"]),
        (11, ["old_ids_have_ended", "most_old_ids_have_ended"]),
    ],
)
def test_old_ids_that_go_on_buying_are_a_doubt_and_most_of_them_stop_the_night(changes, n, expected):
    sell(changes, n, "2024-06-30")
    assert broken(changes) == expected
    results = run_reconciliations(changes, alias_rules(AS_OF, PARAMS))
    assert {result.rule: result.severity for result in results if not result.passed} == {
        rule: "warning" if rule == "old_ids_have_ended" else "blocking" for rule in expected
    }


def test_a_circle_stops_the_night_and_names_its_ids(changes):
    changes.execute(
        "update ingest.id_changes set is_circular = true, next_customer_id = 'x' where old_customer_id = 'old7'"
    )
    (result,) = (r for r in run_reconciliations(changes, alias_rules(AS_OF, PARAMS)) if not r.passed)
    assert (result.rule, result.severity) == ("id_changes_have_an_end", "blocking")
    assert "old7 becomes x" in result.observed


@pytest.mark.parametrize(("unknown", "expected"), [(10, []), (11, ["aliases_name_customers"])])
def test_aliases_of_nobody_are_a_doubt(changes, unknown, expected):
    changes.execute(f"delete from features.customer_features where cast(substr(customer_id, 4) as int) < {unknown}")
    assert broken(changes) == expected
