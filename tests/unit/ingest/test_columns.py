"""Columns as exports have them: marks around texts, the first of several, ids that must not be seen, amounts in two
columns, in cents, with signs elsewhere, in several currencies."""

import hashlib
import hmac
from datetime import datetime
from decimal import Decimal

import pytest
from landed_shop import COLUMNS, HEADER

from assets.ingest.check import check_source
from assets.ingest.mapping.month_names import _STEMS
from assets.ingest.mapping.rates import MAX_RATE_AGE_DAYS
from assets.ingest.mapping.text_steps import LEAST_KEY_LENGTH
from assets.ingest.personal_ids import is_card_number
from assets.shared.errors import UserError

KEY = "0123456789abcdef"
assert len(KEY) == LEAST_KEY_LENGTH


def one(shop, cells: dict[str, str], shown: str, **table):
    """What one row with these cells becomes; a list of rules where it is refused."""
    row = {"who": "7", "order": "o1", "line": "1", "when": "2024-05-01", "money": "5.00"} | cells
    quoted = ['"' + text.replace('"', '""') + '"' for text in row.values()]
    found = shop.landed(f"{','.join(row)}\n{','.join(quoted)}\n", shown, **table)
    return found[0][0] if found else [rule for _, rule in shop.refused()]


# -- Texts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "strip", "bare"),
    [
        ('="00214"', "spreadsheet", "00214"),
        ("'00214", "spreadsheet", "00214"),
        ("`00214", "spreadsheet", "00214"),
        ("''00214", "spreadsheet", "'00214"),
        ("#12#", ["#"], "12"),
        ("##12", ["#"], "12"),
        ("a.b.", ["."], "a.b"),
        ("(7)", ["(", ")"], "7"),
        ("C- 9", "C-", "9"),
        ('="x"-', ["spreadsheet", "-"], ["customer_id_in_marks"]),
        ('="NULL"', "spreadsheet", ["customer_id_missing"]),
        ("#", ["#"], ["customer_id_missing"]),
    ],
)
def test_marks_are_taken_off(shop, text, strip, bare):
    assert one(shop, {"who": text}, "customer_id", strip=strip) == bare


def test_a_columns_own_marks_and_null_words_beat_the_tables(shop):
    columns = {**COLUMNS, "customer_id": {"column": "who", "strip": "#", "null_values": ["guest"]}}
    cells = {"who": "#NULL", "order": "'o1"}
    assert one(shop, cells, "customer_id || ' ' || order_id", columns=columns, strip="'") == "NULL o1"


def test_a_columns_own_word_for_nothing(shop):
    columns = {**COLUMNS, "customer_id": {"column": "who", "null_values": ["guest"]}}
    assert one(shop, {"who": "guest"}, "customer_id", columns=columns) == ["customer_id_missing"]


def test_parts_of_a_text_are_replaced_in_the_given_order(shop):
    columns = {**COLUMNS, "category": {"column": "c", "replace": {"&amp;": "+", "+ ": "", "x": ""}}}
    columns["product_id"] = {**columns["category"], "column": "p"}
    shown = "category || coalesce(product_id, '-')"
    assert one(shop, {"c": "Tea &amp; Cakes", "p": "xx"}, shown, columns=columns) == "Tea Cakes-"


def test_nothing_cannot_be_replaced(shop):
    shop.describe({"columns": {**COLUMNS, "category": {"column": "c", "replace": {"": "x"}}}})
    with pytest.raises(UserError, match="an empty text cannot be replaced"):
        shop.source()


def test_words_are_found_without_regard_to_case_in_every_alphabet(shop):
    columns = {**COLUMNS, "channel": {"column": "c", "values": {"Straße": "store", "ΜΈΣΩ": "web"}}}
    columns["category"] = {**columns["channel"], "column": "d"}
    assert one(shop, {"c": "STRAßE", "d": "μέσω"}, "channel || category", columns=columns) == "storeweb"


