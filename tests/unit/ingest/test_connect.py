"""From exported files to a YAML: recognised or guessed, marked as such, and right when it is run."""

import gzip
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from assets.ingest.check import check_source
from assets.ingest.connect.column_guesses import NAMES, guess_transactions, plain
from assets.ingest.connect.connected import connect_files
from assets.ingest.connect.found_files import find_tables
from assets.ingest.connect.totals import understood
from assets.ingest.mapping.yaml_file import load_mapping
from assets.ingest.sources import mapped_source
from assets.shared.business import business_of
from assets.shared.errors import UserError
from pipelines.cli import main

DAYS = [date(2024, 1, 1) + timedelta(days=n) for n in range(0, 300, 10)]


@pytest.fixture
def inbox(tmp_path) -> Path:
    (tmp_path / "inbox").mkdir()
    return tmp_path / "inbox"


def connected(inbox: Path, **options):
    """(the YAML as a document, its text) for the files in the inbox."""
    out = inbox.parent / "source.yml"
    found = connect_files(inbox, out, **options)
    out.write_text(found.text, encoding="utf-8")
    return yaml.safe_load(found.text), found


def write(inbox: Path, lines: list[str], name: str = "sales.csv", encoding: str = "utf-8") -> None:
    (inbox / name).write_bytes(("\n".join(lines) + "\n").encode(encoding))


def totals_of(inbox: Path) -> str:
    return understood(mapped_source(load_mapping(inbox.parent / "source.yml")), lambda words: None)


def test_a_german_spreadsheet(inbox):
    rows = [f'"=""{i % 7:05}""";{9000 + i};{day:%d.%m.%Y};A{i % 3};1;1.{i:03},50 €' for i, day in enumerate(DAYS)]
    write(
        inbox,
        ["Auswertung;;;;;", "Kunde;Bestellnr;Datum;Artikel;Menge;Betrag", *rows, "Summe;;;;;99.999,00 €"],
        encoding="cp1252",
    )
    document, found = connected(inbox)
    assert document["currency"] == "EUR" and document["folder"] == "inbox" and document["name"] == "inbox"
    table = document["tables"]["transactions"]
    columns = table.pop("columns")
    assert table == {
        "files": "sales.csv",
        "delimiter": ";",
        "encoding": "cp1252",
        "header": "find",
        "date_format": "%d.%m.%Y",
        "decimal": ",",
        "thousands": ".",
        "strip": "spreadsheet",
        "footer": ["summe"],
    }
    assert columns == {
        "occurred_at": "Datum",
        "customer_id": "Kunde",
        "amount": "Betrag",
        "quantity": "Menge",
        "order_id": "Bestellnr",
        "product_id": "Artikel",
        "line_id": {"numbered": True},
    }
    assert all(
        "guessed" in line
        for line in found.text.splitlines()
        if line.startswith("    ") and ": " in line and "files" not in line
    )
    words = totals_of(inbox)
    assert "31 rows in = 30 accepted + 0 quarantined + 1 left out" in words
    assert "30 orders of 7 customers, net sales 30,450.00" in words
    assert "customer_id 00000, order_id 9000" in words and "  2024-10             2" in words


def test_a_known_export_is_recognised_and_its_zone_told_by_its_offsets(inbox):
    header = (
        "Name,Email,Financial Status,Currency,Discount Amount,Created at,Lineitem quantity,Lineitem name,"
        "Lineitem price,Lineitem sku,Refunded Amount,Source"
    )
    summer = "#1,a@example.com,paid,USD,1.00,2024-07-01 10:00:00 -0400,2,Tea,5.00,T,0.00,web"
    winter = "#2,b@example.com,voided,USD,0.00,2024-12-01 10:00:00 -0500,1,Tea,5.00,T,0.00,web"
    write(inbox, [header, summer, winter], "monthly.csv")
    document, found = connected(inbox, name="webshop")
    assert (found.preset, document["preset"], document["time_zone"]) == (
        "shopify_orders",
        "shopify_orders",
        "America/New_York",
    )
    assert document["tables"] == {"transactions": {"files": "monthly.csv"}} and document["name"] == "webshop"


