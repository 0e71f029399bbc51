"""What the columns of an export mean, from their names and from what stands in them.

In: a `FoundTable`. Out: a `GuessedTable`: the keys of a table's mapping, each with why it was guessed, and which
required columns were not found. How the guess is written down does not belong here (`written`).
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import yaml

from assets.ingest.canonical import ENTITIES
from assets.ingest.connect.found_files import FoundTable
from assets.ingest.connect.row_guesses import (
    INCOME_SHARE,
    MOST_KINDS,
    adds_up,
    is_in_cents,
    is_repeated_total,
    numbers_of,
    rows_of_orders,
    sides_of,
    written_once,
)
from assets.ingest.guesses import (
    COMPACT_FORMATS,
    CONVINCING_SHARE,
    NAMED_DAYS,
    NUMBER_WRITINGS,
    NUMBERED_DAYS,
    TIME_FORMATS,
)
from assets.ingest.mapping.answers import SCALED, USUAL_SCALE
from assets.ingest.mapping.moments import NAMED_FORMATS, Clock, moment_sql
from assets.ingest.mapping.month_names import MonthLanguage, language_of
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
#: Codes of currencies: three other capital letters before a number are the beginning of an article's number.
_MORE_CODES = ("AED", "ARS", "BGN", "CLP", "COP", "EGP", "IDR", "ILS", "ISK", "KES", "KWD", "MAD", "MYR", "NGN", "NZD",
               "PEN", "PHP", "QAR", "RON", "RSD", "SAR", "THB", "TWD", "UYU", "VND")  # fmt: skip
_CODE = "|".join([*CURRENCY_MARKS, *_MORE_CODES])
_WRITTEN_MARKS = {mark for marks in CURRENCY_MARKS.values() for mark in marks if len(mark) > 1 or not mark.isascii()}
_OWN_MARKS = "|".join(re.escape(mark) for mark in sorted(_WRITTEN_MARKS, key=lambda mark: (-len(mark), mark)))
_MARKS_OF_MONEY = rf"^(?:{_CODE}|{_OWN_MARKS})\s?(?=[-(\d])|(?<=[\d)\-.])\s?(?:{_CODE}|{_OWN_MARKS})$|(?<=\d)/-$"
#: What statements write behind an amount: what came in, and what went out.
_SIDE = r"(?<=\d)\s?(?:CR|DR|Cr|Dr)\.?$"
#: Days of a spreadsheet that counts from 1904 lie so many days too early, and then long ago.
_DAYS_SINCE_1904, _LONG_AGO = 1462, 1100
#: A column is judged by its first cells.
JUDGED_CELLS = 400
#: An order has no more rows than this, by far most of the time.
LARGEST_ORDER = 50
#: Of days written in several ways: so many formats at most, each of at least this share.
MOST_FORMATS, LEAST_SHARE = 3, 0.02
#: Columns with the time of the day, and how it is written.
_HOUR_NAMES = ("time", "uhrzeit", "zeit", "heure", "hora", "ora", "时间", "timeofday", "ordertime", "saletime")
_HOURS = {
    r"\d{1,2}:\d\d": "%H:%M",
    r"\d{1,2}:\d\d:\d\d": "%H:%M:%S",
    r"\d{1,2}:\d\d [AaPp][Mm]": "%I:%M %p",
    r"\d{1,2}:\d\d:\d\d [AaPp][Mm]": "%I:%M:%S %p",
}
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


def guess_surveys(table: FoundTable) -> GuessedTable | None:
    """What the columns of a survey's answers are; None where the table holds none, or sales."""
    with duckdb.connect() as con:
        return _Guesser(con, table).surveyed()


def guess_balances(table: FoundTable, sales: GuessedTable) -> GuessedTable | None:
    """The balances of a bank's statement: what stands in an account after each posting, beside what went out and what
    came in. None where the table is no such statement."""
    amount = sales.columns.get("amount")
    by_name = {plain(name): name for name in table.header}
    balance = next((by_name[known] for known in NAMES["balance"] if known in by_name), None)
    if not isinstance(amount, dict) or "debit" not in amount or balance is None or sales.missing:
        return None
    same = ("date_format", "month_names", "decimal", "thousands", "file_time_zone", "strip", "footer")
    keys = {key: sales.keys[key] for key in same if key in sales.keys}
    day = sales.columns["occurred_at"]
    if isinstance(day, dict):
        return None
    return GuessedTable(
        keys,
        {"customer_id": sales.columns["customer_id"], "day": day, "balance": balance},
        dict.fromkeys((*keys, "customer_id", "day"), "as in transactions") | {"balance": "by its name"},
    )


