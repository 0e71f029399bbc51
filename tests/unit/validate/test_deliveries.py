"""Rules over single files: a format that changed yesterday, and a delivery of the same sales again."""

from datetime import date, timedelta

import duckdb
import pytest
from small_warehouse import AS_OF, build

from assets.shared.params import load_params
from assets.shared.plausibility import DOUBTS, MIN_ROWS
from assets.validate.deliveries import delivery_rules
from assets.validate.ids import ids_go_on
from assets.validate.reconciliations import reconciliations, run_reconciliations

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


def test_rows_that_are_left_out_on_purpose_hide_no_others(con):
    batch(con, "small", 80, quarantined=20)
    con.execute("update ingest.batches set rows_in = rows_in + 1000, rows_left_out = 1000")
    assert "small.csv: 0.2" in failed(con)["quarantine_share_of_a_file"]


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


@pytest.mark.parametrize(("n", "expected"), [(19, False), (20, True)])
def test_a_handful_of_lines_is_not_judged(con, n, expected):
    batch(con, "first", 1000)
    batch(con, "few", n, ids="n")
    assert bool(failed(con)) == expected


def test_one_line_alike_another_of_its_own_file_is_none_of_another_file(con):
    batch(con, "first", 100)
    batch(con, "other", 100, first=500, ids="n")
    con.execute("update ingest.transactions set amount = 40, customer_id = 'till' where batch_id = 'other'")
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


# -- Do amounts mean what they are taken for? -------------------------------------------------------------------------


def test_no_reason_names_the_home(monkeypatch, tmp_path):
    """Reasons are published, and the same night in another home gives the same rows."""
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    rules = [*delivery_rules(AS_OF, PARAMS), ids_go_on(AS_OF, load_params()), *reconciliations(AS_OF, load_params())]
    assert not [rule.name for rule in rules if str(tmp_path) in rule.reason or "--home" in rule.reason]


def test_each_doubt_is_a_rule_of_the_gate():
    rules = {rule.name for rule in delivery_rules(AS_OF, PARAMS)}
    assert {doubt.rule for doubt in DOUBTS} | {"amounts_are_of_one_scale", "refunds_are_read"} <= rules


@pytest.mark.parametrize(("n_negative", "expected"), [(50, set()), (51, {"amounts_are_mostly_positive"})])
def test_most_amounts_below_zero(con, n_negative, expected):
    batch(con, "b", 100, first=1)
    con.execute("update ingest.transactions set amount = -amount where amount <= $1", [n_negative])
    assert set(failed(con)) == expected


def test_a_file_of_refunds_beside_one_of_sales_is_no_doubt(con):
    batch(con, "sales", 100, first=1)
    batch(con, "refunds", 60, first=200, ids="r")
    con.execute("update ingest.transactions set amount = -amount where batch_id = 'refunds'")
    assert failed(con) == {}


@pytest.mark.parametrize(("n_paid", "expected"), [(1, set()), (0, {"amounts_are_not_all_zero"})])
def test_amounts_that_are_all_zero(con, n_paid, expected):
    batch(con, "b", 100, first=1)
    con.execute("update ingest.transactions set amount = 0 where amount > $1", [n_paid])
    assert set(failed(con)) == expected


@pytest.mark.parametrize(("off", "expected"), [(0, {"no_row_is_the_sum_of_the_others"}), (0.01, set())])
def test_a_total_row(con, off, expected):
    batch(con, "b", 30, first=1)
    con.execute("update ingest.transactions set amount = $1 where amount = 30", [sum(range(1, 30)) + off])
    assert set(failed(con)) == expected


@pytest.mark.parametrize(
    ("quantities", "expected"),
    [
        ([-1] * 10 + [3] * 90, set()),
        ([-1] * 11 + [3] * 89, {"quantities_below_zero_are_returns"}),
        ([-1] * 30 + [-2] + [3] * 69, set()),
    ],
)
def test_a_quantity_that_is_a_mark(con, quantities, expected):
    batch(con, "b", 100, first=1)
    for i, quantity in enumerate(quantities, start=1):
        con.execute("update ingest.transactions set quantity = $1 where amount = $2", [quantity, i])
    assert set(failed(con)) == expected
    con.execute("update ingest.transactions set amount = -amount where quantity = -1")
    assert failed(con) == {}


@pytest.mark.parametrize(
    ("factor", "n_files", "expected"),
    [
        (30, 3, set()),
        (30.01, 3, {"amounts_are_of_one_scale"}),
        (1 / 30.1, 3, {"amounts_are_of_one_scale"}),
        (100, 2, {"amounts_are_of_one_scale"}),
        (30, 2, set()),
        (100, 1, set()),
    ],
)
def test_a_file_in_another_unit(con, factor, n_files, expected):
    for n in range(n_files):
        batch(con, f"b{n}", 30, first=100 * n, ids=f"n{n}")
        con.execute(
            "update ingest.transactions set amount = 8 + i % 3 from (select 1 as i) where batch_id = $1", [f"b{n}"]
        )
    con.execute("update ingest.transactions set amount = amount * $1::decimal(10, 6) where batch_id = 'b0'", [factor])
    assert set(failed(con)) == expected


@pytest.mark.parametrize("rule", ["amount_sign_not_read", "amount_side_unknown"])
@pytest.mark.parametrize(("n", "negative", "expected"), [(2, 0, set()), (3, 0, {"refunds_are_read"}), (3, 1, set())])
def test_refunds_that_are_all_refused(con, rule, n, negative, expected):
    batch(con, "b", 100, first=1)
    con.execute("delete from ingest.quarantined_rows")
    con.execute(
        "insert into ingest.quarantined_rows by name select 'b' as batch_id, 'shop' as source, i as line_number,"
        " $2 as rule from range($1) as r(i)",
        [n, rule],
    )
    con.execute("update ingest.transactions set amount = -amount where amount <= $1", [negative])
    assert set(failed(con)) == expected


@pytest.mark.parametrize(("n", "expected"), [(MIN_ROWS - 1, set()), (MIN_ROWS, {"amounts_are_mostly_positive"})])
def test_a_handful_of_amounts_is_not_judged(con, n, expected):
    batch(con, "b", n, first=1)
    con.execute("update ingest.transactions set amount = -amount")
    assert set(failed(con)) == expected


def test_sales_that_a_person_calls_second_ones_are_no_repetition(con):
    batch(con, "first", 100)
    batch(con, "again", 109, ids="n")
    con.execute("update ingest.batches set replaces = 'nothing' where batch_id = 'again'")
    assert failed(con) == {}


@pytest.mark.parametrize(("gone", "expected"), [(0, []), (1, ["full_exports_lose_no_rows"])])
def test_rows_that_a_newer_export_lacks_are_told(con, gone, expected):
    batch(con, "export", 100)
    con.execute("update ingest.batches set replaces = 'span', rows_replaced = 99, rows_gone = $1", [gone])
    assert list(failed(con)) == expected
    (result,) = (
        r for r in run_reconciliations(con, delivery_rules(AS_OF, PARAMS)) if r.rule == "full_exports_lose_no_rows"
    )
    assert result.severity == "warning"