def test_a_survey_beside_the_sales_is_known_by_its_questions(inbox):
    write(inbox, ["customer,date,amount,order", *[f"{i % 5},{day},{i}.25,{i}" for i, day in enumerate(DAYS)]])
    answers = [f"{i % 5},{day:%d/%m/%Y},{i % 11},{i % 7 + 1},{i % 6},price" for i, day in enumerate(DAYS)]
    write(inbox, ["Member,Submitted,NPS,Trust,CSAT score,Aspect", *answers], "answers.csv")
    document, found = connected(inbox)
    assert document["tables"]["transactions"]["files"] == "sales.csv" and not found.ignored
    assert document["tables"]["surveys"] == {
        "files": "answers.csv",
        "date_format": "%d/%m/%Y",
        "columns": {
            "customer_id": "Member",
            "answered_at": "Submitted",
            "recommendation": "NPS",
            "trust": "Trust",
            "satisfaction": "CSAT score",
            "attribute": "Aspect",
            "scale_low": {"constant": "0"},
            "scale_high": {"constant": "7"},
        },
    }
    assert check_source(inbox.parent / "source.yml").ok


def test_every_table_of_a_preset_reads_the_files(inbox):
    write(
        inbox,
        [
            "Account Number,Transaction Date,Transaction Description,Debit Amount,Credit Amount,Balance",
            "7,01/05/2024,CARD,5.00,,9",
        ],
    )
    document, _ = connected(inbox)
    assert document["tables"] == {"transactions": {"files": "sales.csv"}, "balances": {"files": "sales.csv"}}
    assert document["business"] == "bank" and business_of([str(inbox.parent / "source.yml")]) == "bank"


def test_a_statement_of_no_preset_is_a_banks_all_the_same(inbox):
    money = [(f"{i}.5", "") if i % 3 else ("", "99.0") for i in range(len(DAYS))]
    rows = [
        f"{i % 5},{day:%d/%m/%Y},{out},{came},{100 - i}.25"
        for i, (day, (out, came)) in enumerate(zip(DAYS, money, strict=True))
    ]
    write(inbox, ["Acct,Date,Paid out,Paid in,Running balance", *rows])
    document, _ = connected(inbox)
    assert document["business"] == "bank" and "where" in document["tables"]["transactions"]
    assert document["tables"]["balances"] == {
        "files": "sales.csv",
        "date_format": "%d/%m/%Y",
        "columns": {"customer_id": "Acct", "day": "Date", "balance": "Running balance"},
    }
    assert check_source(inbox.parent / "source.yml").ok
    write(inbox, ["customer,date,amount,balance", *[f"{i % 5},{day},{i}.25,{i}" for i, day in enumerate(DAYS)]])
    document, found = connected(inbox)
    assert "business" not in document and list(document["tables"]) == ["transactions"] and "# business:" in found.text


def test_addresses_are_hashed_and_kinds_without_customers_left_out(inbox, monkeypatch):
    monkeypatch.setenv("HOLDFAST_ID_KEY", "k" * 16)
    rows = [
        f"t{i},{'charge' if i % 5 else 'payout'},{f'b{i % 4}@example.com' if i % 5 else ''},{day},{i}.5"
        for i, day in enumerate(DAYS)
    ]
    write(inbox, ["id,Type,Customer Email,Created (UTC),Amount", *rows])
    table = connected(inbox)[0]["tables"]["transactions"]
    assert table["columns"]["customer_id"] == {"column": "Customer Email", "case": "lower", "hash": "HOLDFAST_ID_KEY"}
    assert table["where"] == "\"Type\" in ('charge')" and table["file_time_zone"] == "UTC"
    assert "30 rows in = 24 accepted + 0 quarantined + 6 left out" in totals_of(inbox)
    assert "example.com" not in totals_of(inbox)


