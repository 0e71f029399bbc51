"""Each kind of value as people write it, and each rule that refuses a row, with the reason in words."""

from datetime import datetime
from decimal import Decimal

import duckdb
import pytest
from landed_shop import COLUMNS, HEADER

from assets.ingest.canonical import ENTITIES
from assets.ingest.mapping.moments import MomentKeys, moment_rules
from assets.ingest.mapping.numbers import NumberKeys, number_sql


def row(**cells) -> str:
    """One CSV row of HEADER; `when="…"` and the like replace the good values."""
    good = {"who": "7", "order": "o1", "line": "1", "when": "2024-05-01", "money": "5"}
    return ",".join(f'"{value}"' for value in {**good, **cells}.values())


# -- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "decimal", "thousands", "value"),
    [
        ("5", ".", None, "5"),
        ("-5.25", ".", None, "-5.25"),
        ("+5.25", ".", None, "5.25"),
        ("5.", ".", None, "5"),
        (".5", ".", None, "0.5"),
        ("1e3", ".", None, "1000"),
        ("5,25", ",", None, "5.25"),
        ("1.234,50", ",", ".", "1234.50"),
        ("-1.234.567,5", ",", ".", "-1234567.5"),
        ("1,234.50", ".", ",", "1234.50"),
        ("12,34,567.00", ".", ",", "1234567"),
        ("-1,23,45,678.5", ".", ",", "-12345678.5"),
        ("12.34.567,5", ",", ".", "1234567.5"),
        ("1 234,50", ",", " ", "1234.50"),
        ("1\u00a0234,50", ",", " ", "1234.50"),
        ("1'234.50", ".", "'", "1234.50"),
        ("€ 12,50", ",", None, "12.50"),
        ("12.50 $", ".", None, "12.50"),
        ("-£5", ".", None, "-5"),
        ("(12.50)", ".", None, "-12.50"),
        ("12.50-", ".", None, "-12.50"),
        ("\u221212.50", ".", None, "-12.50"),
        ("1.23456", ".", None, "1.2346"),
        # Not numbers, or not ones of this notation: never to be read as something else.
        ("1.234", ",", None, None),
        ("1,234", ".", None, None),
        ("1,5", ".", ",", None),
        ("12,34", ".", ",", None),
        ("123,45,678", ".", ",", None),
        ("1,234,56,789", ".", ",", None),
        ("1,23,4567", ".", ",", None),
        ("1.23,50", ",", ".", None),
        ("1 234", ".", None, None),
        ("1_000", ".", None, None),
        ("0x10", ".", None, None),
        ("--5", ".", None, None),
        ("5 5", ".", None, None),
        ("", ".", None, None),
        ("-", ".", None, None),
        (".", ".", None, None),
        ("k. A.", ".", None, None),
        ("nan", ".", None, None),
        ("inf", ".", None, None),
        ("1e30", ".", None, None),
    ],
)
def test_numbers(text, decimal, thousands, value):
    keys = NumberKeys(decimal=decimal, thousands=thousands)
    sql = number_sql("given", keys, "decimal(18,4)")
    found = duckdb.connect().execute(f"select {sql} from (select ? as given)", [text]).fetchone()[0]
    assert found == (None if value is None else Decimal(value))


