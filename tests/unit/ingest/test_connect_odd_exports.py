"""Exports as odd systems write them: what `connect` makes of them is what their owner knows, to the cent, and
`check-source` calls it sound. Their content is made here; the truth is added up beside it."""

import random
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from assets.ingest.check import check_source
from assets.ingest.connect.connected import connect_files
from assets.ingest.sources import resolve_source
from assets.shared.errors import UserError
from assets.shared.settings import Settings

FIRST = date(2024, 1, 2)


@dataclass
class Book:
    """What the owner knows."""

    orders: int = 0
    customers: set[str] = field(default_factory=set)
    net: Decimal = Decimal(0)
    returns: int = 0
    left_out: int = 0


@dataclass
class Sale:
    """One line. `cents`: what was paid, below zero for money back."""

    order: int
    line: int
    customer: str
    when: datetime
    cents: int
    pieces: int
    article: str

    @property
    def money(self) -> Decimal:
        return Decimal(self.cents) / 100


def sales(n_orders: int = 120, back: float = 0.1, lines: tuple[int, ...] = (1, 2, 3), seed: int = 5) -> list[Sale]:
    """Lines in the order of their time; some orders are returns, each of one line."""
    rng = random.Random(seed)
    made = []
    for n in range(n_orders):
        when = datetime.combine(FIRST + timedelta(days=n * 2 % 330), datetime.min.time()) + timedelta(minutes=540 + n)
        is_back = rng.random() < back
        for line in range(1, 2 if is_back else 1 + rng.choice(lines)):
            pieces = rng.randint(1, 4)
            cents = pieces * rng.randint(250, 9900)
            made.append(
                Sale(
                    70000 + n,
                    line,
                    f"K{n % 37:03d}",
                    when,
                    -cents if is_back else cents,
                    pieces,
                    f"A{rng.randint(1, 9)}",
                )
            )
    return sorted(made, key=lambda sale: (sale.when, sale.order, sale.line))


def book(lines: list[Sale], left_out: int = 0) -> Book:
    return Book(
        len({sale.order for sale in lines}),
        {sale.customer for sale in lines},
        sum((sale.money for sale in lines), Decimal(0)),
        sum(sale.cents < 0 for sale in lines),
        left_out,
    )


def totals(lines: list[Sale]) -> dict[int, Decimal]:
    found: dict[int, Decimal] = {}
    for sale in lines:
        found[sale.order] = found.get(sale.order, Decimal(0)) + sale.money
    return found


def german(number: Decimal) -> str:
    return f"{number:,.2f}".replace(",", "_").replace(".", ",").replace("_", ".")


class Inbox:
    """A folder of exported files, and what becomes of it."""

    def __init__(self, folder: Path):
        self.root, self.folder = folder, folder / "exports"
        self.folder.mkdir()
        self.yaml = folder / "source.yml"

    def put(self, header: str, rows: list[str], name: str = "export.csv", encoding: str = "utf-8", end: str = "\n"):
        (self.folder / name).write_bytes((end.join([header, *rows]) + end).encode(encoding))

    def connected(self) -> dict:
        found = connect_files(self.folder, self.yaml)
        self.yaml.write_text(found.text, encoding="utf-8")
        self.text = found.text
        assert not found.missing, found.text
        return yaml.safe_load(found.text)["tables"]["transactions"]

    def understood(self) -> Book:
        import duckdb

        from assets.ingest import raw_views
        from assets.ingest.connect.totals import _LINES, _SIGNED

        home = self.root / "home"
        home.mkdir()
        source = resolve_source(str(self.yaml))
        settings = Settings(home=home, sources=(source.name,))
        source.land(settings)
        with duckdb.connect() as con:
            con.execute("set TimeZone = 'UTC'")
            raw_views.rebuild_raw_views(con, settings, [source.name])
            refused = con.execute("select rule, reason, raw_text from personal.quarantined_rows limit 3").fetchall()
            assert refused == [] and con.execute("select rule, reason from ingest.refused_files").fetchall() == []
            orders, customers, net, n_returns = con.execute(
                "select count(distinct (cast(occurred_at as date), order_id)), list(distinct customer_id), sum(signed),"
                f" count(*) filter (signed < 0) from (select *, {_SIGNED} as signed from {_LINES} as lines)"
            ).fetchone()
            left_out = con.execute("select sum(rows_left_out) from ingest.batches").fetchone()[0]
        return Book(orders, set(customers), Decimal(net).quantize(Decimal("0.01")), n_returns, left_out)

    def reads(self, expected: Book) -> dict:
        table = self.connected()
        report = check_source(self.yaml)
        assert report.ok, self.text + report.render()
        assert self.understood() == expected, self.text
        return table