def test_spending_below_zero_and_prices_in_units(inbox):
    write(
        inbox,
        ["account;day;amount", *[f"{i % 5};{day:%d/%m/%Y};-{i + 1},25" for i, day in enumerate(DAYS)]],
        "bank.csv",
    )
    columns = connected(inbox)[0]["tables"]["transactions"]["columns"]
    assert columns["amount"] == {"column": "amount", "negate": True}
    (inbox / "bank.csv").unlink()
    write(inbox, ["customer,date,price,qty", *[f"{i % 5},{day},{i}.25,2" for i, day in enumerate(DAYS)]])
    table = connected(inbox)[0]["tables"]["transactions"]
    assert (table["amount_is"], table["columns"]["quantity"]) == ("unit_price", "qty")


def test_two_columns_of_money_are_a_pair(inbox):
    rows = [f"{i % 5},{day:%Y-%m-%d},{f'{i}.5' if i % 3 else ''},{'' if i % 3 else '99'}" for i, day in enumerate(DAYS)]
    write(inbox, ["Acct,Date,Paid out,Paid in", *rows])
    table = connected(inbox)[0]["tables"]["transactions"]
    assert table["columns"]["amount"] == {"debit": "Paid out", "credit": "Paid in"} and "is not empty" in table["where"]


@pytest.mark.parametrize(("amount", "is_mark"), [("5.00", True), ("-5.00", False)])
def test_a_quantity_of_minus_one_is_a_mark_only_beside_positive_amounts(inbox, amount, is_mark):
    rows = [f"{i % 5},{day},{amount if i % 3 == 0 else '7.25'},{-1 if i % 3 == 0 else i}" for i, day in enumerate(DAYS)]
    write(inbox, ["customer,date,amount,quantity", *rows])
    quantity = connected(inbox)[0]["tables"]["transactions"]["columns"]["quantity"]
    assert quantity == ({"column": "quantity", "null_values": ["-1"]} if is_mark else "quantity")


def test_columns_without_telling_names_are_guessed_from_values_and_said_to_be_unsure(inbox):
    write(inbox, ["c,o,d,a", *[f"C{i % 6},{i},{46005 + i}.125,{i}.5" for i in range(60)]])
    document, found = connected(inbox)
    table = document["tables"]["transactions"]
    assert table["columns"] == {"occurred_at": "d", "amount": "a", "customer_id": "c"}
    assert table["date_format"] == "excel_serial" and found.text.count("UNSURE") == 2
    assert check_source(inbox.parent / "source.yml").ok


def test_what_is_not_found_is_said_in_place(inbox, capsys):
    write(inbox, ["a,b", "x,y", "z,w"])
    out = inbox.parent / "source.yml"
    assert main(["connect", str(inbox), "--out", str(out)]) == 2
    words = capsys.readouterr()
    assert "customer_id, occurred_at, amount" in words.err and "holdfast check-source" in words.err
    assert out.read_text().count("NOT FOUND. Name the column of the file: a, b") == 3


def test_chinese_utf16_gzip_and_parquet(inbox):
    lines = ["客户编号\t日期\t金额", *[f"K{i % 5}\t{day:%Y/%m/%d}\t{i}.5" for i, day in enumerate(DAYS)]]
    for name, data in [
        ("gb.txt", "\n".join(lines).encode("gb18030")),
        ("wide.txt", "\n".join(lines).encode("utf-16")),
        ("packed.csv.gz", gzip.compress("\n".join(lines).encode())),
    ]:
        (inbox / name).write_bytes(data)
        table = connected(inbox)[0]["tables"]["transactions"]
        assert table["columns"] == {"occurred_at": "日期", "customer_id": "客户编号", "amount": "金额"}
        assert "30 rows in = 30 accepted" in totals_of(inbox)
        (inbox / name).unlink()
    import duckdb

    duckdb.connect().execute(
        "copy (select 'K' || i % 5 as customer, date '2024-01-01' + i::int as day, i + 0.5 as amount"
        " from range(30) as r(i))"
        f" to '{inbox}/x.parquet' (format parquet)"
    )
    assert connected(inbox)[0]["tables"]["transactions"]["columns"]["customer_id"] == "customer"
    assert "30 rows in = 30 accepted" in totals_of(inbox)


