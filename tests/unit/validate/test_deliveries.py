"""Rules over single files: a format that changed yesterday, and a delivery of the same sales again."""

from datetime import date, timedelta

import duckdb
import pytest
from small_warehouse import AS_OF, build

from assets.shared.params import load_params
from assets.validate.deliveries import MIN_ROWS, delivery_rules
from assets.validate.reconciliations import run_reconciliations

LAST = AS_OF - timedelta(days=1)
PARAMS = load_params({"validate_max_file_quarantine_share": 0.1, "validate_max_repeated_share": 0.5})


@pytest.fixture
def con():
    with duckdb.connect() as con:
        build(con)
        con.execute("delete from ingest.transactions; delete from ingest.batch_days; delete from ingest.batches")
        yield con


def batch(con, name: str, n: int, quarantined: int = 0, day: date = LAST, first: int = 0, ids: str = "o") -> None:
    """A file with lines `first` to `first + n` of a day."""
    con.execute(
        "insert into ingest.transactions by name select $name as batch_id, 'shop' as source, 'c' || i as customer_id,"
        " $day::date as day, $day::timestamp as occurred_at, $ids || i as order_id, '1' as line_id,"
        " i::decimal as amount from range($first, $first + $n) as r(i)",
        {"name": name, "day": day, "first": first, "n": n, "ids": ids},
    )
    con.execute("insert into ingest.batch_days values ($1, 'shop', $2, $3)", [name, day, n])
    con.execute(
        "insert into ingest.batches by name select $1 as batch_id, 'shop' as source, 'transactions' as entity,"
        " $1 || '.csv' as file, $2 as rows_in, $3 as rows_accepted, $4 as rows_quarantined, 0 as rows_left_out",
        [name, n + quarantined, n, quarantined],
    )


def failed(con, **changes) -> dict[str, str]:
    rules = delivery_rules(AS_OF, PARAMS.model_copy(update=changes))
    return {r.rule: r.observed for r in run_reconciliations(con, rules) if not r.passed}


def test_a_format_that_changed_yesterday_is_seen_however_long_the_history(con):
    batch(con, "years", 100_000, day=date(2017, 1, 1))
    batch(con, "yesterday", 60, quarantined=40, ids="y")
    assert list(failed(con)) == ["quarantine_share_of_a_file"]
    assert "yesterday.csv: 0.4" in failed(con)["quarantine_share_of_a_file"]
    assert failed(con, validate_max_file_quarantine_share=0.4) == {}


@pytest.mark.parametrize(("quarantined", "expected"), [(19, False), (20, True)])
def test_chance_is_left_to_few_rows(con, quarantined, expected):
    """Of a hundred rows a tenth and three standard deviations: 19."""
    batch(con, "small", 100 - quarantined, quarantined=quarantined)
    assert bool(failed(con)) == expected


@pytest.mark.parametrize(("days", "expected"), [(45, True), (46, False)])
def test_a_file_without_rows_of_late_blocks_no_more(con, days, expected):
    batch(con, "old", 50, quarantined=50, day=date.fromordinal(AS_OF.toordinal() - days))
    assert PARAMS.validate_compare_days == 45 and bool(failed(con)) == expected


def test_a_delivery_of_the_same_sales_under_other_numbers_is_seen(con):
    batch(con, "first", 100)
    batch(con, "again", 109, ids="n")
    found = failed(con)["lines_are_delivered_once"]
    assert "again.csv: 0.917" in found and "first.csv: 1" in found


def test_lines_of_the_same_numbers_are_no_double(con):
    """They stand once: a later file replaces them."""
    batch(con, "first", 100)
    batch(con, "again", 109)
    assert failed(con) == {}


def test_what_was_replaced_does_not_count(con):
    batch(con, "first", 100)
    batch(con, "again", 109, ids="n")
    con.execute("insert into ingest.replaced_days values ('first', 'shop', $1)", [LAST])
    assert failed(con) == {}


@pytest.mark.parametrize(("shared", "expected"), [(50, False), (51, True)])
def test_up_to_half_of_a_file_may_be_alike(con, shared, expected):
    batch(con, "first", 1000)
    batch(con, "other", 100, first=1000 - shared, ids="n")
    assert bool(failed(con)) == expected


@pytest.mark.parametrize(("n", "expected"), [(MIN_ROWS - 1, False), (MIN_ROWS, True)])
def test_a_handful_of_lines_is_not_judged(con, n, expected):
    batch(con, "first", 1000)
    batch(con, "few", n, ids="n")
    assert bool(failed(con)) == expected


def test_one_line_alike_another_of_its_own_file_is_none_of_another_file(con):
    batch(con, "first", 100)
    batch(con, "other", 100, first=500, ids="n")
    con.execute("update ingest.transactions set amount = 1, customer_id = 'till' where batch_id = 'other'")
    assert failed(con) == {}


@pytest.mark.parametrize(
    ("currencies", "expected"), [(["EUR"], {}), ([None], {}), (["EUR", "USD", None], "EUR, USD: 2")]
)
def test_several_currencies_are_never_added_up(con, currencies, expected):
    for n, currency in enumerate(currencies):
        batch(con, f"b{n}", 5, first=10 * n)
        con.execute("update ingest.transactions set currency = $1 where batch_id = $2", [currency, f"b{n}"])
    found = failed(con)
    assert found == expected if not expected else expected in found["one_currency"]


def test_what_later_nights_bring_is_theirs_to_judge(con):
    batch(con, "tomorrow", 50, quarantined=50, day=AS_OF)
    batch(con, "again", 100, day=AS_OF, ids="n")
    assert failed(con) == {}