@pytest.fixture
def inbox(tmp_path) -> Inbox:
    return Inbox(tmp_path)


# -- On which side an amount stands ------------------------------------------------------------------------------------


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("name", "kind", "back"),
    [
        ("Type", "Sale", "Refund"),
        ("DR/CR", "DR", "CR"),
        ("Soll/Haben", "S", "H"),
        ("D/C", "D", "C"),
        ("Belegart", "Rechnung", "Gutschrift"),
        ("Entry", "Debit", "Credit"),
        ("Sign", "+", "-"),
        ("Transaction", "purchase", "RETURN"),
        ("Returned?", "", "return"),
    ],
)
def test_a_column_of_sides(inbox, name, kind, back):
    lines = sales()
    inbox.put(
        f"Invoice No,Customer No,Invoice Date,{name},Article,Amount",
        [
            f"{s.order},{s.customer},{s.when:%Y-%m-%d},{back if s.cents < 0 else kind},{s.article},{abs(s.money)}"
            for s in lines
        ],
    )
    table = inbox.reads(book(lines))
    assert table["columns"]["amount"]["sign"]["negative"] == [back]


def test_credits_that_are_income_are_no_returns(inbox):
    lines = sales(back=0)
    rows = [f"{s.order},{s.customer},{s.when:%d/%m/%Y},DR,{s.money}" for s in lines]
    rows += [f"{90000 + n},K{n:03d},{28 - n % 2}/{n % 12 + 1:02d}/2024,CR,2500.00" for n in range(37)]
    inbox.put("Reference,Account No,Posting Date,Dr/Cr,Value", rows)
    assert "where" in inbox.reads(book(lines, left_out=37))


def test_signs_that_are_there_already_are_not_turned_again(inbox):
    lines = sales()
    inbox.put(
        "Order No,Customer,Date,Kind,Total",
        [f"{s.order},{s.customer},{s.when:%Y-%m-%d},{'Refund' if s.cents < 0 else 'Sale'},{s.money}" for s in lines],
    )
    assert inbox.reads(book(lines))["columns"]["amount"] == "Total"


def test_prices_with_pieces_below_zero_are_not_turned_again(inbox):
    lines = [s for s in sales() if s.cents % s.pieces == 0]
    inbox.put(
        "Order No,Customer,Date,Kind,Qty,Unit Price",
        [
            f"{s.order},{s.customer},{s.when:%Y-%m-%d},{'Return' if s.cents < 0 else 'Sale'},"
            f"{-s.pieces if s.cents < 0 else s.pieces},{abs(s.money) / s.pieces}"
            for s in lines
        ],
    )
    assert inbox.reads(book(lines))["amount_is"] == "unit_price"


def test_sides_and_rows_that_never_came_about(inbox):
    lines = sales()
    rows = [
        f"{s.order};{s.customer};{s.when:%d.%m.%Y %H:%M};{'Refund' if s.cents < 0 else 'Sale'};{german(abs(s.money))}"
        for s in lines
    ]
    rows[40:40] = [f"{80000 + n};K001;05.03.2024 10:00;Voided;{german(Decimal(99))}" for n in range(6)]
    inbox.put("Bon-Nr;Kunden-Nr;Datum;Vorgang;Betrag", rows, encoding="cp1252")
    inbox.reads(book(lines, left_out=6))


# -- Days --------------------------------------------------------------------------------------------------------------