def test_files_of_one_layout_are_one_pattern_and_a_list_of_customers_joins_them(inbox):
    for month in (1, 2):
        write(
            inbox,
            ["customer,date,amount", *[f"{i},2024-{month:02}-0{i},5.5" for i in range(1, 9)]],
            f"sales_{month}.csv",
        )
    write(inbox, ["customer,region,joined_on,note", *[f"{i},North,2020-01-01,x" for i in range(1, 9)]], "people.csv")
    (inbox / "readme.txt").write_text("nothing here\n")
    document, found = connected(inbox)
    assert document["tables"]["transactions"]["files"] == "sales_*.csv"
    assert document["tables"]["customers"]["columns"] == {
        "customer_id": "customer",
        "region": "region",
        "joined_on": "joined_on",
    }
    assert found.ignored == ()


@pytest.mark.parametrize(("n_above", "is_found"), [(199, True), (200, False)])
def test_a_header_below_a_long_preamble(inbox, n_above, is_found):
    write(inbox, ["some words"] * n_above + ["customer,date,amount", *[f"C{i},2024-01-01,5.5" for i in range(300)]])
    if is_found:
        assert find_tables(inbox)[0].header_line == n_above + 1
    else:
        with pytest.raises(UserError, match="no table that can be read"):
            find_tables(inbox)


@pytest.mark.parametrize(("n_kinds", "is_left_out"), [(12, True), (13, False)])
def test_a_column_of_many_words_is_no_kind_of_row(inbox, n_kinds, is_left_out):
    rows = [f"{'' if i % n_kinds == 0 else f'C{i % 4}'},2024-01-01,5.5,k{i % n_kinds}" for i in range(60)]
    write(inbox, ["customer,date,amount,kind", *rows])
    assert ("where" in connected(inbox)[0]["tables"]["transactions"]) is is_left_out


def test_the_command_writes_checks_and_shows_and_never_replaces_unasked(inbox, monkeypatch, capsys):
    monkeypatch.delenv("HOLDFAST_ID_KEY", raising=False)
    write(inbox, ["email,date,amount", *[f"b{i % 5}@example.com,{day},{i + 1}.5" for i, day in enumerate(DAYS)]])
    out = inbox.parent / "my source.yml"
    assert main(["connect", str(inbox), "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    for words in ("net sales by month", "result: ok", "export HOLDFAST_ID_KEY=", f"run --source '{out}' --home"):
        assert words in shown
    assert "example.com" not in shown
    assert main(["connect", str(inbox), "--out", str(out)]) == 2
    assert "is already there" in capsys.readouterr().err
    assert main(["connect", str(inbox), "--out", str(out), "--force"]) == 0
    assert main(["connect", str(inbox / "gone"), "--out", str(out), "--force"]) == 2


def test_names_are_compared_by_letters_and_digits():
    assert plain("Kunden-Nr.") == "kundennr" and plain("Année Código") == "anneecodigo"
    assert all(name == plain(name) for names in NAMES.values() for name in names)


def test_every_name_is_of_one_column_or_earlier_ones_win(inbox):
    write(inbox, ["customer,account,date,amount,total", "a,1,2024-01-01,5.5,6.5", "b,2,2024-01-02,5.5,6.5"])
    guess = guess_transactions(find_tables(inbox)[0])
    assert guess.columns["customer_id"] == "customer" and guess.columns["amount"] == "amount"