@pytest.mark.parametrize(
    ("first", "second", "found"), [("7", "a", "7"), ("", "a", "a"), ("0", "a", "a"), ("", "", None)]
)
def test_the_first_of_several_columns(shop, first, second, found):
    columns = {**COLUMNS, "customer_id": {"first_of": ["who", "other"], "null_values": ["0"]}}
    expected = found or ["customer_id_missing"]
    assert one(shop, {"who": first, "other": second}, "customer_id", columns=columns) == expected


# -- Ids that must not be seen ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [KEY, "k" * 65, "ключ" * 8])
def test_a_hashed_id_is_the_hmac_of_its_text(shop, monkeypatch, key):
    monkeypatch.setenv("SHOP_KEY", key)
    columns = {**COLUMNS, "customer_id": {"column": "who", "case": "lower", "hash": "SHOP_KEY"}}
    expected = hmac.new(key.encode(), "jö@example.com".encode(), hashlib.sha256).hexdigest()[:32]
    assert one(shop, {"who": " JÖ@example.com "}, "customer_id", columns=columns) == expected


def test_another_key_is_another_mapping(shop, monkeypatch):
    prints = set()
    for key in (KEY, KEY[::-1]):
        monkeypatch.setenv("SHOP_KEY", key)
        shop.describe({"columns": {**COLUMNS, "customer_id": {"column": "who", "hash": "SHOP_KEY"}}})
        prints.add(shop.source().mapping.fingerprint("transactions"))
    assert len(prints) == 2 and not any(KEY in text for text in prints)


@pytest.mark.parametrize(("key", "why"), [(None, "is not set"), (KEY[:-1], "at least 16"), ("", "is not set")])
def test_a_key_that_hides_nothing_is_refused(shop, monkeypatch, key, why):
    monkeypatch.delenv("SHOP_KEY", raising=False)
    if key is not None:
        monkeypatch.setenv("SHOP_KEY", key)
    shop.describe({"columns": {**COLUMNS, "customer_id": {"column": "who", "hash": "SHOP_KEY"}}})
    with pytest.raises(UserError, match=why) as error:
        shop.source()
    assert 'export SHOP_KEY="$(openssl rand -hex 32)"' in error.value.remedy
    assert key is None or not key or key not in str(error.value)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("jo@example.com", "customer_id_says_who"),
        ("+49 171 1234567", "customer_id_says_who"),
        ("+4917112345", "customer_id_says_who"),
        ("+1 (212) 555-0100", "customer_id_says_who"),
        ("+12345", None),
        ("Jo <jo@example.com>", "customer_id_says_who"),
        ("a@b", None),
        ("@home", None),
        ("4917112345", None),
        ('="00214"', "customer_id_in_marks"),
    ],
)
def test_an_id_that_says_who_somebody_is_is_refused_with_the_remedy(shop, text, rule):
    found = one(shop, {"who": text}, "customer_id")
    assert found == (text if rule is None else [rule])
    if rule is not None:
        ((reason,),) = shop.query("select reason from personal.quarantined_rows")
        assert ("hash" in reason or "strip" in reason) and text not in reason


def cards(n: int) -> list[str]:
    """Numbers of the form of cards, with their check digits."""
    bodies = [
        f"{prefix}{i:0{14 - len(prefix)}}" for i, prefix in zip(range(n), ["4", "51", "62", "35"] * n, strict=False)
    ]
    return [next(body + "0" + str(d) for d in range(10) if is_card_number(body + "0" + str(d))) for body in bodies]


@pytest.mark.parametrize("number", ["4111111111111111", "5555555555554444", "378282246310005", "6011111111111117"])
def test_test_numbers_of_card_schemes_are_cards(number):
    assert is_card_number(number) and is_card_number(" ".join(number))
    assert not is_card_number(number[:-1] + str((int(number[-1]) + 1) % 10))
    assert not is_card_number(number + "0") and not is_card_number("9" + number[1:])