GERMAN_MONTHS = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
]
FRENCH_MONTHS = ["janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."]
SPANISH_MONTHS = [
    "enero",
    "febrero",
    "marzo",
    "abril",
    "mayo",
    "junio",
    "julio",
    "agosto",
    "septiembre",
    "octubre",
    "noviembre",
    "diciembre",
]


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("written", "language"),
    [
        (lambda d: f"{d:%d-%b-%Y}", None),
        (lambda d: f"{d:%d-%b-%y}".upper(), None),
        (lambda d: f"{d.day} {d:%B} {d.year}", None),
        (lambda d: f'"{d:%B} {d.day}, {d.year}"', None),
        (lambda d: f'"{d:%a, %d %b %Y %H:%M:%S} +0000"', None),
        (lambda d: f"{d.day}. {GERMAN_MONTHS[d.month - 1]} {d.year}", "de"),
        (lambda d: f"{d.day:02d}.{GERMAN_MONTHS[d.month - 1][:3]}.{d:%y}", "de"),
        (lambda d: f"{d.day} {FRENCH_MONTHS[d.month - 1]} {d.year}", "fr"),
        (lambda d: f"{d.day} de {SPANISH_MONTHS[d.month - 1]} de {d.year}", "es"),
        (lambda d: f"{d:%d} {['Sept', d.strftime('%b')][d.month != 9]} {d.year} {d:%H:%M}", None),
        (lambda d: f"{d.year}年{d.month}月{d.day}日", None),
        (lambda d: f"{d:%Y%m%d%H%M%S}", None),
    ],
)
def test_months_as_words(inbox, written, language):
    lines = sales()
    inbox.put(
        "order_id,customer_id,when,amount",
        [f"{s.order},{s.customer},{written(s.when)},{s.money}" for s in lines],
    )
    table = inbox.reads(book(lines))
    assert language is None or table["month_names"] == language


def test_the_days_are_those_of_the_file(inbox):
    """Of `12 mars` nobody may make another month."""
    lines = sales()
    inbox.put(
        "order_id,customer_id,when,amount",
        [
            f"{s.order},{s.customer},{s.when.day} {FRENCH_MONTHS[s.when.month - 1]} {s.when.year},{s.money}"
            for s in lines
        ],
    )
    inbox.connected()
    report = check_source(inbox.yaml)
    assert (report.files[0].first_day, report.files[0].last_day) == (lines[0].when.date(), lines[-1].when.date())


def test_a_day_and_its_hour_in_two_columns(inbox):
    lines = sales()
    inbox.put(
        "Receipt\tMember\tDate\tTime\tTotal",
        [f"{s.order}\t{s.customer}\t{s.when:%m/%d/%Y}\t{s.when:%I:%M %p}\t${s.money}" for s in lines],
        name="till.txt",
        end="\r\n",
    )
    table = inbox.reads(book(lines))
    assert table["columns"]["occurred_at"] == {"columns": ["Date", "Time"]} and "%I:%M %p" in table["date_format"]


def test_an_update_changed_how_days_are_written(inbox):
    lines = sales()
    for n, (name, text) in enumerate([("2024_a", "%d/%m/%Y"), ("2024_b", "%d/%m/%Y"), ("2024_c", "%Y-%m-%d %H:%M:%S")]):
        inbox.put(
            "order_id,customer_id,when,amount",
            [f"{s.order},{s.customer},{s.when:{text}},{s.money}" for s in lines if s.order % 3 == n],
            name=f"sales_{name}.csv",
        )
    assert sorted(inbox.reads(book(lines))["date_format"]) == ["%d/%m/%Y", "iso"]


# -- What is written once for an order ---------------------------------------------------------------------------------


def test_the_order_total_on_each_line_beside_prices(inbox):
    lines = [s for s in sales(back=0) if s.cents % s.pieces == 0]
    of_order = totals(lines)
    inbox.put(
        "Order ID,Order Date,Customer ID,SKU,Qty,Price,Order Total",
        [
            f"{s.order},{s.when:%Y-%m-%d},{s.customer},{s.article},{s.pieces},{s.money / s.pieces},{of_order[s.order]}"
            for s in lines
        ],
    )
    inbox.reads(book(lines))


def test_the_order_total_on_each_line_and_nothing_else(inbox):
    lines = sales(back=0)
    of_order = totals(lines)
    inbox.put(
        "Bestellnr;Bestelldatum;Kundennr;Artikel;Gesamtbetrag",
        [f"{s.order};{s.when:%d.%m.%Y};{s.customer};{s.article};{german(of_order[s.order])}" for s in lines],
    )
    assert inbox.reads(book(lines))["amount_is"] == "order_total"


def test_lines_that_cost_the_same_are_no_totals(inbox):
    lines = sales(back=0)
    for sale in lines:
        sale.cents = 999
    inbox.put(
        "order_id,date,customer_id,article,amount",
        [f"{s.order},{s.when:%Y-%m-%d},{s.customer},{s.article},{s.money}" for s in lines],
    )
    assert "amount_is" not in inbox.reads(book(lines))


