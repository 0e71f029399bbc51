"""Numbers: the keys that say how they are written, and their SQL.

In: what the file gave. Out: a number of the column's type, or NULL and a rule that says why. What a number means, as
money with or without its discount, does not belong here (`sales`).
"""

import re
from typing import Annotated, Literal

from pydantic import model_validator

from assets.ingest.canonical import Column
from assets.ingest.mapping.language import Key, Keys, Mistake
from assets.ingest.mapping.rules import Rule, is_unread, shown
from assets.shared.quoting import literal, literals

#: Marks that stand for one currency besides its code (Unicode CLDR, narrow and local symbols). A mark that several
#: currencies share, such as $, is listed with each.
CURRENCY_MARKS = {
    "AUD": ("A$", "AU$", "$"),
    "BRL": ("R$",),
    "CAD": ("C$", "CA$", "$"),
    "CHF": ("Fr.", "SFr."),
    "CNY": ("CN¥", "¥", "￥", "元", "RMB"),
    "CZK": ("Kč",),
    "DKK": ("kr.", "kr"),
    "EUR": ("€",),
    "GBP": ("£",),
    "HKD": ("HK$", "$"),
    "HUF": ("Ft",),
    "INR": ("₹", "Rs.", "Rs"),
    "JPY": ("JP¥", "¥", "￥", "円"),
    "KRW": ("₩", "원"),
    "MXN": ("MX$", "$"),
    "NOK": ("kr.", "kr"),
    "PLN": ("zł",),
    "RUB": ("₽", "руб."),
    "SEK": ("kr.", "kr"),
    "SGD": ("S$", "$"),
    "TRY": ("₺", "TL"),
    "UAH": ("₴",),
    "USD": ("US$", "$"),
    "ZAR": ("R",),
}
#: What a spreadsheet puts around a number to keep it as text: an apostrophe, or `="…"`.
_QUOTES = '^\\s*(?:="|[\'`’])|"\\s*$'
#: Where nothing says which currency it is, any currency sign, but no word.
ANY_MARK = r"\p{Sc}"

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")

#: A number without ornaments, by decimal mark.
_PLAIN = {
    ".": r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?",
    ",": r"[-+]?(?:[0-9]+(?:,[0-9]*)?|,[0-9]+)(?:[eE][-+]?[0-9]{1,3})?",
}
#: What may stand between groups of three digits, by the mark that the mapping names, as a regular expression.
_GROUPS = {" ": "[ \\x{a0}\\x{202f}]", "'": "['’]", "’": "['’]", ".": "\\.", ",": ","}

#: Marks by which a number says that it is below zero, in any of the ways that accounts are written.
_MINUS = "^[^0-9]*[-\\x{2212}(<]|[-)>]$|[0-9 ](CR|DR|Cr|Dr|H|S)$"

#: What each type holds.
_LIMITS = {"decimal(18,4)": "1e14", "decimal(18,3)": "1e15", "bigint": "9e18", "double": "1e308"}


Decimal = Literal[".", ","]
Thousands = Literal[".", ",", " ", "'", "’"]


class NumberKeys(Keys):
    """How a table's numbers are written."""

    decimal: Annotated[Decimal, Key('`"."` or `","`', example='decimal: ","', in_fingerprint="always")] = "."
    thousands: Annotated[
        Thousands | None,
        Key(
            '`"."`, `","`, `" "` or `"\'"`; accepted only between groups of three digits, or as in India: 12,34,567',
            example='thousands: ","',
            in_fingerprint="always",
        ),
    ] = None

    @model_validator(mode="after")
    def _two_marks(self) -> "NumberKeys":
        if self.thousands == self.decimal:
            raise Mistake(
                f"'decimal' and 'thousands' are both {self.decimal!r}", "give the one that separates cents as decimal"
            )
        return self


def is_number_type(kind: str) -> bool:
    """Is the DuckDB type one of numbers?"""
    return kind in (*_INTEGERS, "FLOAT", "DOUBLE") or kind.startswith("DECIMAL")


def currency_marks(currency: str | None) -> str:
    """Regular expression: what may stand before or after a number without being part of it. Where the currency is
    known, its code and its marks alone: an amount in another currency is no amount in this one."""
    if currency is None:
        return ANY_MARK
    code = currency.upper()
    marks = (code, *CURRENCY_MARKS.get(code, ()))
    own = "|".join(re.escape(mark) for mark in sorted(marks, key=len, reverse=True))
    return f"(?i:{own})" if code in CURRENCY_MARKS else f"(?i:{own})|{ANY_MARK}"