@pytest.mark.parametrize(
    ("ids", "is_refused"),
    [
        (cards(5), True),
        (cards(4), False),
        ([*cards(18), "A1", "A2"], True),
        ([*cards(17), "A1", "A2", "A3"], False),
        ([f"4111111111{i:06}" for i in range(100)], False),
    ],
)
def test_card_numbers_as_ids_refuse_the_file(shop, ids, is_refused):
    content = "\n".join([HEADER, *(f"{who},o{i},1,2024-05-01,5" for i, who in enumerate(ids))])
    if not is_refused:
        assert len(shop.landed(content)) == len(ids)
        return
    with pytest.raises(UserError, match="customer_id holds numbers of payment cards") as error:
        shop.landed(content)
    assert "hash: HOLDFAST_ID_KEY" in error.value.remedy and ids[0] not in str(error.value)
    assert check_source(shop.yaml).problems[0].startswith("sales.csv: customer_id holds numbers of payment cards")


@pytest.mark.parametrize(("name", "is_refused"), [("Mobile No", True), ("手机号", True), ("Account", False)])
def test_telephone_numbers_from_a_column_that_says_so_refuse_the_file(shop, name, is_refused):
    header = HEADER.replace("who", name)
    content = "\n".join([header, *(f"0171 55501{i},o{i},1,2024-05-01,5" for i in range(10, 20))])
    columns = {**COLUMNS, "customer_id": name}
    if is_refused:
        with pytest.raises(UserError, match="telephone numbers"):
            shop.landed(content, columns=columns)
    else:
        assert len(shop.landed(content, columns=columns)) == 10


# -- Amounts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("debit", "credit", "amount"),
    [
        ("46.41", "", "46.41"),
        ("", "170.64", "-170.64"),
        ("0.00", "120.42", "-120.42"),
        ("5", "2", "3"),
        ("", "", ["amount_missing"]),
        ("x", "2", ["amount_not_a_number"]),
        ("5", "?", ["amount_not_a_number"]),
    ],
)
def test_debit_and_credit(shop, debit, credit, amount):
    columns = {**COLUMNS, "amount": {"debit": "out", "credit": "in"}}
    found = one(shop, {"out": debit, "in": credit}, "amount", columns=columns)
    assert found == (amount if isinstance(amount, list) else Decimal(amount))


@pytest.mark.parametrize(
    ("keys", "cells", "amount"),
    [
        ({"column": "money", "scale": 0.01}, {"money": "568.800"}, "5.688"),
        ({"column": "money", "scale": 0.01}, {"money": "12345678901.23"}, "123456789.0123"),
        ({"column": "money", "scale": 1000}, {"money": "1.5"}, "1500"),
        ({"column": "money", "negate": True}, {"money": "-3"}, "3"),
        ({"column": "money", "less": "back"}, {"money": "10", "back": "2.5"}, "7.5"),
        ({"column": "money", "less": ["back", "fee"]}, {"money": "10", "back": "", "fee": "1"}, "9"),
        ({"column": "money", "less": "back"}, {"money": "", "back": "2"}, ["amount_missing"]),
        ({"column": "money", "less": "back"}, {"money": "5", "back": "b"}, ["amount_not_a_number"]),
        ({"column": "money", "sign": {"column": "dc", "negative": ["H", "cr"]}}, {"dc": "CR"}, "-5"),
        ({"column": "money", "sign": {"column": "dc", "negative": ["H"]}}, {"dc": "S"}, "5"),
        ({"column": "money", "sign": {"column": "dc", "negative": ["H"]}}, {"dc": ""}, ["amount_side_unknown"]),
        ({"column": "money", "sign": {"column": "dc", "negative": ["H"]}}, {"dc": "X"}, ["amount_side_unknown"]),
        ({"column": "money", "sign": {"column": "dc", "negative": ["R"]}}, {"dc": "V"}, ["amount_side_unknown"]),
        ({"column": "money", "sign": {"column": "dc", "negative": "R", "positive": ["v", ""]}}, {"dc": "V"}, "5"),
        ({"column": "money", "sign": {"column": "dc", "negative": "R", "positive": ["v", ""]}}, {"dc": ""}, "5"),
        (
            {"column": "money", "sign": {"column": "dc", "negative": "H", "positive": ["v"]}},
            {"dc": "S"},
            ["amount_side_unknown"],
        ),
        ({"column": "money", "sign": {"column": "dc", "negative": "H"}}, {"dc": "X", "money": ""}, ["amount_missing"]),
        (
            {"column": "money", "sign": {"column": "dc", "negative": "H"}, "negate": True, "scale": 0.1},
            {"dc": "h"},
            "0.5",
        ),
        ({"debit": "out", "credit": "in", "less": "fee", "negate": True}, {"out": "", "in": "9", "fee": "1"}, "10"),
    ],
)
def test_amounts_that_are_calculated(shop, keys, cells, amount):
    found = one(shop, cells, "amount", columns={**COLUMNS, "amount": keys}, returns="none")
    assert found == (amount if isinstance(amount, list) else Decimal(amount))


