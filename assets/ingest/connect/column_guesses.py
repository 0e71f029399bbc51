"""What the columns of an export mean, from their names and from what stands in them.

In: a `FoundTable`. Out: a `GuessedTable`: the keys of a table's mapping, each with why it was guessed, and which
required columns were not found. How the guess is written down does not belong here (`written`).
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import yaml

from assets.ingest.canonical import ENTITIES
from assets.ingest.connect.found_files import FoundTable
from assets.ingest.guesses import CONVINCING_SHARE, DAY_FORMATS, NUMBER_WRITINGS, TIME_FORMATS
from assets.ingest.mapping.moments import NAMED_FORMATS, Clock, moment_sql
from assets.ingest.mapping.numbers import CURRENCY_MARKS, NumberKeys, number_sql
from assets.shared.quoting import literal
from assets.shared.warehouse import fetch_row

_NAMES_FILE = Path(__file__).with_name("column_names.yml")
#: Canonical column (or part of one) -> what exports call it, the surest name first.
NAMES: Mapping[str, tuple[str, ...]] = {
    name: tuple(words.split()) for name, words in yaml.safe_load(_NAMES_FILE.read_text(encoding="utf-8")).items()
}

#: Formats with names of their own, but the first.
NAMED_OTHERS = tuple(name for name in NAMED_FORMATS if name != "iso")
#: Marks that mean one currency alone, wherever they stand: letters of every day might be anything.
_SIGNS = {
    mark: code
    for code, marks in CURRENCY_MARKS.items()
    for mark in marks
    if not mark.isascii() and sum(mark in others for others in CURRENCY_MARKS.values()) == 1
} | {"R$": "BRL"}
#: A column is judged by its first cells.
JUDGED_CELLS = 400
#: A column with more different words than this is no kind of row.
MOST_KINDS = 12
#: Names that say that a row is no sale.
_STATUS_NAMES = ("financialstatus", "orderstatus", "status", "交易状态", "订单状态")
_NO_SALES = ("voided", "cancelled", "canceled", "failed", "trash", "expired", "wc-cancelled", "wc-failed", "storniert",
             "交易关闭", "已取消")  # fmt: skip
#: (offset from UTC in winter, in summer), in minutes, and a zone that has them.
_ZONES = {
    (-480, -420): "America/Los_Angeles", (-420, -360): "America/Denver", (-360, -300): "America/Chicago",
    (-300, -240): "America/New_York", (-180, -180): "America/Sao_Paulo", (0, 60): "Europe/London",
    (60, 120): "Europe/Berlin", (120, 180): "Europe/Athens", (180, 180): "Europe/Moscow", (330, 330): "Asia/Kolkata",
    (480, 480): "Asia/Shanghai", (540, 540): "Asia/Tokyo", (600, 660): "Australia/Sydney",
}  # fmt: skip


@dataclass
class GuessedTable:
    """`keys` of the table, and of its `columns` (canonical name -> as in the YAML); `notes`: key or canonical column ->
    why; `missing`: required columns that were not found; `time_zone` and `currency` where the values tell them."""

    keys: dict[str, Any] = field(default_factory=dict)
    columns: dict[str, Any] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    time_zone: str | None = None
    currency: str | None = None


def plain(name: str) -> str:
    """A column's name by its letters and digits only, in lower case, without accents of Latin letters."""
    bare = unicodedata.normalize("NFD", name.casefold())
    return "".join(c for c in bare if c.isalnum())


def guess_transactions(table: FoundTable) -> GuessedTable:
    """What the columns of sales are."""
    with duckdb.connect() as con:
        return _Guesser(con, table).guessed()


def zone_of(table: FoundTable) -> str | None:
    """The zone that the offsets of some column's times tell; None where none does."""
    return next((zone for cells in table.columns.values() if (zone := _zone_of(cells)) is not None), None)