def test_the_order_on_its_first_line_only(inbox):
    lines = sales(back=0)
    of_order, seen, rows = totals(lines), set(), []
    for s in lines:
        head = f"{s.customer},{s.when:%Y-%m-%d},{of_order[s.order]}" if s.order not in seen else ",,"
        seen.add(s.order)
        rows.append(f"{s.order},{head},{s.article},{s.pieces}")
    inbox.put("Order Number,Customer,Order Date,Order Total,Item,Quantity", rows)
    assert inbox.reads(book(lines))["fill_down"]["within"] == "Order Number"


# -- Units -------------------------------------------------------------------------------------------------------------


def test_cents_by_name_and_values(inbox):
    lines = sales()
    inbox.put(
        "order_id,customer_id,created_at,amount_cents",
        [f"{s.order},{s.customer},{s.when.isoformat()}Z,{s.cents}" for s in lines],
    )
    assert inbox.reads(book(lines))["columns"]["amount"]["scale"] == 0.01


def test_a_name_alone_makes_no_cents(inbox):
    """Somebody kept the title and changed the program."""
    lines = sales()
    inbox.put(
        "order_id,customer_id,created_at,amount_cents",
        [f"{s.order},{s.customer},{s.when:%Y-%m-%d},{s.money}" for s in lines],
    )
    assert inbox.reads(book(lines))["columns"]["amount"] == "amount_cents"


def test_whole_numbers_alone_make_no_cents(inbox):
    lines = sales()
    for sale in lines:
        sale.cents = sale.cents // 100 * 100 or 100
    inbox.put(
        "order_id,customer_id,created_at,recent_amount",
        [f"{s.order},{s.customer},{s.when:%Y-%m-%d},{s.cents // 100}" for s in lines],
    )
    assert inbox.reads(book(lines))["columns"]["amount"] == "recent_amount"


# -- Files of one folder -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encodings", [("utf-8", "cp1252"), ("cp1252", "utf-8"), ("utf-8-sig", "utf-16")])
def test_files_of_two_encodings(inbox, encodings):
    lines = sales()
    for s in lines:
        s.customer = f"Müller {s.customer}"
    for n, encoding in enumerate(encodings):
        inbox.put(
            "Belegnr;Käufer;Datum;Artikel;Betrag",
            [
                f"{s.order};{s.customer};{s.when:%d.%m.%Y};{s.article};{german(s.money)}"
                for s in lines
                if (s.when.month < 7) == (n == 0)
            ],
            name=f"umsatz_{n}.csv",
            encoding=encoding,
        )
    assert len(inbox.reads(book(lines))["encoding"]) == 2


def test_a_file_of_something_else_beside_the_sales_is_not_caught_by_their_pattern(inbox):
    lines = sales()
    for name, months in (("jan", range(1, 7)), ("sep", range(7, 13))):
        inbox.put(
            "order_id,customer_id,date,amount",
            [f"{s.order},{s.customer},{s.when:%Y-%m-%d},{s.money}" for s in lines if s.when.month in months],
            name=f"{name}.csv",
        )
    inbox.put("sku,label,stock", ["A1,Tea,4", "A2,Cake,9"], name="articles.csv")
    assert inbox.reads(book(lines))["files"] == ["jan.csv", "sep.csv"]


# -- Marks, names and days of other habits -----------------------------------------------------------------------------


def test_an_article_number_is_no_amount_in_a_currency(inbox):
    """SKU012 is no 12 SKU, though the amounts themselves need their marks taken off."""
    lines = sales()
    inbox.put(
        "Customer ID,Invoice No,Date,Item,Amount",
        [
            f"{s.customer},{s.order},{s.when:%d-%m-%Y},SKU{n % 30:03},{('Rs. ', '₹', '')[n % 3]}{s.money}"
            + ("/-" if n % 5 == 0 else "")
            for n, s in enumerate(lines)
        ],
    )
    table = inbox.reads(book(lines))
    assert table["columns"]["amount"]["column"] == "Amount" and "currency: INR" in inbox.text


def test_marks_before_and_behind_the_number(inbox):
    lines = sales()
    inbox.put(
        "客户编号,订单号,日期,商品,金额",
        [
            f"{s.customer},{s.order},{s.when:%Y-%m-%d},A1,{f'¥{s.money}' if n % 2 else f'{s.money}元'}"
            for n, s in enumerate(lines)
        ],
    )
    inbox.reads(book(lines))
    assert "currency: CNY" in inbox.text


