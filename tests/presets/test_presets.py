"""Each preset lands a file in the layout that it follows, with nothing said but its name, and its sums are the right
ones. The files are made for these tests: what is expected was added up from them by hand."""

import re
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

import pytest
import yaml
from landed_preset import FILES, file_name

from assets.ingest.connect.connected import connect_files
from assets.ingest.mapping.presets import presets
from assets.ingest.mapping.yaml_file import load_mapping
from assets.shared.errors import UserError


class Expected(NamedTuple):
    """`rows`: in, accepted, left out; none is quarantined. Where the layout has no number of an order, an order is what
    a customer bought on one day."""

    zone: str
    rows: tuple[int, int, int]
    net: str
    orders: int
    customers: int
    returns: int
    first: str
    last: str
    currency: str | None = None


EXPECTED = {
    "airline_activity": Expected("UTC", (11, 7, 4), "15917", 7, 4, 1, "2026-03-01", "2026-03-15"),
    "alipay_merchant_bill": Expected(
        "Asia/Shanghai", (14, 10, 4), "1200.00", 7, 4, 3, "2026-03-01 09:10:05", "2026-03-07 23:59:59", "CNY"
    ),
    "alipay_record": Expected(
        "Asia/Shanghai", (11, 8, 3), "1194.60", 8, 5, 2, "2026-03-01 09:10:05", "2026-03-31 23:59:59", "CNY"
    ),
    "bank_statement": Expected("Europe/London", (10, 7, 3), "1437.00", 7, 3, 0, "2026-03-03", "2026-03-31"),
    "erpnext_pos": Expected(
        "Asia/Kolkata", (11, 7, 4), "114654", 5, 3, 1, "2026-03-01 09:10:05.123456", "2026-03-05 20:59:59.999999", "INR"
    ),
    "magento_orders": Expected(
        "Europe/Berlin", (10, 7, 3), "1360.00", 7, 4, 0, "2026-03-01 09:10:05", "2026-03-07 23:59:59"
    ),
    "odoo_pos": Expected("Europe/Brussels", (13, 8, 5), "164.22", 5, 4, 1, "2026-03-01 09:10", "2026-03-05 18:59:59"),
    "shopify_orders": Expected(
        "America/New_York", (12, 10, 2), "134.00", 6, 4, 0, "2026-03-01 10:00", "2026-03-06 18:00", "USD"
    ),
    "spreadsheet_chinese": Expected("Asia/Shanghai", (10, 8, 2), "1302.75", 7, 4, 2, "2026-03-01", "2026-03-31", "CNY"),
    "spreadsheet_german": Expected("Europe/Berlin", (11, 8, 3), "1302.75", 7, 4, 2, "2026-03-01", "2026-03-31", "EUR"),
    "spreadsheet_indian": Expected(
        "Asia/Kolkata", (11, 8, 3), "1231616.50", 7, 4, 2, "2026-03-01", "2026-03-31", "INR"
    ),
    "square_items": Expected(
        "America/New_York", (10, 8, 2), "1028.50", 6, 3, 2, "2026-03-01 10:15", "2026-03-06 16:00"
    ),
    # The first file's time is 03:34 UTC: still the evening before in New York.
    "stripe_balance": Expected(
        "America/New_York", (11, 7, 4), "1300.00", 7, 3, 2, "2026-02-28 22:34", "2026-03-07 18:59", "USD"
    ),
    "stripe_charges": Expected(
        "America/New_York", (10, 7, 3), "1295.50", 7, 4, 0, "2026-02-28 22:34:10", "2026-03-07 18:59:59", "USD"
    ),
    "telecom_cdr": Expected(
        "Europe/London", (11, 10, 1), "20.00", 9, 4, 1, "2026-03-01 09:10:05", "2026-03-31 21:30", "GBP"
    ),
    "wechat_pay_bill": Expected(
        "Asia/Shanghai", (12, 10, 2), "1202.50", 7, 4, 3, "2026-03-01 09:10:05", "2026-03-07 23:59:59", "CNY"
    ),
    "woocommerce_csv_export": Expected(
        "Europe/Berlin", (10, 7, 3), "80.00", 6, 4, 0, "2026-03-01 09:30:12", "2026-03-07 20:15:59", "EUR"
    ),
    "woocommerce_orders": Expected(
        "Europe/Paris", (12, 8, 4), "1313.50", 5, 4, 2, "2026-03-01 09:30", "2026-03-08 16:45"
    ),
}
#: An e-mail address, masked or not, and a telephone number, masked or with its country.
SAYS_WHO = re.compile(r"[\w*]@[\w.]+\.\w\w|\+\d{8,}|1\d\d\*{4,}\d\d|Customer [A-D]\b|顾客")