def number_sql(text: str, keys: NumberKeys, type_: str, marks: str = ANY_MARK) -> str:
    """Expression: the number written in `text`, or NULL. Also read: a currency's mark before or after it (`marks`),
    `(5.00)` and `5.00-` for negative numbers, the apostrophe by which spreadsheets keep text, thousands separators
    where the mapping names one and they stand in groups of three, or as in India three and then two."""
    with_point = f"replace({text}, ',', '.')" if keys.decimal == "," else text
    # The other mark must not be taken for a decimal point: 1.234 is no number where the comma is decimal.
    is_plain = f"regexp_full_match({text}, {literal(_PLAIN[keys.decimal])})"
    plain = f"try_cast(case when {is_plain} then {with_point} end as {type_})"
    # Written so that the engine, which computes a repeated expression for every row, gets NULL for plain numbers.
    odd = f"case when not {is_plain} then {text} end"
    mark = literal(f"^(\\s*[-+\\x{{2212}}(]?\\s*)(?:{marks})|(?:{marks})(\\s*[-)]?\\s*)$")
    bare = f"regexp_replace(regexp_replace({odd}, {literal(_QUOTES)}, '', 'g'), {mark}, '\\1\\2')"
    sign = f"regexp_matches({bare}, '^\\s*[-\\x{{2212}}(]|-\\s*$')"
    unsigned = f"regexp_replace({bare}, '^\\s*[-+\\x{{2212}}(]?\\s*|\\s*[-)]?\\s*$', '', 'g')"
    group = _GROUPS.get(keys.thousands or "")
    in_threes, in_lakhs = f"[0-9]{{1,3}}(?:{group}[0-9]{{3}})+", f"[0-9]{{1,2}}(?:{group}[0-9]{{2}})+{group}[0-9]{{3}}"
    whole = f"(?:[0-9]+|{in_threes}|{in_lakhs})" if group else "[0-9]+"
    point = "," if keys.decimal == "," else "\\."
    shape = literal(f"(?:{whole}(?:{point}[0-9]*)?|{point}[0-9]+)")
    digits = f"regexp_replace({unsigned}, {literal(group)}, '', 'g')" if group else unsigned
    digits = f"replace({digits}, ',', '.')" if keys.decimal == "," else digits
    other = (
        f"case when regexp_full_match({unsigned}, {shape}) "
        f"then try_cast(concat(case when {sign} then '-' else '' end, {digits}) as {type_}) end"
    )
    return f"coalesce({plain}, {other})"


def typed_number(keys: NumberKeys, column: Column, kind: str, marks: str = ANY_MARK) -> str:
    """Expression: the typed value of a column of numbers, given as DuckDB type `kind`."""
    given = f"given_{column.name}"
    value = number_sql(given, keys, column.type, marks) if kind == "VARCHAR" else f"try_cast({given} as {column.type})"
    return f"case when isfinite({value}) then {value} end" if column.type == "double" else value


def number_rules(column: Column, scale: float = 1.0) -> list[Rule]:
    """Rules of a mapped column of numbers, which are multiplied by `scale`."""
    name, given, unread = column.name, f"given_{column.name}", is_unread(column)
    words = literals(("nan", "inf", "infinity", "-inf", "-infinity", "+inf"))
    return [
        Rule(
            f"{name}_not_finite",
            f"{unread} and lower(cast({given} as varchar)) in {words}",
            f"concat('{name} is not a finite number: ', {shown(column)})",
        ),
        Rule(
            f"{name}_out_of_range",
            f"{unread} and abs(try_cast({given} as double)) * {scale!r} >= {_LIMITS[column.type]}",
            f"concat('{name} is too large to be true: ', {shown(column)})",
        ),
        Rule(
            # A minus that is written in some way of its own: were all such rows refused, no refund would count.
            f"{name}_sign_not_read",
            f"{unread} and regexp_matches(cast({given} as varchar), '[0-9]')"
            f" and regexp_matches(cast({given} as varchar), {literal(_MINUS)})",
            f"concat('{name} has a minus that is not read: ', {shown(column)})",
        ),
        Rule(f"{name}_not_a_number", unread, f"concat('{name} is not a number: ', {shown(column)})"),
    ]