def test_the_remedy_for_an_unknown_side_names_value_and_key_and_works(shop):
    content = f"{HEADER},dc\n7,o1,1,2024-05-01,5,D\n7,o2,1,2024-05-01,6,REV\n7,o3,1,2024-05-01,7,C\n"
    sign = {"column": "dc", "negative": ["C"]}
    shop.write(content)
    shop.describe({"columns": {**COLUMNS, "amount": {"column": "money", "sign": sign}}})
    words = check_source(shop.yaml).render()
    assert "sales.csv line 3: the sign of amount is unknown: REV" in words
    assert "sign: {column: dc, negative: [C], positive: [d, …]}" in words
    shop.land()
    sign["positive"] = ["d", "rev"]
    shop.describe({"columns": {**COLUMNS, "amount": {"column": "money", "sign": sign}}})
    shop.land()
    found = shop.query("select order_id, amount from ingest.transactions order by all")
    assert found == [("o1", 5), ("o2", 6), ("o3", -7)]


def test_amounts_of_a_parquet_file_are_calculated_from_its_own_types(shop):
    import duckdb

    duckdb.connect().execute(
        "copy (select 7 as who, 'o1' as 'order', '1' as line, timestamp '2024-05-01' as 'when', 1050 as out,"
        f" cast(null as double) as 'in', 1e-2 as fee) to '{shop.folder}/sales.parquet' (format parquet)"
    )
    amount = {"debit": "out", "credit": "in", "less": "fee", "scale": 0.01}
    shop.describe({"columns": {**COLUMNS, "amount": amount}, "decimal": ","})
    shop.land()
    assert shop.query("select amount from ingest.transactions") == [(Decimal("10.4999"),)]


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"amount": {"debit": "out"}}, "belong together"),
        ({"amount": {"credit": "in"}}, "belong together"),
        ({"amount": {"column": "money", "debit": "a", "credit": "b"}}, "exactly one of"),
        ({"amount": {"columns": ["a", "b"], "less": "c"}}, "deducts from one column"),
        ({"customer_id": {"column": "who", "negate": True}}, "is no number"),
        ({"amount": {"column": "money", "hash": "HOME"}}, "HOME|no text"),
        ({"amount": {"column": "money", "scale": 0}}, "scale"),
        ({"amount": {"column": "money", "sign": {"column": "dc", "negativ": "H"}}}, "unknown key"),
        ({"amount": {"column": "money", "sign": {"column": "dc", "negative": "H", "positive": "h"}}}, "in both"),
        ({"customer_id": {"column": "who", "hash": "two words"}}, "no name of an environment variable"),
    ],
)
def test_keys_of_columns_that_cannot_mean_anything(shop, columns, why):
    shop.describe({"columns": {**COLUMNS, **columns}})
    with pytest.raises(UserError, match=why):
        shop.source()