@pytest.mark.parametrize("name", EXPECTED)
def test_a_preset_lands_its_file_by_its_name_alone(home, name):
    expected = EXPECTED[name]
    landed = home.land(name, expected.zone)
    assert landed.query("select line_number, rule, reason from personal.quarantined_rows") == []
    assert landed.rows == (*expected.rows, 0)
    assert landed.sales == (Decimal(expected.net), expected.orders, expected.customers, expected.returns)
    assert landed.moments == (datetime.fromisoformat(expected.first), datetime.fromisoformat(expected.last))
    assert landed.query("select distinct currency from ingest.transactions") == [(expected.currency,)]
    assert (FILES / f"{name}.csv").stat().st_size and not SAYS_WHO.findall(landed.texts())


@pytest.mark.parametrize("name", presets())
def test_a_preset_has_a_test_and_says_what_it_reads_and_follows(name):
    preset = presets()[name]
    assert name in EXPECTED and (FILES / f"{name}.csv").is_file()
    for said in (preset.about, preset.follows):
        assert said.strip() and not said.endswith(".") and "|" not in said
    assert "name" not in preset.document and "time_zone" not in preset.document
    assert "complete_through" not in preset.document
    # Read before any preset is, so it must stand in the YAML of the user (assets/shared/business.py).
    assert "business" not in preset.document


def test_every_test_file_is_that_of_a_preset():
    assert {path.stem for path in FILES.iterdir()} == set(presets())


# -- A user's own keys -------------------------------------------------------------------------------------------------


def test_a_key_of_the_user_refines_and_null_removes_what_the_preset_says(home):
    own = {"columns": {"store_id": None, "channel": {"constant": "till"}}, "where": "Event Type = Payment"}
    landed = home.land("square_items", content=_without_guests("square_items"), tables={"transactions": own})
    assert landed.rows == (8, 6, 2, 0)
    assert landed.query("select distinct channel, store_id, category from ingest.transactions order by all") == [
        ("till", None, "Bakery"),
        ("till", None, "Coffee"),
    ]


def _without_guests(name: str) -> bytes:
    lines = (FILES / f"{name}.csv").read_bytes().splitlines(keepends=True)
    return b"".join(line for line in lines if b",T2," not in line and b",T4," not in line)


def test_null_removes_a_whole_condition(home):
    content = b"V,H,1,1\nV,C,+44700,01/03/2026,09:00:00,5,x,,1,7\n"
    landed = home.land("telecom_cdr", content=content, tables={"transactions": {"where": None}})
    assert landed.rows == (2, 1, 0, 1)


def test_a_key_of_the_top_level_is_replaced(home):
    content = b"Kunde;Bestellnr;Datum;Artikel;Menge;Betrag\n1;2;01.03.2026;x;1;CHF 5,00\n"
    landed = home.land("spreadsheet_german", content=content, currency="CHF")
    assert landed.query("select amount, currency from ingest.transactions") == [(Decimal(5), "CHF")]