def zone_of(table: FoundTable) -> str | None:
    """The zone that the offsets of some column's times tell; None where none does."""
    return next((zone for cells in table.columns.values() if (zone := _zone_of(cells)) is not None), None)


class _Guesser:
    """One look at one table."""

    def __init__(self, con: duckdb.DuckDBPyConnection, table: FoundTable):
        self._con, self._table, self._found = con, table, GuessedTable()
        self._judged: dict[tuple[str, ...], _Written | None] = {}
        self._left = {plain(name): name for name in reversed(table.header)}

    def guessed(self) -> GuessedTable:
        found = self._found
        self._when()
        self._who()
        self._money()
        self._sides()
        self._who_by_values()
        for name in ("order_id", "line_id", "product_id", "category", "channel", "store_id", "currency"):
            column = self._take(name, self._numbers_orders) if name == "order_id" else self._take(name)
            if column is not None:
                found.columns[name] = column
                found.notes[name] = "by its name"
        if "line_id" not in found.columns and "order_id" in found.columns:
            found.columns["line_id"] = {"numbered": True}
            found.notes["line_id"] = "no column numbers the lines of an order; whole orders must stand in one file"
        self._orders()
        self._unwanted()
        self._nobodys()
        self._marks()
        if self._table.footer_words:
            found.keys["footer"] = list(self._table.footer_words)
            found.notes["footer"] = "some lines begin with these words"
        found.missing = [name for name in ENTITIES["transactions"].required if name not in found.columns]
        return found

    def surveyed(self) -> GuessedTable | None:
        """The same for answers of a survey: a customer, a day, and a question that only surveys ask."""
        found, notes = self._found, self._found.notes
        if set(NAMES["amount"]) & set(self._left):
            return None
        columns = {name: self._take(name, self._are_numbers) for name in ("recommendation", *SCALED)}
        answers = {name: column for name, column in columns.items() if column is not None}
        if not answers:
            return None
        self._when()
        self._who()
        if not {"occurred_at", "customer_id"} <= set(found.columns):
            return None
        found.columns["answered_at"], notes["answered_at"] = found.columns.pop("occurred_at"), notes.pop("occurred_at")
        if (attribute := self._take("attribute")) is not None:
            answers["attribute"] = attribute
        found.columns |= answers
        notes.update(dict.fromkeys(answers, "by its name"))
        self._scale([column for name, column in answers.items() if name in SCALED])
        return found

    def _scale(self, columns: Sequence[str]) -> None:
        """The shortest usual scale that holds all answers, where it is another than the default."""
        numbers = [float(cell.replace(",", ".")) for column in columns for cell in self._cells(column)]
        ends = min(numbers, default=USUAL_SCALE[0]), max(numbers, default=USUAL_SCALE[1])
        if ends[0] < USUAL_SCALE[0]:
            self._found.columns["scale_low"] = {"constant": "0"}
            self._found.notes["scale_low"] = f"the lowest answer is {ends[0]:g}"
        if ends[1] > USUAL_SCALE[1]:
            high = next((high for high in (7, 10, 100) if ends[1] <= high), ends[1])
            self._found.columns["scale_high"] = {"constant": f"{high:g}"}
            self._found.notes["scale_high"] = f"the highest answer is {ends[1]:g}"

    @staticmethod
    def _are_numbers(cells: Sequence[str]) -> bool:
        return bool(cells) and all(re.fullmatch(r"\d+([.,]\d+)?", cell) for cell in cells)

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
            others = [own for own in self._left.values() if not _is_called_otherwise(own, "occurred_at")]
            column = next((own for own in others if self._formats(self._cells(own)) is not None), None)
            if column is None:
                return
            del self._left[plain(column)]
        cells = self._cells(column)
        written = self._formats(cells) or _Written(("iso",))
        found.columns["occurred_at"] = column
        found.notes["occurred_at"] = "by its name" if plain(column) in NAMES["occurred_at"] else "by its values"
        formats = written.formats
        if formats == ("excel_serial",) and _counts_from_1904(cells):
            formats = ("excel_serial_1904",)
            found.notes["date_format"] = "counted from 1900 all days would lie years ago"
        hour = self._hour(cells)
        if hour is not None:
            found.columns["occurred_at"] = {"columns": [column, hour[0]]}
            found.notes["occurred_at"] = "a day, and a time of the day in a column of its own"
            formats = tuple(f"{'%Y-%m-%d' if day == 'iso' else day} {hour[1]}" for day in formats)
        if formats != ("iso",):
            found.keys["date_format"] = formats[0] if len(formats) == 1 else list(formats)
            also = f"; every value could also be {written.other}" if written.other else ""
            found.notes.setdefault("date_format", f"reads at least {CONVINCING_SHARE:.0%} of the values{also}")
        if written.months is not None:
            found.keys["month_names"] = written.months
            found.notes["month_names"] = "the language whose months these are"
        found.time_zone = _zone_of(cells)
        if "utc" in plain(column) and found.time_zone is None:
            found.keys["file_time_zone"] = "UTC"
            found.notes["file_time_zone"] = "the column's name says so"

    def _hour(self, days: Sequence[str]) -> tuple[str, str] | None:
        """A column with the time of the day beside one with the day, and its format; None where there is none."""
        if any(":" in cell for cell in days):
            return None
        names = _HOUR_NAMES if self._table.has_header else tuple(self._left)
        for name in names:
            column = self._left.get(name)
            cells = [] if column is None else self._cells(column)
            for shape, text in _HOURS.items():
                if column is not None and cells and all(re.fullmatch(shape, cell) for cell in cells):
                    del self._left[name]
                    return column, text
        return None

    def _formats(self, cells: Sequence[str]) -> "_Written | None":
        """How nearly all cells are written; None where they are no moments, or mere numbers."""
        if not cells or not _may_be_moments(_spread(cells)):
            return None
        cells = _spread(cells)
        key = tuple(cells)
        if key not in self._judged:
            self._judged[key] = self._written(cells)
        return self._judged[key]

    def _written(self, cells: Sequence[str]) -> "_Written | None":
        readings = _readings_of(cells)
        shares = dict(zip(readings, self._shares(cells, list(readings.values())), strict=True))
        if max(shares.values()) < CONVINCING_SHARE and (language := language_of(cells)) is not None:
            of_language = _readings_in(language)
            readings |= of_language
            shares |= dict(zip(of_language, self._shares(cells, list(of_language.values())), strict=True))
        best = (
            ("iso", None) if shares.get(("iso", None), 0) >= CONVINCING_SHARE else max(shares, key=lambda f: shares[f])
        )
        if shares[best] < LEAST_SHARE:
            return None
        ties = [text for (text, months), share in shares.items() if share == shares[best] and months == best[1]]
        other = next((text for text in ties if text != best[0]), None) if shares[best] >= CONVINCING_SHARE else None
        formats, months = [best[0]], best[1]
        # What one format does not read, another may: files of years were not all written by one program.
        unread = self._unread(cells, readings[best])
        while unread and len(formats) < MOST_FORMATS:
            usable = {f: reading for f, reading in readings.items() if f[1] in (None, months)}
            of_rest = dict(zip(usable, self._shares(unread, list(usable.values())), strict=True))
            following = max(of_rest, key=lambda f: of_rest[f])
            if of_rest[following] * len(unread) < max(2, LEAST_SHARE * len(cells)):
                break
            formats.append(following[0])
            unread = self._unread(unread, readings[following])
        if len(unread) > (1 - CONVINCING_SHARE) * len(cells):
            return None
        return _Written(tuple(formats), months, None if best[0] == "iso" else other)

    def _unread(self, cells: Sequence[str], reading: str) -> list[str]:
        self._con.execute("create or replace temp table cells as select unnest(?) as cell", [list(cells)])
        return [cell for (cell,) in self._con.execute(f"select cell from cells where ({reading}) is null").fetchall()]

    # -- Customers ---------------------------------------------------------------------------------------------------

    def _who(self) -> None:
        # A spreadsheet makes one number of many long ones: check-source says so of the right column.
        column = self._take("customer_id", lambda cells: len(set(cells)) > 1 or _are_shortened(cells))
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
            and not _is_called_otherwise(own, "customer_id")
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
            changed: dict[str, Any] = {}
            cells = self._cells(column)
            if self._share_below_zero(column, numbers.get(column)) > 0.5:
                changed["negate"] = True
                found.notes["amount"] = "most values are below zero: taken for spending"
                if self._has_income(column, numbers.get(column)):
                    self._leave_out(f'"{column}" < 0', "so much is above zero that it is income and no money back")
            if sides := sorted({side[0] for cell in cells if (side := re.search(_SIDE, cell))}):
                changed["replace"] = {side: "-" if "c" in side.casefold() else "" for side in sides}
                found.notes["amount"] += "; UNSURE: what stands with CR is taken for money back"
            if any(cell.endswith("/-") for cell in cells):
                changed["strip"] = ["spreadsheet", "/-"]
            if is_in_cents(column, self._cells(column)):
                changed["scale"] = 0.01
                found.notes["amount"] += "; name and values say that it is in cents"
            if changed:
                found.columns["amount"] = {"column": column, **changed}
        if quantity is not None:
            found.columns["quantity"] = self._without_sentinel(quantity, column)
            found.notes.setdefault("quantity", "by its name")
        discount = self._take("discount_amount", is_number)
        if discount is not None:
            in_cents = is_in_cents(discount, self._cells(discount))
            found.columns["discount_amount"] = {"column": discount, "scale": 0.01} if in_cents else discount
            found.notes["discount_amount"] = "taken as deducted from the amount already"
        decimal, thousands = numbers.get(column) or (".", None)
        if decimal != ".":
            found.keys["decimal"], found.notes["decimal"] = decimal, f"from the values of {column}"
        if thousands is not None:
            found.keys["thousands"], found.notes["thousands"] = thousands, f"from the values of {column}"
        found.currency = _currency_of(self._cells(column))

    def _sides(self) -> None:
        """A column that says on which side an amount stands."""
        found, amount = self._found, self._found.columns.get("amount")
        name = amount["column"] if isinstance(amount, dict) and "column" in amount else amount
        if not isinstance(name, str):
            return
        amounts = self._numbers(name)
        quantity = found.columns.get("quantity")
        quantities = self._numbers(quantity) if isinstance(quantity, str) else [None] * len(amounts)
        for column in [*self._left.values()]:
            sides = sides_of(self._table.columns[column], amounts, quantities)
            if sides is None:
                continue
            if sides.is_income:
                self._leave_out(
                    f'"{column}" not in ({", ".join(map(repr, sides.negative))})',
                    f"so much stands on the other side of {column} that it is income and no money back",
                )
            else:
                positive = [kind for kind in sides.positive if kind.casefold() not in _NO_SALES]
                sign = {"column": column, "negative": [*sides.negative], "positive": positive}
                found.columns["amount"] = {**(amount if isinstance(amount, dict) else {"column": name}), "sign": sign}
                found.notes["amount"] += f"; {column} says which rows are money back"
            return

    def _numbers(self, column: str) -> list[float | None]:
        decimal, thousands = self._writing(self._cells(column)) or (".", None)
        return numbers_of(self._table.columns[column], decimal, thousands)

    def _numbers_orders(self, cells: Sequence[str]) -> bool:
        """Are there enough different ones? A few words over and over are kinds of orders."""
        return len(set(cells)) * LARGEST_ORDER >= len(cells)

    def _orders(self) -> None:
        """What is written once for a whole order: on each of its rows, or on the first."""
        found, order = self._found, self._found.columns.get("order_id")
        amount = found.columns.get("amount")
        name = amount["column"] if isinstance(amount, dict) and "column" in amount else amount
        if not isinstance(order, str) or not isinstance(name, str):
            return
        orders = rows_of_orders(self._table.columns[order])
        used = {text for value in found.columns.values() for text in _texts_in(value)} - {order}
        once = written_once({own: self._table.columns[own] for own in self._table.header if own in used}, orders)
        amounts = self._numbers(name)
        if once:
            filled = dict.fromkeys(once)
            found.keys["fill_down"] = {"within": order, "columns": list(filled)}
            found.notes["fill_down"] = "these cells stand on the first row of an order only"
        is_once = name in once
        if is_once:
            amounts = _filled(amounts, orders)
        if not is_once and not is_repeated_total(name, amounts, orders):
            return
        if found.keys.get("amount_is") == "unit_price":
            return
        if self._use_lines(amounts, orders):
            return
        found.keys["amount_is"] = "order_total"
        found.notes["amount_is"] = f"{name} is the same on each row of an order, so it is the order's and counts once"

    def _use_lines(self, totals: Sequence[float | None], orders: Sequence[Sequence[int]]) -> bool:
        """Amounts of lines that add up to the totals of the orders, where a column has them."""
        found = self._found
        quantity = found.columns.get("quantity")
        pieces = self._numbers(quantity) if isinstance(quantity, str) else None
        for column in [*self._left.values()]:
            if self._writing(self._cells(column)) is None:
                continue
            lines = self._numbers(column)
            priced = (
                None
                if pieces is None
                else [None if price is None else price * (n or 0) for price, n in zip(lines, pieces, strict=True)]
            )
            for kind, values in (("line_total", lines), ("unit_price", priced)):
                if values is not None and adds_up(values, totals, orders):
                    amount = found.columns["amount"]
                    found.columns["amount"] = {**amount, "column": column} if isinstance(amount, dict) else column
                    found.notes["amount"] = "its rows add up to the orders' totals, which stand on every row"
                    if kind == "unit_price":
                        found.keys["amount_is"] = kind
                        found.notes["amount_is"] = "price times quantity adds up to the orders' totals"
                    del self._left[plain(column)]
                    return True
        return False

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

    def _has_income(self, column: str, writing: Any) -> bool:
        """Is what is above zero a large part of what is below, as salaries are of spending?"""
        values = [value or 0 for value in numbers_of(self._table.columns[column], *(writing or (".", None)))]
        spent, income = -sum(v for v in values if v < 0), sum(v for v in values if v > 0)
        return income >= INCOME_SHARE * spent

    def _without_sentinel(self, column: str, amount: str) -> Any:
        """A quantity with one value below zero, such as -1, again and again beside amounts above zero is a mark."""
        pairs = zip(self._table.columns[column], self._table.columns[amount], strict=True)
        below = [(cell, money) for cell, money in pairs if cell.startswith("-")]
        marks = {cell for cell, _ in below}
        is_mark = len(marks) == 1 and all(not money.lstrip("'=\"").startswith(("-", "(")) for cell, money in below)
        if len(below) >= 3 and is_mark and len(set(self._cells(column))) > 3:
            (mark,) = marks
            self._found.notes["quantity"] = f"{mark} is its only value below zero: taken for a mark that means nothing"
            return {"column": column, "null_values": [mark]}
        return column

    # -- Rows and marks ----------------------------------------------------------------------------------------------

    def _leave_out(self, condition: str, why: str) -> None:
        keys, notes = self._found.keys, self._found.notes
        keys["where"] = f"{keys['where']} and {condition}" if "where" in keys else condition
        notes["where"] = f"{notes['where']}; {why}" if "where" in notes else why

    def _unwanted(self) -> None:
        """Rows of orders that never came about."""
        named = [self._left[name] for name in _STATUS_NAMES if name in self._left]
        others = [own for own in self._left.values() if own not in named]
        for column in (*named, *others):
            kinds = set(self._cells(column))
            unwanted = sorted(cell for cell in kinds if cell.casefold() in _NO_SALES)
            if unwanted and (column in named or len(kinds) <= MOST_KINDS):
                also = ", ".join(sorted(kinds - set(unwanted))[:8])
                self._leave_out(
                    f'"{column}" not in ({", ".join(map(repr, unwanted))})',
                    f"orders that never came about; {column} also holds {also}",
                )
                return

    def _nobodys(self) -> None:
        """Rows of kinds that never name a customer, such as payouts, are no sales."""
        who = self._found.columns.get("customer_id")
        name = who["column"] if isinstance(who, dict) else who
        if not isinstance(name, str) or "where" in self._found.keys or "fill_down" in self._found.keys:
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
        cells = _spread(cells)
        self._con.execute("create or replace temp table cells as select unnest(?) as cell", [list(cells)])
        counts = ", ".join(f"count({reading})" for reading in readings)
        return [n / len(cells) for n in fetch_row(self._con, f"select {counts} from cells")]