# -- moments ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "formats", "value"),
    [
        ("2024-05-01", None, datetime(2024, 5, 1)),
        ("2024-05-01 10:15", None, datetime(2024, 5, 1, 10, 15)),
        ("2024-05-01T10:15:30.25", None, datetime(2024, 5, 1, 10, 15, 30, 250000)),
        ("2024/5/1", None, datetime(2024, 5, 1)),
        ("01.05.2024 10:15", "%d.%m.%Y %H:%M", datetime(2024, 5, 1, 10, 15)),
        ("1.5.2024", ["%d.%m.%Y %H:%M", "%d.%m.%Y"], datetime(2024, 5, 1)),
        ("930101", "%y%m%d", datetime(1993, 1, 1)),
        ("05/01/2024 02:30 PM", "%m/%d/%Y %I:%M %p", datetime(2024, 5, 1, 14, 30)),
        ("1714558500", "unix_seconds", datetime(2024, 5, 1, 10, 15)),
        ("46005.125", "excel_serial", datetime(2025, 12, 14, 3, 0)),
        ("46005,125", "excel_serial", datetime(2025, 12, 14, 3, 0)),
        ("45413.4270833333", "excel_serial", datetime(2024, 5, 1, 10, 15)),
        ("61", "excel_serial", datetime(1900, 3, 1)),
        ("1714558500000", "unix_milliseconds", datetime(2024, 5, 1, 10, 15)),
        ("31.02.2024", "%d.%m.%Y", "occurred_at_not_a_date"),
        ("01.05.2024", None, "occurred_at_not_a_date"),
        ("2024-05-01 10:15", "%Y-%m-%d", "occurred_at_not_a_date"),
        ("epoch", None, "occurred_at_not_a_date"),
        ("infinity", None, "occurred_at_not_a_date"),
        ("today", None, "occurred_at_not_a_date"),
        ("45413", "iso", "occurred_at_not_a_date"),
        ("1714558500000", "unix_seconds", "occurred_at_not_a_date"),
        ("1714558500", "excel_serial", "occurred_at_not_a_date"),
        ("2024-05-01", "excel_serial", "occurred_at_not_a_date"),
        ("", None, "occurred_at_missing"),
        ("NULL", None, "occurred_at_missing"),
        ("1899-12-31", None, "occurred_at_out_of_range"),
        ("1900-01-01", None, datetime(1900, 1, 1)),
        ("2200-01-01", None, "occurred_at_out_of_range"),
        ("0202-05-01", None, "occurred_at_out_of_range"),
        # %Y reads the year 24 too: in a list the format of short years has its turn.
        ("14.02.24", ["%d.%m.%Y", "%d.%m.%y"], datetime(2024, 2, 14)),
        ("14.02.2024", ["%d.%m.%Y", "%d.%m.%y"], datetime(2024, 2, 14)),
        ("14.02.24", ["%d.%m.%Y", "iso"], "occurred_at_not_a_date"),
        ("14.02.24", "%d.%m.%Y", "occurred_at_out_of_range"),
        ("14.02.1000", ["%d.%m.%Y", "%d.%m.%y"], "occurred_at_out_of_range"),
        ("14.02.0999", ["%d.%m.%Y", "%d.%m.%y"], "occurred_at_not_a_date"),
    ],
)
def test_moments(shop, text, formats, value):
    options = {"date_format": formats} if formats else {}
    rows = shop.landed(f"{HEADER}\n{row(when=text)}\n", "occurred_at", **options)
    if isinstance(value, str):
        assert rows == []
        assert shop.refused() == [(2, value)]
    else:
        assert rows == [(value,)]


@pytest.mark.parametrize(
    ("text", "shop_zone", "file_zone", "formats", "value"),
    [
        # Nothing says otherwise: the file's clock is the shop's clock.
        ("2024-07-01 23:30", "Europe/Berlin", None, None, datetime(2024, 7, 1, 23, 30)),
        # The file is written in UTC: the purchase was after midnight in Berlin, summer and winter.
        ("2024-07-01 22:30", "Europe/Berlin", "UTC", None, datetime(2024, 7, 2, 0, 30)),
        ("2024-01-01 22:30", "Europe/Berlin", "UTC", None, datetime(2024, 1, 1, 23, 30)),
        ("01.07.2024 22:30", "Europe/Berlin", "UTC", "%d.%m.%Y %H:%M", datetime(2024, 7, 2, 0, 30)),
        # An offset in the text counts, whatever the file's zone.
        ("2024-07-01T22:30:00Z", "Europe/Berlin", None, None, datetime(2024, 7, 2, 0, 30)),
        ("2024-07-01T22:30:00+09:00", "Europe/Berlin", None, None, datetime(2024, 7, 1, 15, 30)),
        ("2024-07-01 22:30:00-0500", "Europe/Berlin", None, "%Y-%m-%d %H:%M:%S%z", datetime(2024, 7, 2, 5, 30)),
        ("2024-07-01T22:30:00Z", None, None, None, datetime(2024, 7, 1, 22, 30)),
        # A bare date is a day and never shifts.
        ("2024-07-01", "America/New_York", "UTC", None, datetime(2024, 7, 1)),
        ("01.07.2024", "America/New_York", "UTC", "%d.%m.%Y", datetime(2024, 7, 1)),
        # 02:30 did not exist in Berlin that night. On the shop's own clock it is kept as written; from a clock that
        # skipped it, it is read an hour later.
        ("2024-03-31 02:30", "Europe/Berlin", None, None, datetime(2024, 3, 31, 2, 30)),
        ("2024-03-31 02:30", "UTC", "Europe/Berlin", None, datetime(2024, 3, 31, 1, 30)),
        # 02:30 happened twice in autumn; both are 02:30 on the wall.
        ("2024-10-27 00:30", "Europe/Berlin", "UTC", None, datetime(2024, 10, 27, 2, 30)),
        ("2024-10-27 01:30", "Europe/Berlin", "UTC", None, datetime(2024, 10, 27, 2, 30)),
        ("1719873000", "Europe/Berlin", None, "unix_seconds", datetime(2024, 7, 2, 0, 30)),
    ],
)
def test_time_zones(shop, text, shop_zone, file_zone, formats, value):
    shop.write(f"{HEADER}\n{row(when=text)}\n")
    table = {key: given for key, given in (("file_time_zone", file_zone), ("date_format", formats)) if given}
    shop.describe(table, {"time_zone": shop_zone} if shop_zone else {})
    shop.land()
    assert shop.query("select occurred_at from ingest.transactions") == [(value,)]