@pytest.mark.parametrize(
    ("typed", "meant"), [("shopify_order", "shopify_orders"), ("stripe-balance", "stripe_balance")]
)
def test_a_preset_that_is_not_known_names_the_one_that_was_meant(tmp_path, typed, meant):
    path = tmp_path / "shop.yml"
    path.write_text(yaml.safe_dump({"name": "shop", "preset": typed}), encoding="utf-8")
    with pytest.raises(UserError, match=f"preset '{typed}' is not known") as error:
        load_mapping(path)
    assert f"did you mean '{meant}'?" in error.value.remedy


def test_a_preset_that_hashes_says_how_to_make_the_key(tmp_path, monkeypatch):
    monkeypatch.delenv("HOLDFAST_ID_KEY", raising=False)
    path = tmp_path / "shop.yml"
    path.write_text(yaml.safe_dump({"name": "shop", "preset": "shopify_orders"}), encoding="utf-8")
    with pytest.raises(UserError, match="HOLDFAST_ID_KEY is not set") as error:
        load_mapping(path)
    assert "openssl rand -hex 32" in error.value.remedy


# -- What else the layouts hold ----------------------------------------------------------------------------------------


def content_of(name: str, encoding: str = "utf-8") -> str:
    return (FILES / f"{name}.csv").read_text(encoding=encoding)


def test_a_statement_holds_the_balances_too(home):
    landed = home.land("bank_statement")
    assert landed.query("select customer_id, count(*), min(balance) from ingest.balances group by 1 order by 1") == [
        ("00000101", 4, Decimal("2428.59")),
        ("00000207", 3, Decimal("896.41")),
        ("00000330", 3, Decimal(-350)),
    ]


def test_calls_that_nobody_answered_have_no_length_and_are_no_returns(home):
    landed = home.land("telecom_cdr", "Europe/London")
    lines = landed.query("select amount, quantity, is_return from ingest.transactions order by occurred_at")
    assert lines[2] == (Decimal("0.005"), None, False) and lines[5] == (Decimal(0), None, False)
    assert lines[0] == (Decimal("5.688"), Decimal(120), False) and lines[7] == (Decimal(-1), Decimal(45), True)


def test_call_records_without_the_row_that_names_the_file(home):
    content = content_of("telecom_cdr").partition("\n")[2]
    assert home.land("telecom_cdr", content=content.encode()).rows == (10, 10, 0, 0)


def test_a_call_record_that_was_cut_off_is_refused(home):
    content = content_of("telecom_cdr") + "V,CRT-000014,+447000000907,31/03/2026,21:3"
    assert home.land("telecom_cdr", content=content.encode()).rows == (12, 10, 1, 1)


@pytest.mark.parametrize("n_above", [0, 1, 40])
def test_a_preamble_of_alipay_of_any_length(home, n_above):
    _, header, rows = content_of("alipay_record", "gb18030").partition("交易时间,")
    above = "".join(f"说明 {n}: 交易时间, 金额\n" for n in range(n_above))
    landed = home.land("alipay_record", content=f"{above}{header}{rows}".encode("gb18030"))
    assert landed.rows == (11, 8, 3, 0) and landed.sales[0] == Decimal("1194.60")


@pytest.mark.parametrize("n_below", [0, 1, 9])
def test_a_merchant_bill_of_alipay_with_any_lines_around_it(home, n_below):
    rows = [line for line in content_of("alipay_merchant_bill", "gb18030").splitlines() if not line.startswith("#")]
    text = "\n".join(["#一", "", *rows, *["#合计：1笔, 2元"] * n_below, ""])
    landed = home.land("alipay_merchant_bill", content=text.encode("gb18030"))
    assert landed.rows == (10 + n_below, 10, n_below, 0) and landed.sales[0] == Decimal(1200)


def test_a_bill_of_wechat_pay_without_a_mark_at_its_beginning(home):
    content = content_of("wechat_pay_bill").removeprefix("\ufeff").replace("\r\n", "\n")
    assert home.land("wechat_pay_bill", content=content.encode()).sales[0] == Decimal("1202.50")