@dataclass(frozen=True)
class _Written:
    """How days are written: the formats, the language of the months where it must be said, and another format that
    reads every value too."""

    formats: tuple[str, ...]
    months: MonthLanguage | None = None
    other: str | None = None


def _readings_of(cells: Sequence[str]) -> dict[tuple[str, MonthLanguage | None], str]:
    """(format, language of its months) -> expression of the moment in `cell`, of those that may read these cells."""
    have_words = sum(bool(re.search(r"[^\W\d_]{3,}", cell)) for cell in cells) > len(cells) / 2
    days = NAMED_DAYS if have_words else NUMBERED_DAYS
    have_zones = sum(bool(re.search(r"[-+]\d\d:?\d\d$", cell)) for cell in cells) > len(cells) / 2
    hours = TIME_FORMATS[1:] if have_zones else ()
    zones = [f"{day}{time}{zone}" for day in days for time in hours for zone in (" %z", "%z")]
    texts = [day + time for day in days for time in TIME_FORMATS] + zones + [*COMPACT_FORMATS]
    # The first of equals is taken.
    readings: dict[tuple[str, MonthLanguage | None], str] = {
        ("iso", None): moment_sql("cell", "VARCHAR", ("iso",), Clock())
    }
    readings |= {(text, None): f"try_strptime(cell, {literal(text)})" for text in texts}
    if not have_words:
        readings |= {(name, None): moment_sql("cell", "VARCHAR", (name,), Clock()) for name in NAMED_OTHERS}
    return {key: _of_today(moment) for key, moment in readings.items()}