@pytest.mark.parametrize(
    ("ahead", "is_refused"),
    [("interval 1 day", False), ("interval 1 day + interval 1 microsecond", True), ("interval 2 days", True)],
)
def test_a_purchase_may_be_dated_one_day_ahead_and_no_moment_more(ahead, is_refused):
    """One statement has one clock, so its edge can be met exactly."""
    column = ENTITIES["transactions"].column("occurred_at")
    (rule,) = (r for r in moment_rules(MomentKeys(), column, ["iso"], None) if r.name.endswith("_in_the_future"))
    now = "cast(now() at time zone 'UTC' as timestamp)"
    found = duckdb.connect().execute(f"select {rule.condition} from (select {now} + {ahead} as typed_occurred_at)")
    assert found.fetchone() == (is_refused,)


@pytest.mark.parametrize(
    ("entity", "name", "first"), [("transactions", "occurred_at", 1900), ("customers", "birth_date", 1850)]
)
def test_the_first_and_last_year_of_a_date(entity, name, first):
    column = ENTITIES[entity].column(name)
    (rule,) = (r for r in moment_rules(MomentKeys(), column, ["iso"], None) if r.name.endswith("_out_of_range"))
    found = duckdb.connect().execute(
        f"select {rule.condition} from (values (date '{first - 1}-12-31'), (date '{first}-01-01'), "
        f"(date '2199-12-31'), (date '2200-01-01')) as dates (typed_{name})"
    )
    assert [is_refused for (is_refused,) in found.fetchall()] == [True, False, False, True]


# -- rules ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "rule", "reason"),
    [
        ({"who": ""}, "customer_id_missing", "customer_id is missing"),
        ({"who": "  \u00a0"}, "customer_id_missing", "customer_id is missing"),
        ({"who": "\\N"}, "customer_id_missing", "customer_id is missing"),
        ({"order": ""}, "order_id_missing", "order_id is missing"),
        ({"line": ""}, "line_id_missing", "line_id is missing"),
        ({"money": ""}, "amount_missing", "amount is missing"),
        ({"money": "five"}, "amount_not_a_number", "amount is not a number: five"),
        ({"money": "NaN"}, "amount_not_finite", "amount is not a finite number: NaN"),
        ({"money": "-Infinity"}, "amount_not_finite", "amount is not a finite number: -Infinity"),
        ({"money": "100000000000000"}, "amount_out_of_range", "amount is too large to be true: 100000000000000"),
        ({"when": "soon"}, "occurred_at_not_a_date", "occurred_at is not a date of the form iso: soon"),
        ({"when": "2199-12-31"}, "occurred_at_in_the_future", "occurred_at lies in the future: 2199-12-31"),
        ({"when": "0001-01-01"}, "occurred_at_out_of_range", "occurred_at is before 1900 or after 2199: 0001-01-01"),
    ],
)
def test_each_rule_names_its_reason_and_keeps_the_row(shop, cells, rule, reason):
    bad = row(**cells)
    assert shop.landed(f"{HEADER}\n{row(order='good')}\n{bad}\n", "order_id") == [("good",)]
    assert shop.query("select file, line_number, rule, reason, raw_text from personal.quarantined_rows") == [
        ("sales.csv", 3, rule, reason, bad)
    ]