class _Guesser:
    """One look at one table."""

    def __init__(self, con: duckdb.DuckDBPyConnection, table: FoundTable):
        self._con, self._table, self._found = con, table, GuessedTable()
        self._left = {plain(name): name for name in reversed(table.header)}

    def guessed(self) -> GuessedTable:
        found = self._found
        self._when()
        self._who()
        self._money()
        self._who_by_values()
        for name in ("order_id", "line_id", "product_id", "category", "channel", "store_id", "currency"):
            column = self._take(name)
            if column is not None:
                found.columns[name] = column
                found.notes[name] = "by its name"
        if "line_id" not in found.columns and "order_id" in found.columns:
            found.columns["line_id"] = {"numbered": True}
            found.notes["line_id"] = "no column numbers the lines of an order; whole orders must stand in one file"
        self._unwanted()
        self._nobodys()
        self._marks()
        if self._table.footer_words:
            found.keys["footer"] = list(self._table.footer_words)
            found.notes["footer"] = "some lines begin with these words"
        found.missing = [name for name in ENTITIES["transactions"].required if name not in found.columns]
        return found

    # -- Which column ------------------------------------------------------------------------------------------------

    def _take(self, name: str, fits: Callable[[Sequence[str]], bool] = lambda cells: True) -> str | None:
        """The column with the surest name of a canonical one whose cells fit; it is then taken."""
        exact = [known for known in NAMES[name] if known in self._left]
        within = [own for known in NAMES[name][:8] if len(known) > 4 for own in self._left if known in own]
        for key in [*exact, *within]:
            column = self._left.get(key)
            if column is not None and fits(self._cells(column)):
                del self._left[key]
                return column
        return None

    def _cells(self, column: str) -> list[str]:
        return [cell for cell in self._table.columns[column] if cell]

    # -- Days and times ----------------------------------------------------------------------------------------------

    def _when(self) -> None:
        found = self._found
        column = self._take("occurred_at", lambda cells: self._formats(cells) is not None)
        if column is None:
            column = next((own for own in self._left.values() if self._formats(self._cells(own)) is not None), None)
            if column is None:
                return
            del self._left[plain(column)]
        cells = self._cells(column)
        formats = self._formats(cells) or ["iso"]
        found.columns["occurred_at"] = column
        found.notes["occurred_at"] = "by its name" if plain(column) in NAMES["occurred_at"] else "by its values"
        if formats[0] != "iso":
            found.keys["date_format"] = formats[0]
            also = f"; every value could also be {formats[1]}" if len(formats) > 1 else ""
            found.notes["date_format"] = f"reads at least {CONVINCING_SHARE:.0%} of the values{also}"
        found.time_zone = _zone_of(cells)
        if "utc" in plain(column) and found.time_zone is None:
            found.keys["file_time_zone"] = "UTC"
            found.notes["file_time_zone"] = "the column's name says so"

    def _formats(self, cells: Sequence[str]) -> list[str] | None:
        """Formats that read nearly all cells, the best first; None where none does or the cells are mere numbers."""
        if not cells or not _may_be_moments(cells[:JUDGED_CELLS]):
            return None
        zones = [f"{day}{time}{zone}" for day in DAY_FORMATS for time in TIME_FORMATS[1:] for zone in (" %z", "%z")]
        written = [day + time for day in DAY_FORMATS for time in TIME_FORMATS] + zones
        moments = [f"try_strptime(cell, {literal(text)})" for text in written]
        moments += [moment_sql("cell", "VARCHAR", (name,), Clock()) for name in ("iso", *NAMED_OTHERS)]
        # %Y also reads 24 as a year of the Romans.
        readings = [f"case when year({moment}) between 1980 and 2100 then {moment} end" for moment in moments]
        shares = dict(zip([*written, "iso", *NAMED_OTHERS], self._shares(cells, readings), strict=True))
        if shares["iso"] >= CONVINCING_SHARE:
            return ["iso"]
        best = max(shares.values())
        return [text for text, share in shares.items() if share == best] if best >= CONVINCING_SHARE else None

    # -- Customers ---------------------------------------------------------------------------------------------------

    def _who(self) -> None:
        column = self._take("customer_id", lambda cells: len(set(cells)) > 1)
        if column is None:
            return
        cells = self._cells(column)
        addresses = sum("@" in cell for cell in cells)
        self._found.notes["customer_id"] = "by its name"
        if addresses > len(cells) / 2:
            self._found.columns["customer_id"] = {"column": column, "case": "lower", "hash": "HOLDFAST_ID_KEY"}
            self._found.notes["customer_id"] = "e-mail addresses are hashed: an id is published"
        else:
            self._found.columns["customer_id"] = column

    def _who_by_values(self) -> None:
        """Where no name says who bought: of the columns whose values come again and again, the one with fewest."""
        if "customer_id" in self._found.columns:
            return
        again = {
            own: len(set(cells))
            for own in self._left.values()
            if (cells := self._cells(own))
            and len(cells) == len(self._table.columns[own])
            and max(2, len(cells) ** 0.5 / 2) <= len(set(cells)) < len(cells)
        }
        if again:
            column = min(again, key=lambda own: again[own])
            del self._left[plain(column)]
            self._found.columns["customer_id"] = column
            self._found.notes["customer_id"] = "UNSURE: no name says so; its values come again and again"

    # -- Money -------------------------------------------------------------------------------------------------------

    def _money(self) -> None:
        found = self._found
        numbers = {own: w for own in self._left.values() if (w := self._writing(self._cells(own))) is not None}

        def is_number(cells: Sequence[str]) -> bool:
            return self._writing(cells) is not None

        debit, credit = self._take("debit", is_number), self._take("credit", is_number)
        quantity = self._take("quantity", is_number)
        if debit and credit:
            found.columns["amount"] = {"debit": debit, "credit": credit}
            found.keys["where"] = f'"{debit}" is not empty and "{debit}" != 0'
            found.notes["amount"] = found.notes["where"] = "two columns: what comes in is no purchase and is left out"
            column = debit
        else:
            for taken in (debit, credit):
                if taken is not None:
                    self._left[plain(taken)] = taken
            named = self._take("amount", is_number) or self._price(quantity, is_number)
            money = named or self._most_decimal(numbers)
            if money is None:
                return
            column = money
            found.columns["amount"] = column
            found.notes.setdefault("amount", "by its name")
            if self._share_below_zero(column, numbers.get(column)) > 0.5:
                found.columns["amount"] = {"column": column, "negate": True}
                found.notes["amount"] = "most values are below zero: taken for spending"
        if quantity is not None:
            found.columns["quantity"] = self._without_sentinel(quantity, column)
            found.notes.setdefault("quantity", "by its name")
        discount = self._take("discount_amount", is_number)
        if discount is not None:
            found.columns["discount_amount"] = discount
            found.notes["discount_amount"] = "taken as deducted from the amount already"
        decimal, thousands = numbers.get(column) or (".", None)
        if decimal != ".":
            found.keys["decimal"], found.notes["decimal"] = decimal, f"from the values of {column}"
        if thousands is not None:
            found.keys["thousands"], found.notes["thousands"] = thousands, f"from the values of {column}"
        found.currency = _currency_of(self._cells(column))

    def _most_decimal(self, numbers: dict[str, Any]) -> str | None:
        """Where no name says what is money: the column of numbers with most values that are no whole numbers."""
        broken = {own: sum(not cell.lstrip("-").isdigit() for cell in self._cells(own)) for own in numbers}
        column = max(broken, key=lambda own: broken[own], default=None)
        if column is None or not broken[column] or plain(column) not in self._left:
            return None
        del self._left[plain(column)]
        self._found.notes["amount"] = "UNSURE: no name says so; most of its numbers have decimals"
        return column

    def _price(self, quantity: str | None, is_number: Callable[[Sequence[str]], bool]) -> str | None:
        column = self._take("unit_price", is_number)
        if column is not None and quantity is not None:
            self._found.keys["amount_is"] = "unit_price"
            self._found.notes["amount_is"] = "no column holds the total of a line"
        return column

    def _writing(self, cells: Sequence[str]) -> Any:
        """(decimal, thousands) that reads nearly all cells, None where none does."""
        if not cells:
            return None
        readings = [_number(decimal, thousands) for decimal, thousands in NUMBER_WRITINGS]
        shares = self._shares([_without_mark(cell) for cell in cells], readings)
        best = max(shares)
        return NUMBER_WRITINGS[shares.index(best)] if best >= CONVINCING_SHARE else None

    def _share_below_zero(self, column: str, writing: Any) -> float:
        reading = _number(*(writing or (".", None)))
        cells = [_without_mark(cell) for cell in self._cells(column)]
        return self._shares(cells, [f"case when {reading} < 0 then 1 end"])[0]

    def _without_sentinel(self, column: str, amount: str) -> Any:
        """A quantity whose only value below zero is -1, again and again beside amounts above zero, marks something."""
        pairs = zip(self._table.columns[column], self._table.columns[amount], strict=True)
        below = [(cell, money) for cell, money in pairs if cell.startswith("-")]
        is_mark = all(cell == "-1" and not money.lstrip("'=\"").startswith(("-", "(")) for cell, money in below)
        if len(below) >= 3 and is_mark and len(set(self._cells(column))) > 3:
            self._found.notes["quantity"] = "-1 is its only value below zero: taken for a mark that means nothing"
            return {"column": column, "null_values": ["-1"]}
        return column

    # -- Rows and marks ----------------------------------------------------------------------------------------------

    def _unwanted(self) -> None:
        column = next((self._left[name] for name in _STATUS_NAMES if name in self._left), None)
        if column is None:
            return
        unwanted = sorted({cell for cell in self._cells(column) if cell.casefold() in _NO_SALES})
        if unwanted and "where" not in self._found.keys:
            self._found.keys["where"] = f'"{column}" not in ({", ".join(map(repr, unwanted))})'
            self._found.notes["where"] = f"orders that never came about; {column} also holds " + ", ".join(
                sorted(set(self._cells(column)) - set(unwanted))[:8]
            )

    def _nobodys(self) -> None:
        """Rows of kinds that never name a customer, such as payouts, are no sales."""
        who = self._found.columns.get("customer_id")
        name = who["column"] if isinstance(who, dict) else who
        if name is None or "where" in self._found.keys:
            return
        named = [bool(cell) for cell in self._table.columns[name]]
        for column in self._left.values():
            cells = self._table.columns[column]
            kinds = set(cells)
            if all(named) or not 1 < len(kinds) <= MOST_KINDS or "" in kinds:
                continue
            with_customer = {kind for kind, is_named in zip(cells, named, strict=True) if is_named}
            if with_customer and with_customer < kinds:
                self._found.keys["where"] = f'"{column}" in ({", ".join(map(repr, sorted(with_customer)))})'
                without = ", ".join(sorted(kinds - with_customer))
                self._found.notes["where"] = f"no row with {column} {without} names a customer"
                return

    def _marks(self) -> None:
        cells = [cell for column in self._table.header for cell in self._cells(column)[:50]]
        if any(re.fullmatch(r'="[^"]*"|[\'`].+', cell) for cell in cells):
            self._found.keys["strip"] = "spreadsheet"
            self._found.notes["strip"] = 'some cells stand in the marks of a spreadsheet (="…", an apostrophe)'

    def _shares(self, cells: Sequence[str], readings: Sequence[str]) -> list[float]:
        """Share of the first cells that each expression reads."""
        cells = cells[:JUDGED_CELLS]
        self._con.execute("create or replace temp table cells as select unnest(?) as cell", [list(cells)])
        counts = ", ".join(f"count({reading})" for reading in readings)
        return [n / len(cells) for n in fetch_row(self._con, f"select {counts} from cells")]