def _readings_in(language: MonthLanguage) -> dict[tuple[str, MonthLanguage | None], str]:
    """The same of days whose months are words of a language."""
    days = [day for day in NAMED_DAYS if "%a" not in day.lower()]
    texts = [day + time for day in days for time in ("", " %H:%M:%S", " %H:%M")]
    return {(t, language): _of_today(moment_sql("cell", "VARCHAR", (t,), Clock(), language)) for t in texts}


def _of_today(moment: str) -> str:
    """Expression: the moment, NULL where it is none of the computer age: %Y also reads 24 as a year of the Romans."""
    return f"case when year({moment}) between 1980 and year(current_date) + 1 then {moment} end"


def _spread(cells: Sequence[str]) -> Sequence[str]:
    """Cells to judge by, from beginning to end: files that were put one after the other may differ."""
    return (
        cells if len(cells) <= JUDGED_CELLS else [cells[at * len(cells) // JUDGED_CELLS] for at in range(JUDGED_CELLS)]
    )


def _is_called_otherwise(column: str, name: str) -> bool:
    """Is it exactly what exports call another canonical column?"""
    own = plain(column)
    return own not in NAMES[name] and any(own in names for names in NAMES.values())


def _texts_in(value: Any) -> list[str]:
    """Every text in a column's mapping; names of columns are among them."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts_in(part)]
    if isinstance(value, list):
        return [text for part in value for text in _texts_in(part)]
    return [value] if isinstance(value, str) else []


def _are_shortened(cells: Sequence[str]) -> bool:
    """Are these long numbers that a spreadsheet wrote as 4.01E+15?"""
    return bool(cells) and all(re.fullmatch(r"\d[.,]?\d*[eE]\+?\d+", cell) for cell in cells)


def _counts_from_1904(serials: Sequence[str]) -> bool:
    """Do the newest of these days lie years ago, and today or lately if they are counted from 1904?"""
    newest = max(float(text.replace(",", ".")) for text in serials if re.fullmatch(r"\d+([.,]\d+)?", text))
    age = (date.today() - date(1899, 12, 30)).days - newest
    return age > _LONG_AGO and -1 <= age - _DAYS_SINCE_1904 < _LONG_AGO


def _filled(numbers: Sequence[float | None], orders: Sequence[Sequence[int]]) -> list[float | None]:
    """With what stands on the first row of an order on all of its rows."""
    filled = [*numbers]
    for places in orders:
        for at in places[1:]:
            filled[at] = numbers[places[0]]
    return filled


def _may_be_moments(cells: Sequence[str]) -> bool:
    """Can most of the cells be days at all? A first look, for trying every format takes its time."""
    small = re.compile(r"-?\d{1,4}([.,]\d{1,2})?")
    fitting = [len(re.findall(r"\d", cell)) >= 3 and len(cell) <= 40 and not small.fullmatch(cell) for cell in cells]
    return sum(fitting) >= CONVINCING_SHARE * len(fitting)


def _number(decimal: Any, thousands: Any) -> str:
    return number_sql("cell", NumberKeys(decimal=decimal, thousands=thousands), "decimal(18,4)")


def _without_mark(cell: str) -> str:
    """The cell without a currency's code or mark at its beginning or end, and without CR or DR behind it."""
    return re.sub(_MARKS_OF_MONEY, "", re.sub(_SIDE, "", cell))


def _currency_of(cells: Sequence[str]) -> str | None:
    """The currency that its code or its own mark at some amount names; None where none or several are named."""
    code_at_a_number = rf"^({_CODE})\s?[-(\d]|[\d)-]\s?({_CODE})$"
    found = (code for cell in cells for groups in re.findall(code_at_a_number, cell) for code in groups)
    codes = {code for code in found if code}
    codes |= {"INR" for cell in cells if re.match(r"Rs\.?\s?\d", cell)}
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