def test_a_row_with_many_faults_is_one_row_in_quarantine(shop):
    shop.landed(f"{HEADER}\n{row(who='', when='soon', money='five')}\n")
    assert shop.refused() == [(2, "customer_id_missing")]


def test_a_null_word_of_the_mapping(shop):
    shop.landed(f"{HEADER}\n{row(who='n/a')}\n{row(who='0')}\n", null_values=["n/a", 0])
    assert shop.refused() == [(2, "customer_id_missing"), (3, "customer_id_missing")]


def test_duplicates_of_a_line_id(shop):
    rows = shop.landed(
        "\n".join(
            [
                HEADER,
                row(money="5"),
                row(money="5.00"),  # the same content, written differently
                row(money="6"),
                row(line="2"),
                row(when="2024-05-02", money="7"),  # tills start their numbers again each day
            ]
        )
        + "\n",
        "line_id, amount",
    )
    assert rows == [("1", 5), ("1", 7), ("2", 5)]
    assert shop.query("select line_number, rule, reason from personal.quarantined_rows order by 1") == [
        (3, "duplicate_same_content", "the same row stands in line 2"),
        (4, "duplicate_different_content", "its id stands in line 2, with other content"),
    ]


def test_a_refused_row_does_not_make_a_good_one_a_duplicate(shop):
    assert shop.landed(f"{HEADER}\n{row(money='x')}\n{row(money='6')}\n", "amount") == [(6,)]


WITHOUT_IDS = {"customer_id": "who", "occurred_at": "when", "amount": "money"}


def test_without_ids_an_order_is_a_day_and_nothing_is_a_duplicate(shop):
    batch_rows = shop.landed(
        f"{HEADER}\n{row()}\n{row()}\n{row(who='8')}\n", "order_id, line_id, batch_id", columns=WITHOUT_IDS
    )
    batch_id = batch_rows[0][2]
    assert batch_rows == [
        ("7@2024-05-01", f"#{batch_id}:2", batch_id),
        ("7@2024-05-01", f"#{batch_id}:3", batch_id),
        ("8@2024-05-01", f"#{batch_id}:4", batch_id),
    ]


def test_exact_repetitions_are_refused_where_the_mapping_asks(shop):
    rows = shop.landed(
        f"{HEADER}\n{row()}\n{row()}\n{row(money='5.0')}\n",
        "line_id",
        columns=WITHOUT_IDS,
        exact_duplicates="quarantine",
    )
    assert len(rows) == 2, "5 and 5.0 are different rows of the file"
    assert shop.refused() == [(3, "duplicate_row")]


# -- money and returns ------------------------------------------------------------------------------------------------


def sales(shop, *lines: str, **table):
    """Rows of (amount, discount, is_return) of lines `money,pieces,off,kind`."""
    columns = {**WITHOUT_IDS, "quantity": "pieces", "discount_amount": "off"}
    content = "\n".join(["who,when,money,pieces,off,kind", *(f"7,2024-05-01,{line}" for line in lines)]) + "\n"
    shop.landed(content, columns=columns, **table)
    return shop.query(
        "select cast(amount as double), cast(discount_amount as double), is_return from ingest.transactions "
        "order by line_id"
    )


@pytest.mark.parametrize(
    ("returns", "flags"),
    [
        ("by_sign", [None, None, None]),
        ("negative_amount", [False, True, False]),
        ("negative_quantity", [False, False, True]),
        ("none", [False, False, False]),
        ({"flag": {"column": "kind", "values": ["r", "X"]}}, [False, True, True]),
    ],
)
def test_return_conventions(shop, returns, flags):
    found = sales(shop, "5,1,0,S", "-5,1,0,R", "5,-1,0,x", returns=returns)
    assert [is_return for *_, is_return in found] == flags
    assert [amount for amount, *_ in found] == [5, -5, 5], "the sign stays as the source wrote it"


def test_unit_prices_are_multiplied_exactly(shop):
    found = sales(shop, "0.1,3,0,S", "2.5,-2,0,S", "9,,0,S", amount_is="unit_price")
    assert [amount for amount, *_ in found] == [0.3, -5]
    assert shop.refused() == [(4, "quantity_missing")]


def test_a_product_too_large_is_refused(shop):
    sales(shop, "90000000000000,90000000000,0,S", "9999999999,1,0,S", "10000000000,1,0,S", amount_is="unit_price")
    assert shop.refused() == [(2, "amount_out_of_range"), (4, "amount_out_of_range")]