@pytest.mark.parametrize(
    ("name", "encoding", "word", "other"),
    [
        ("spreadsheet_german", "utf-8", "Summe;", "GESAMT (EUR);"),
        ("spreadsheet_german", "utf-8", "Zwischensumme;", "Übertrag;"),
        ("spreadsheet_chinese", "gb18030", "合计,", "总计：,"),
        ("spreadsheet_chinese", "gb18030", "小计,", "本页合计,"),
        ("spreadsheet_indian", "utf-8", "Grand Total,", "grand total :,"),
        ("spreadsheet_indian", "utf-8", "Sub Total,", "Sub-total,"),
    ],
)
def test_another_word_for_a_row_of_totals(home, name, encoding, word, other):
    content = content_of(name, encoding)
    assert word in content
    landed = home.land(name, content=content.replace(word, other).encode(encoding))
    assert landed.rows == (*EXPECTED[name].rows, 0) and landed.sales[0] == Decimal(EXPECTED[name].net)


def test_a_spreadsheet_of_another_encoding(home):
    content = content_of("spreadsheet_german").removeprefix("\ufeff").encode("cp1252")
    tables = {"transactions": {"encoding": "cp1252"}}
    landed = home.land("spreadsheet_german", content=content, tables=tables)
    assert landed.sales[0] == Decimal("1302.75")


@pytest.mark.parametrize(
    ("name", "title", "other"),
    [
        ("stripe_charges", "Created date (UTC)", "Created (UTC)"),
        ("odoo_pos", "Order Lines/Tax Incl.", "Order Lines/Subtotal"),
    ],
)
def test_the_older_title_of_a_column(home, name, title, other):
    content = content_of(name).replace(title, other, 1)
    landed = home.land(name, EXPECTED[name].zone, content=content.encode())
    assert landed.rows == (*EXPECTED[name].rows, 0) and landed.sales[0] == Decimal(EXPECTED[name].net)
    assert landed.moments[0] == datetime.fromisoformat(EXPECTED[name].first)


def test_a_buyer_without_an_account_is_the_one_with_it(home):
    landed = home.land("woocommerce_orders")
    same = landed.query("select count(distinct customer_id) from ingest.transactions where order_id in ('501', '506')")
    assert same == [(1,)]


def test_an_order_that_comes_again_counts_once(home):
    home.land("square_items")
    (home.inbox / file_name("square_items")).rename(home.inbox / "items0.csv")
    landed = home.land("square_items", content=content_of("square_items").replace("Harbor", "Harbour").encode())
    lines = landed.query(
        "select order_id, line_id, count(*) from ingest.transactions group by all having count(*) <> 2"
    )
    assert lines == [], "both deliveries name the same lines, of which the newest counts"


# -- Recognised --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in presets() if presets()[name].is_recognisable])
def test_connect_recognises_the_file_of_a_preset(tmp_path, name):
    path = tmp_path / file_name(name)
    path.write_bytes((FILES / f"{name}.csv").read_bytes())
    connected = connect_files(path, tmp_path / "shop.yml")
    assert connected.preset == name
    assert yaml.safe_load(connected.text).get("business") == presets()[name].business


def test_presets_of_one_kind_of_business_say_which():
    said = {name: preset.business for name, preset in presets().items() if preset.business is not None}
    assert said == {"airline_activity": "airline", "bank_statement": "bank", "telecom_cdr": "telecom"}


@pytest.mark.parametrize("name", ["spreadsheet_german", "spreadsheet_indian", "spreadsheet_chinese"])
def test_habits_are_not_recognised(tmp_path, name):
    """Customer ID, Date and Amount stand in sheets of all countries, whatever the order of day and month."""
    path = tmp_path / "export.csv"
    path.write_bytes((FILES / f"{name}.csv").read_bytes())
    assert not presets()[name].is_recognisable
    assert connect_files(path, tmp_path / "shop.yml").preset is None