def _may_be_moments(cells: Sequence[str]) -> bool:
    """Can most of the cells be days at all? A first look, for trying every format takes its time."""
    small = re.compile(r"-?\d{1,4}([.,]\d{1,2})?")
    fitting = [len(re.findall(r"\d", cell)) >= 3 and len(cell) <= 40 and not small.fullmatch(cell) for cell in cells]
    return sum(fitting) >= CONVINCING_SHARE * len(fitting)


def _number(decimal: Any, thousands: Any) -> str:
    return number_sql("cell", NumberKeys(decimal=decimal, thousands=thousands), "decimal(18,4)")


def _without_mark(cell: str) -> str:
    """The cell without a currency's code at its beginning or end."""
    return re.sub(r"^[A-Z]{3}\s?(?=[-(\d])|(?<=[\d)-])\s?[A-Z]{3}$", "", cell)


def _currency_of(cells: Sequence[str]) -> str | None:
    """The currency that its code or its own mark at some amount names; None where none or several are named."""
    code_at_a_number = r"^([A-Z]{3})\s?[-(\d]|[\d)-]\s?([A-Z]{3})$"
    found = (code for cell in cells for groups in re.findall(code_at_a_number, cell) for code in groups)
    codes = {code for code in found if code}
    codes |= {code for sign, code in _SIGNS.items() if any(sign in cell for cell in cells)}
    return codes.pop() if len(codes) == 1 else None


def _zone_of(cells: Sequence[str]) -> str | None:
    """A zone whose offsets in winter and summer are those of the cells; None where they tell none."""
    offsets: dict[str, set[int]] = {"winter": set(), "summer": set()}
    for cell in cells:
        found = re.search(r"(\d{4})-(\d{2})-.*([-+])(\d{2}):?(\d{2})$", cell)
        if found is not None:
            minutes = int(found[3] + "1") * (int(found[4]) * 60 + int(found[5]))
            season = "winter" if int(found[2]) in (12, 1, 2) else "summer" if int(found[2]) in (5, 6, 7, 8) else None
            if season is not None:
                offsets[season].add(minutes)
    seen = [minutes for values in offsets.values() for minutes in values]
    fitting = [
        zone
        for (winter, summer), zone in _ZONES.items()
        if offsets["winter"] <= {winter} and offsets["summer"] <= {summer} and seen
    ]
    return fitting[0] if len(fitting) == 1 else None