def test_a_difference_too_large_is_refused(shop):
    sales(shop, "99999999999999,1,-99999999999999,S", discount_deducted=False)
    assert shop.refused() == [(2, "amount_out_of_range")]


def test_discounts(shop):
    assert sales(shop, "10,1,-2,S", discount_sign="negative")[0][:2] == (10, 2)


def test_discounts_still_to_be_deducted(shop):
    assert sales(shop, "10,1,-2,S", "10,1,,S", discount_sign="negative", discount_deducted=False) == [
        (8, 2, None),
        (10, None, None),
    ]


def test_a_bad_optional_value_is_not_dropped_silently(shop):
    assert sales(shop, "10,many,0,S") == []
    assert shop.refused() == [(2, "quantity_not_a_number")]


def test_currency_of_the_source(shop):
    shop.write(f"{HEADER}\n{row()}\n")
    shop.describe(top={"currency": "EUR"})
    shop.land()
    assert shop.query("select currency from ingest.transactions") == [("EUR",)]


# -- the other tables -------------------------------------------------------------------------------------------------


def land_table(shop, entity: str, content: str, **table) -> list[tuple]:
    shop.write(f"{HEADER}\n{row()}\n")
    shop.write(content, "other.txt")
    shop.describe({"files": "sales.csv"}, **{entity: {"files": "other.txt", **table}})
    shop.land()
    return shop.query(f"select * exclude (source, batch_id) from ingest.{entity} order by all")


def test_customers(shop):
    columns = {"customer_id": "id", "joined_on": "since", "birth_date": "born", "region": "land"}
    found = land_table(
        shop,
        "customers",
        "id,since,born,land\n1,2020-02-01,1899-01-01,N\n2,0000-00-00,,S\n1,2020-02-01,1899-01-01,N\n3,,1800-01-01,\n4,,,\n",
        columns=columns,
    )
    assert [(r[0], str(r[1]), r[2], r[3]) for r in found] == [
        ("1", "2020-02-01", "N", True),
        ("4", "None", None, False),
    ]
    born = shop.query("select customer_id, cast(birth_date as varchar) from personal.customers order by 1")
    assert born == [("1", "1899-01-01"), ("4", None)]
    assert shop.refused() == [
        (3, "joined_on_not_a_date"),
        (4, "duplicate_same_content"),
        (5, "birth_date_out_of_range"),
    ]


def test_consents_with_an_open_end(shop):
    columns = {
        "customer_id": "id",
        "channel": "way",
        "status": {"column": "ok", "values": {"Y": "granted", "n": "denied"}},
        "valid_to": "until",
    }
    found = land_table(
        shop,
        "consents",
        "id,way,ok,until\n1,EMAIL,y,9999-12-31\n2,sms,N,2025-01-31\n3,sms,maybe,\n4,sms,Y,soon\n",
        columns=columns,
    )
    assert [(r[0], r[1], r[3], r[6]) for r in found] == [
        ("1", "email", "granted", None),
        ("2", "sms", "denied", datetime(2025, 1, 31)),
    ]
    assert shop.query("select line_number, reason from personal.quarantined_rows order by 1") == [
        (4, "status is none of granted, denied, withdrawn: maybe"),
        (5, "valid_to is not a date of the form iso: soon"),
    ]


def test_interactions(shop):
    columns = {"customer_id": "id", "occurred_at": "at", "kind": "what", "score": "score", "resolved_at": "done"}
    found = land_table(
        shop,
        "interactions",
        "id,at,what,score,done\n1,2024-01-02 10:00,Complaint,,2024-01-05\n1,2024-01-03,survey,8.5,\n"
        "1,2024-01-03,call,,\n",
        columns=columns,
    )
    assert [(r[2], r[3], r[4]) for r in found] == [("complaint", None, datetime(2024, 1, 5)), ("survey", 8.5, None)]
    assert shop.refused() == [(4, "kind_not_allowed")]


SURVEY = {"customer_id": "id", "answered_at": "at", "attribute": "what"} | {
    name: name for name in ("recommendation", "repurchase_intention", "trust", "satisfaction", "importance")
}
SURVEY_HEADER = "id,at,what,recommendation,repurchase_intention,trust,satisfaction,importance"