@pytest.mark.parametrize(
    ("text", "currency", "amount"),
    [
        ("EUR 481,68", "EUR", "481.68"),
        ("481,68 eur", "EUR", "481.68"),
        ("€ 5,00-", "EUR", "-5"),
        ("US$ 5,00", "EUR", None),
        ("$5,00", "EUR", None),
        ("$5,00", "USD", "5"),
        ("$5,00", None, "5"),
        ("EUR 5,00", None, None),
        ("Rs. 12,34,567", "INR", None),
        ("kr 5,50", "SEK", "5.5"),
        ("5 kr 50", "SEK", None),
        ("R5,00", "ZAR", "5"),
        ("5R00", "ZAR", None),
        ("PEN 5,00", "PEN", "5"),
        ("'-13,60", None, "-13.6"),
        ('="12,5"', None, "12.5"),
    ],
)
def test_marks_of_the_currency_and_of_no_other(shop, text, currency, amount):
    shop.describe({}, top={"currency": currency} if currency else {})
    row = f'{HEADER}\n7,o1,1,2024-05-01,"{text.replace(chr(34), chr(34) * 2)}"\n'
    shop.write(row)
    shop.describe({"decimal": ","}, top={"currency": currency} if currency else {})
    shop.land()
    found = shop.query("select amount from ingest.transactions")
    assert found == ([] if amount is None else [(Decimal(amount),)])


# -- Several currencies -----------------------------------------------------------------------------------------------


def rated(shop, rows: list[str], rates: str | None, **top) -> list[tuple]:
    (shop.yaml.parent / "rates.csv").write_text(rates or "", encoding="utf-8")
    shop.write("\n".join([f"{HEADER},cur,off", *rows]))
    columns = {**COLUMNS, "currency": "cur", "discount_amount": "off"}
    shop.describe(
        {"columns": columns}, top={"base_currency": "EUR", **({"rates": "rates.csv"} if rates else {}), **top}
    )
    shop.land()
    return shop.query("select order_id, amount, discount_amount, currency from ingest.transactions order by 1")


def test_amounts_become_those_of_one_currency_by_the_rate_of_their_day(shop):
    rates = "currency,day,rate\nUSD,2024-05-01,0.5\nusd,2024-05-03,0.25\nJPY,2024-05-01,0.006\n"
    rows = [
        "7,o1,1,2024-05-01 09:00,10,usd,2",
        "7,o2,1,2024-05-02,10,USD,",
        "7,o3,1,2024-05-03,10,USD,",
        "7,o4,1,2024-05-01,1.5,eur,",
    ]
    assert rated(shop, rows, rates) == [
        ("o1", Decimal(5), Decimal(1), "EUR"),
        ("o2", Decimal(5), None, "EUR"),
        ("o3", Decimal("2.5"), None, "EUR"),
        ("o4", Decimal("1.5"), None, "EUR"),
    ]


def test_what_has_no_rate_is_refused_and_accepted_once_it_has_one(shop):
    from assets.ingest.batches import read_batches
    from assets.ingest.redrive import redrive_batch

    rows = [
        "7,o1,1,2024-04-30,10,USD,",
        "7,o2,1,2024-05-11,10,USD,",
        "7,o3,1,2024-05-12,10,USD,",
        "7,o4,1,2024-05-01,1,GBP,",
    ]
    assert [row[0] for row in rated(shop, rows, "currency,day,rate\nUSD,2024-05-01,0.5\n")] == ["o2"]
    assert MAX_RATE_AGE_DAYS == 10
    assert shop.refused() == [(line, "currency_without_rate") for line in (2, 4, 5)]
    (shop.yaml.parent / "rates.csv").write_text(
        "currency,day,rate\nUSD,2024-04-01,1\nUSD,2024-05-12,0.5\nUSD,2024-04-30,2\n"
    )
    (batch,) = read_batches(shop.settings, ["shop"])
    assert redrive_batch(shop.settings, batch, shop.source().template("transactions")).n_accepted == 2


def test_without_rates_only_the_base_currency_counts(shop):
    assert [row[0] for row in rated(shop, ["7,o1,1,2024-05-01,1,EUR,", "7,o2,1,2024-05-01,1,USD,"], None)] == ["o1"]