def test_sides_that_stand_behind_the_number(inbox):
    lines = sales()
    inbox.put(
        "Date,Card No,Reference,Amount",
        [f"{s.when:%Y-%m-%d},{s.customer},{s.order},{abs(s.money)} {'CR' if s.cents < 0 else 'DR'}" for s in lines],
    )
    table = inbox.reads(book(lines))
    assert table["columns"]["amount"]["replace"] == {" CR": "-", " DR": ""} and "UNSURE" in inbox.text


def test_income_beside_spending_below_zero(inbox):
    lines = sales(back=0)
    rows = [f"{s.when:%Y-%m-%d},{s.customer},{s.order},-{s.money}" for s in lines]
    rows += [f"2024-{n % 11 + 1:02}-25,{lines[n].customer},s{n},3000.00" for n in range(11)]
    inbox.put("Date,Account,Reference,Amount", rows)
    assert inbox.reads(book(lines, left_out=11))["columns"]["amount"]["negate"]


def test_any_one_number_below_zero_is_a_mark(inbox):
    lines = sales(back=0)
    inbox.put(
        "Account,Reference,Date,Units,Charge",
        [
            f"{s.customer},{s.order},{s.when:%Y-%m-%d},{-99 if n % 6 == 0 else s.pieces},{s.money}"
            for n, s in enumerate(lines)
        ],
    )
    table = inbox.reads(book(lines))
    assert table["columns"]["quantity"] == {"column": "Units", "null_values": ["-99"]}


def test_words_for_totals(inbox):
    lines = sales()
    rows = [f"{s.when:%Y-%m-%d};{s.customer};{s.order};{german(s.money)}" for s in lines]
    inbox.put("Belegdatum;Kd.-Nr.;Auftrag;Netto", [*rows, "Gesamtsumme;;;9,00", "Totals;;;9,00"])
    assert inbox.reads(book(lines, left_out=2))["columns"]["customer_id"] == "Kd.-Nr."


@pytest.mark.parametrize(
    ("days_ago", "expected"), [(0, "excel_serial_1904"), (1000, "excel_serial_1904"), (1200, "excel_serial")]
)
def test_days_that_are_counted_from_1904(inbox, days_ago, expected):
    """Only where the days would be of late; else they are taken as most spreadsheets write them."""
    newest = (date.today() - date(1904, 1, 1)).days - days_ago
    inbox.put("Customer,Order,When,Total", [f"C{i % 7},{i},{newest - i}.25,{i + 1}.50" for i in range(60)])
    table = inbox.connected()
    assert table["date_format"] == expected
    wrong = inbox.text.replace("excel_serial_1904", "excel_serial")
    inbox.yaml.write_text(wrong, encoding="utf-8")
    assert "say date_format: excel_serial_1904" in check_source(inbox.yaml).render()


def test_ids_that_became_one_are_named_as_what_they_are(inbox):
    inbox.put("Customer,Date,Total", [f"4.01E+15,2024-05-{i + 1:02},{i + 1}.50" for i in range(25)])
    assert inbox.connected()["columns"]["customer_id"] == "Customer"
    report = check_source(inbox.yaml)
    assert not report.ok and "customer_id_lost_digits" in report.render()


# -- Files without a header --------------------------------------------------------------------------------------------


def test_a_file_without_a_header_is_guessed_by_what_stands_in_it(inbox):
    lines = sales(back=0, lines=(1,))
    first, *rows = [f"{s.customer},{s.when:%Y-%m-%d},{s.when:%H:%M},{s.pieces},{s.money}" for s in lines]
    inbox.put(first, rows)
    expected = book(lines)
    # An order is what somebody bought on one day.
    expected.orders = len({(s.customer, s.when.date()) for s in lines})
    table = inbox.reads(expected)
    assert table["column_names"] == [f"column_{n}" for n in range(1, 6)]
    assert table["columns"]["occurred_at"] == {"columns": ["column_2", "column_3"]}
    assert "no line names the columns" in inbox.text and "UNSURE" in inbox.text


@pytest.mark.parametrize("content", ["a,b\nc,d\n", "1,2\n3,4\n", "x,1,2\n" * 4])
def test_too_little_to_tell_a_table_from_a_text(inbox, content):
    (inbox.folder / "notes.csv").write_text(content, encoding="utf-8")
    try:
        assert connect_files(inbox.folder, inbox.yaml).missing
    except UserError as error:
        assert "no table that can be read" in str(error)