def test_surveys(shop):
    rows = [
        "1,2024-01-02 10:00,,10,5,1,4,",
        "1,2024-01-02 10:00,price,,,,2,5",
        "2,2024-01-02 10:00,,11,5,5,5,",
        "3,2024-01-02 10:00,,-1,,,,",
        "4,2024-01-02 10:00,,,6,,,",
        "5,2024-01-02 10:00,,,,0.5,,",
        "6,2024-01-02 10:00,price,,,,3,7",
        "7,2024-01-02 10:00,,0,1,,,",
    ]
    found = land_table(shop, "surveys", "\n".join([SURVEY_HEADER, *rows, ""]), columns=SURVEY)
    assert [(r[0], r[2], *r[3:8]) for r in sorted(found, key=str)] == [
        ("1", "price", None, None, None, 2, 5),
        ("1", None, 10, 5, 1, 4, None),
        ("7", None, 0, 1, None, None, None),
    ]
    assert shop.refused() == [
        (4, "recommendation_off_the_scale"),
        (5, "recommendation_off_the_scale"),
        (6, "repurchase_intention_off_the_scale"),
        (7, "trust_off_the_scale"),
        (8, "importance_off_the_scale"),
    ]
    ((reason,),) = shop.query("select reason from personal.quarantined_rows where line_number = 6")
    assert "between 1 and 5: 6" in reason and "`scale_high: {constant: 7}`" in reason


def test_a_survey_says_its_scale(shop):
    columns = {"customer_id": "id", "answered_at": "at", "trust": "trust", "scale_high": "top"}
    columns |= {"scale_low": {"constant": "0"}}
    rows = "id,at,trust,top\n1,2024-01-02,0,10\n2,2024-01-02,7,\n3,2024-01-02,8,7\n4,2024-01-02,0,0\n"
    found = land_table(shop, "surveys", rows, columns=columns)
    assert [(r[0], r[5], r[8], r[9]) for r in found] == [("1", 0, 0, 10)]
    assert shop.refused() == [(3, "trust_off_the_scale"), (4, "trust_off_the_scale"), (5, "scale_without_length")]


def test_referrals_do_not_publish_who_somebody_is(shop):
    columns = {"customer_id": "id", "referrer_customer_id": "by", "referred_on": "on"}
    rows = "id,by,on\n1,2,2024-01-02\n2,3,\n3,,2024-01-02\n4,a@example.com,2024-01-02\n"
    found = land_table(shop, "referrals", rows, columns=columns)
    assert [(r[0], r[1], str(r[2])) for r in sorted(found)] == [("1", "2", "2024-01-02"), ("2", "3", "None")]
    assert shop.refused() == [(4, "referrer_customer_id_missing"), (5, "referrer_customer_id_says_who")]


def test_balances_keep_every_posting_in_order(shop):
    columns = {"customer_id": "id", "day": "day", "balance": "money"}
    found = land_table(
        shop, "balances", "id,day,money\n1,2024-01-02,10\n1,2024-01-02,-5\n1,2024-01-03,7\n", columns=columns
    )
    assert [(str(r[2]), int(r[3]), r[5]) for r in found] == [
        ("2024-01-02", -5, 3),
        ("2024-01-02", 10, 2),
        ("2024-01-03", 7, 4),
    ]


def test_contacts(shop):
    columns = {"contact_id": "id", "customer_id": "who", "sent_at": "sent", "outcome": "result", "cost": "cost"}
    found = land_table(
        shop,
        "contacts",
        "id,who,sent,result,cost\nc1,1,2024-01-02,sent,0.5\nc1,1,2024-01-02,opened,\nc1,1,2024-01-02,opened,\n",
        columns=columns,
    )
    assert sorted((r[0], r[8]) for r in found) == [("c1", "opened"), ("c1", "sent")]
    assert shop.refused() == [(4, "duplicate_same_content")]


def test_contacts_without_an_id_or_outcome(shop):
    columns = {"customer_id": "who", "sent_at": "sent"}
    found = land_table(shop, "contacts", "who,sent\n1,2024-01-02\n1,2024-01-02\n", columns=columns)
    assert len({r[0] for r in found}) == 2
    assert {r[8] for r in found} == {"sent"}


def test_columns_that_are_not_mapped_are_null(shop):
    assert shop.landed(f"{HEADER}\n{row()}\n", "store_id, quantity, channel, discount_amount", columns=COLUMNS) == [
        (None, None, None, None)
    ]