def test_rows_that_name_no_currency_have_the_sources(shop):
    rates = "currency,day,rate\nUSD,2024-05-01,0.5\n"
    assert rated(shop, ["7,o1,1,2024-05-01,1,,"], rates, currency="usd") == [("o1", Decimal("0.5"), None, "EUR")]


@pytest.mark.parametrize(
    ("rates", "why"),
    [
        ("currency,day,rate\nUSD,2024-05-01,0.5\nUSD,01.05.2024,1\n", "rates.csv line 3"),
        ("currency,day,rate\nUSD,2024-05-01,0\n", "rates.csv line 2"),
        ("currency,day,rate\n,2024-05-01,1\n", "rates.csv line 2"),
        ("cur,day,rate\nUSD,2024-05-01,1\n", "cannot be read as rates"),
    ],
)
def test_a_file_of_rates_that_cannot_be_used_stops_the_night(shop, rates, why):
    with pytest.raises(UserError, match=why):
        rated(shop, ["7,o1,1,2024-05-01,1,USD,"], rates)


def test_rates_that_are_not_there(shop):
    shop.describe({}, top={"base_currency": "EUR", "rates": "gone.csv"})
    shop.write(f"{HEADER}\n7,o1,1,2024-05-01,1\n")
    with pytest.raises(UserError, match="gone.csv is not there"):
        shop.land()
    shop.describe({}, top={"rates": "rates.csv"})
    with pytest.raises(UserError, match="rates without base_currency"):
        shop.source()
    shop.describe({}, top={"base_currency": "euro"})
    with pytest.raises(UserError, match="no code of a currency"):
        shop.source()


# -- Months in words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "language", "format_", "month"),
    [
        ("14. März 2024", "de", "%d. %B %Y", 3),
        ("14. Mrz. 2024", "de", "%d. %b %Y", 3),
        ("14 DÉCEMBRE 2024", "fr", "%d %B %Y", 12),
        ("14 juil. 2024", "fr", "%d %b %Y", 7),
        ("14 juin 2024", "fr", "%d %b %Y", 6),
        ("14 de mayo de 2024", "es", "%d de %B de %Y", 5),
        ("14. června 2024", "cs", "%d. %B %Y", 6),
        ("14. července 2024", "cs", "%d. %B %Y", 7),
        ("14 мая 2024", "ru", "%d %B %Y", 5),
        ("14 Ağustos 2024", "tr", "%d %B %Y", 8),
        ("14-Mar-2024", None, "%d-%b-%Y", 3),
    ],
)
def test_months_by_their_names(shop, text, language, format_, month):
    keys = {"date_format": format_, **({"month_names": language} if language else {})}
    assert one(shop, {"when": text}, "occurred_at", **keys) == datetime(2024, month, 14)


def test_a_month_of_another_language_is_no_date(shop):
    assert one(shop, {"when": "14 Dezember 2024", "order": "o9"}, "1", date_format="%d %B %Y", month_names="fr") == [
        "occurred_at_not_a_date"
    ]


@pytest.mark.parametrize("language", _STEMS)
def test_every_language_has_twelve_months_told_apart(language):
    months = [stems.split(",") for stems in _STEMS[language].split("|")]
    assert len(months) == 12 and len({stem for stems in months for stem in stems}) == sum(map(len, months))


def test_date_time_and_zone_in_columns_of_their_own(shop):
    columns = {**COLUMNS, "occurred_at": {"columns": ["day", "time", "zone"], "date_format": "%d/%m/%Y %H:%M %Z"}}
    shop.write(
        "who,order,line,day,time,zone,money\n7,o1,1,01/05/2024,23:30,America/New_York,5\n7,o2,1,01/05/2024,10:00,UTC,5\n"
    )
    shop.describe({"columns": columns}, top={"time_zone": "Europe/Berlin"})
    shop.land()
    assert shop.query("select occurred_at from ingest.transactions order by order_id") == [
        (datetime(2024, 5, 2, 5, 30),),
        (datetime(2024, 5, 1, 12),),
    ]
