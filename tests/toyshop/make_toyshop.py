"""Makes the two files of the toy shop, always the same: `python tests/toyshop/make_toyshop.py FOLDER`.

Sixty made-up customers, nine months of 2024, about 1,500 receipt lines as a German till exports them, and seven bad
rows on purpose (one for each of the commonest mistakes). Nothing here describes a person.
"""

import random
import sys
from datetime import date, datetime, timedelta
from pathlib import Path

FIRST_DAY, LAST_DAY = date(2024, 1, 2), date(2024, 9, 30)
TOYS = (
    ("T100", "Holzeisenbahn", "Holz", 34.90),
    ("T101", "Bausteine; 100 Stück", "Holz", 29.95),
    ("T200", 'Puzzle "Weltkarte"', "Spiele", 14.99),
    ("T201", "Würfelspiel", "Spiele", 9.50),
    ("T300", "Teddybär", "Plüsch", 24.00),
    ("T301", "Plüschhase", "Plüsch", 17.90),
    ("T400", "Schaukelpferd", "Möbel", 1149.00),
)
SALES_HEADER = "Beleg;Zeile;Kunde;Zeitpunkt;Artikel;Bezeichnung;Warengruppe;Filiale;Menge;Betrag;Rabatt;Art"
CUSTOMERS_HEADER = "Kunde;Name;E-Mail;PLZ;Region;Geburtstag;Kunde seit;Werbung"

#: What the till, a spreadsheet and a hurried hand do to a file. {receipt} rows stand in for good ones of their own.
BAD_ROWS = (
    "90001;1;;14.02.2024 10:15;T201;Würfelspiel;Spiele;Mitte;1;9,50;0,00;V",
    "90002;1;1003;31.02.2024 10:15;T201;Würfelspiel;Spiele;Mitte;1;9,50;0,00;V",
    "90003;1;1004;15.02.2024 10:15;T201;Würfelspiel;Spiele;Mitte;1;k. A.;0,00;V",
    "90004;1;1005;16.02.2024 10:15;T201;Würfelspiel",
    '90005;1;1006;17.02.2024 10:15;T200;"Puzzle;Spiele;Mitte;1;14,99;0,00;V',
)


def make(folder: Path) -> None:
    """Write `transactions.csv` and `customers.csv` into `folder`."""
    rng = random.Random(2024)
    customers = [_customer(rng, number) for number in range(1001, 1061)]
    sales = sorted(line for customer in customers for line in _visits(rng, customer))
    rows = [_row(receipt, line) for receipt, line in enumerate(sales, start=50001)]
    lines = [row for visit in rows for row in visit]
    # The same line twice, and the same receipt line with another amount.
    lines.insert(400, lines[399])
    lines.insert(800, lines[799].rsplit(";", 3)[0] + ";1,00;0,00;V")
    for at, bad in enumerate(BAD_ROWS):
        lines.insert(200 * (at + 1) + 50, bad)
    _write(folder / "transactions.csv", SALES_HEADER, lines)
    _write(folder / "customers.csv", CUSTOMERS_HEADER, [customer["row"] for customer in customers])


def _write(path: Path, header: str, lines: list[str]) -> None:
    path.write_bytes(("\r\n".join([header, *lines]) + "\r\n").encode("utf-8"))


def _customer(rng: random.Random, number: int) -> dict:
    joined = FIRST_DAY + timedelta(days=int(rng.random() * 90))
    # Every third customer stops coming some time in the year.
    stays = number % 3 != 0
    left = LAST_DAY if stays else joined + timedelta(days=60 + int(rng.random() * 120))
    born = date(1955, 1, 1) + timedelta(days=int(rng.random() * 16000))
    region = ("Mitte", "Nord", "Süd")[number % 3]
    wants_mail = "ja" if rng.random() < 0.6 else "nein"
    row = (
        f"{number};Kunde {number};kunde{number}@example.org;{10000 + number};{region};"
        f"{born:%d.%m.%Y};{joined:%d.%m.%Y};{wants_mail}"
    )
    return {"id": number, "from": joined, "to": min(left, LAST_DAY), "gap": 8 + int(rng.random() * 14), "row": row}


def _visits(rng: random.Random, customer: dict) -> list[tuple]:
    visits, day = [], customer["from"]
    while day <= customer["to"]:
        minute = 9 * 60 + int(rng.random() * 10 * 60)
        moment = datetime(day.year, day.month, day.day, minute // 60, minute % 60)
        basket = tuple(
            (TOYS[min(int(rng.random() ** 1.3 * 6.06), 6)], 1 + int(rng.random() * 1.3), rng.random() < 0.25)
            for _ in range(1 + int(rng.random() * 2.6))
        )
        is_return = rng.random() < 0.04
        visits.append((moment, customer["id"], basket, is_return))
        day += timedelta(days=max(1, int(customer["gap"] * (0.4 + 1.2 * rng.random()))))
    return visits


def _row(receipt: int, visit: tuple) -> list[str]:
    moment, customer, basket, is_return = visit
    shop = ("Mitte", "Bahnhof")[receipt % 2]
    rows = []
    for at, ((article, name, group, price), pieces, is_reduced) in enumerate(basket, start=1):
        discount = round(price * pieces * 0.1, 2) if is_reduced else 0.0
        shown = '"' + name.replace('"', '""') + '"' if any(c in name for c in ';"') else name
        rows.append(
            f"{receipt};{at};{customer};{moment:%d.%m.%Y %H:%M};{article};{shown};{group};{shop};{pieces};"
            f"{_money(price * pieces - discount)};{_money(discount)};{'R' if is_return else 'V'}"
        )
    return rows


def _money(value: float) -> str:
    """1234.5 as 1.234,50."""
    return f"{value:,.2f}".replace(",", " ").replace(".", ",").replace(" ", ".")


if __name__ == "__main__":
    make(Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parent))
