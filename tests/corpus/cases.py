"""Bad files, and good ones that look bad: what each of them is, and what must become of it.

A case is a file (or what stands in its place) in a folder, the options of the table that reads it, and its stated
outcome: `accepted` (every row), `quarantined` (some rows, by a rule), `refused` (the file, by a rule), `waiting` (not
yet). Everything is made here; nothing is kept as a binary.
"""

import bz2
import gzip
import io
import os
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

HEADER = ("who", "order", "line", "when", "money", "pieces")
COLUMNS = {
    "customer_id": "who",
    "order_id": "order",
    "line_id": "line",
    "occurred_at": "when",
    "amount": "money",
    "quantity": {"column": "pieces", "optional": True},
}
WITHOUT_IDS = {key: value for key, value in COLUMNS.items() if key not in ("order_id", "line_id")}
Row = dict[str, str]


@dataclass(frozen=True)
class Case:
    """`write` puts the file `name` into a folder. `rows`: (accepted, quarantined); None where the file is refused.
    `left_out`: rows that the mapping does not want.
    `rules`: rules of the quarantined rows, or the one of the refusal. `customers`, `amounts`, `times`: what the
    accepted rows hold, where that is the point."""

    title: str
    outcome: Literal["accepted", "quarantined", "refused", "waiting"]
    write: Callable[[Path], None]
    name: str
    rows: tuple[int, int] | None = None
    left_out: int = 0
    rules: tuple[str, ...] = ()
    table: dict[str, Any] = field(default_factory=dict)
    top: dict[str, Any] = field(default_factory=dict)
    customers: tuple[str, ...] | None = None
    amounts: tuple[float, ...] | None = None
    times: tuple[str, ...] | None = None

    def __str__(self) -> str:
        return f"{self.title} ({self.name.rsplit('.', 1)[-1]})"


# -- How files are made -----------------------------------------------------------------------------------------------


def row(n: int, **changed: str) -> Row:
    when = f"2024-05-{n % 28 + 1:02d} 10:00:00"
    return {"who": f"c{n}", "order": f"o{n}", "line": "1", "when": when, "money": "5.00", "pieces": "1"} | changed


def good(n: int = 3) -> list[Row]:
    return [row(at) for at in range(1, n + 1)]


def csv(rows: list[Row], header: tuple[str, ...] = HEADER, delimiter: str = ",") -> str:
    def cell(text: str) -> str:
        return '"' + text.replace('"', '""') + '"' if delimiter in text else text

    lines = [delimiter.join(header), *(delimiter.join(cell(r.get(h, "")) for h in header) for r in rows)]
    return "\n".join(lines) + "\n"


def parquet(columns: dict[str, Any], **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, **options)
    return sink.getvalue()


def parquet_of(rows: list[Row], header: tuple[str, ...] = HEADER, **options: Any) -> bytes:
    """The same texts as a CSV would hold; an empty text is a null."""
    return parquet({h: pa.array([r.get(h) or None for r in rows], pa.string()) for h in header}, **options)


def typed(n: int = 3, **changed: Any) -> bytes:
    """A Parquet file as a database writes it; `changed` columns replace its own."""
    columns = {
        "who": pa.array([f"c{at}" for at in range(n)]),
        "order": pa.array([f"o{at}" for at in range(n)]),
        "line": pa.array([1] * n, pa.int32()),
        "when": pa.array([datetime(2024, 5, at % 28 + 1, 10) for at in range(n)], pa.timestamp("us")),
        "money": pa.array([5.0] * n, pa.float64()),
        "pieces": pa.array([1] * n, pa.int64()),
    }
    return parquet(columns | changed)


def put(content: bytes | str) -> Callable[[Path], None]:
    data = content.encode() if isinstance(content, str) else content
    return lambda path: path.write_bytes(data) and None


def both(title: str, outcome, content: list[Row], header: tuple[str, ...] = HEADER, **more: Any) -> list[Case]:
    """The case as CSV and as Parquet of texts."""
    return [
        Case(title, outcome, put(csv(content, header)), "sales.csv", **more),
        Case(title, outcome, put(parquet_of(content, header)), "sales.parquet", **more),
    ]


def bad_value(
    title: str, rule: str, table: dict[str, Any] | None = None, top: dict[str, Any] | None = None, **changed: str
) -> list[Case]:
    """Three good rows and one with `changed` values, which goes to quarantine by `rule`."""
    rows = [*good(), row(9, **changed)]
    return both(title, "quarantined", rows, rows=(3, 1), rules=(rule,), table=table or {}, top=top or {})


def sound_value(
    title: str, table: dict[str, Any] | None = None, top: dict[str, Any] | None = None, expect=None, **changed: str
) -> list[Case]:
    """Three good rows and one with `changed` values that is read all the same."""
    rows = [*good(), row(9, **changed)]
    return both(title, "accepted", rows, rows=(4, 0), table=table or {}, top=top or {}, **(expect or {}))


def text(title: str, outcome, content: bytes | str, name: str = "sales.csv", **more: Any) -> Case:
    return Case(title, outcome, put(content), name, **more)


# -- Values -----------------------------------------------------------------------------------------------------------

BERLIN = {"time_zone": "Europe/Berlin"}
TWO_FORMATS = {"date_format": ["iso", "%d.%m.%Y %H:%M"]}
GERMAN = {"decimal": ",", "thousands": "."}

VALUES = [
    *bad_value("amount in words", "amount_not_a_number", money="k. A."),
    *bad_value("amount NaN", "amount_not_finite", money="NaN"),
    *bad_value("amount infinity", "amount_not_finite", money="Infinity"),
    *bad_value("amount minus infinity", "amount_not_finite", money="-inf"),
    *bad_value("amount 10^30", "amount_out_of_range", money="1e30"),
    *bad_value("amount of a total line", "amount_out_of_range", money="20000000000"),
    *bad_value("amount empty", "amount_missing", money=""),
    *bad_value("amount null word", "amount_missing", money="NULL"),
    *bad_value("decimal comma not declared", "amount_not_a_number", money="12,50"),
    *both(
        "decimal comma declared",
        "accepted",
        [r | {"money": "12,50"} for r in good()],
        rows=(3, 0),
        table={"decimal": ","},
        amounts=(12.5, 12.5, 12.5),
    ),
    *bad_value("1,234.56 not declared", "amount_not_a_number", money="1,234.56"),
    *sound_value("1,234.56 declared", {"thousands": ","}, expect={"amounts": (5, 5, 5, 1234.56)}, money="1,234.56"),
    *bad_value("thousands in wrong groups", "amount_not_a_number", {"thousands": ","}, money="12,34.56"),
    *both(
        "1.234,56 declared",
        "accepted",
        [r | {"money": "1.234,56"} for r in good()],
        rows=(3, 0),
        table=GERMAN,
        amounts=(1234.56,) * 3,
    ),
    *bad_value("hexadecimal amount", "amount_not_a_number", money="0x1F"),
    *sound_value("currency sign", expect={"amounts": (5, 5, 5, 12.5)}, money="€ 12.50"),
    *sound_value("negative in brackets", expect={"amounts": (-12.5, 5, 5, 5)}, money="(12.50)"),
    *sound_value("negative quantity", pieces="-2"),
    *sound_value("negative amount", expect={"amounts": (-5, 5, 5, 5)}, money="-5.00"),
    *bad_value("quantity in words", "quantity_not_a_number", pieces="many"),
    *bad_value("quantity 10^30", "quantity_out_of_range", pieces="1e30"),
    *bad_value("day that does not exist", "occurred_at_not_a_date", when="2024-02-30"),
    *bad_value("date in words", "occurred_at_not_a_date", when="yesterday"),
    *bad_value("word after the time", "occurred_at_not_a_date", when="2024-05-09 10:00 PM"),
    *bad_value("name of a zone after the time", "occurred_at_not_a_date", when="2024-05-09 10:00:00 EST"),
    *bad_value("date missing", "occurred_at_missing", when=""),
    *bad_value("date of a spreadsheet's zero", "occurred_at_out_of_range", when="1899-12-30"),
    *bad_value("date far ahead", "occurred_at_out_of_range", when="2999-01-01"),
    *bad_value("date in the future", "occurred_at_in_the_future", when="2150-01-01"),
    *bad_value("serial day of a spreadsheet", "occurred_at_not_a_date", when="45413"),
    *bad_value("date in a second format", "occurred_at_not_a_date", when="31.05.2024 10:00"),
    *sound_value(
        "date in a second, declared format",
        TWO_FORMATS,
        expect={"times": ("2024-05-02 10:00", "2024-05-03 10:00", "2024-05-04 10:00", "2024-05-31 10:00")},
        when="31.05.2024 10:00",
    ),
    *bad_value("date in a third format", "occurred_at_not_a_date", TWO_FORMATS, when="05/31/2024"),
    *both(
        "seconds since 1970",
        "accepted",
        [r | {"when": "1714557600"} for r in good()],
        rows=(3, 0),
        table={"date_format": "unix_seconds"},
        times=("2024-05-01 10:00",) * 3,
    ),
    *sound_value("hour that the clocks skipped", top=BERLIN, when="2024-03-31 02:30:00"),
    *bad_value(
        "hour that the clocks skipped, not allowed",
        "occurred_at_skipped_by_the_clock",
        {"skipped_times": "quarantine"},
        BERLIN,
        when="2024-03-31 02:30:00",
    ),
    *sound_value("hour that the clocks repeat", {"skipped_times": "quarantine"}, BERLIN, when="2024-10-27 02:30:00"),
    *both(
        "UTC across the night of the change",
        "accepted",
        [row(1, when="2024-03-31 00:30:00"), row(2, when="2024-03-31 01:30:00")],
        rows=(2, 0),
        table={"file_time_zone": "UTC"},
        top=BERLIN,
        times=("2024-03-31 01:30", "2024-03-31 03:30"),
    ),
    *both(
        "times with offsets",
        "accepted",
        [row(1, when="2024-05-01T10:00:00+02:00"), row(2, when="2024-05-01T10:00Z")],
        rows=(2, 0),
        top=BERLIN,
        times=("2024-05-01 10:00", "2024-05-01 12:00"),
    ),
    *both(
        "times with offsets after a blank",
        "accepted",
        [row(1, when="2024-05-01 10:00:00 +0200"), row(2, when="2024-05-01 10:00:00 +00:00")],
        rows=(2, 0),
        top=BERLIN,
        times=("2024-05-01 10:00", "2024-05-01 12:00"),
    ),
]

# -- Who and which ----------------------------------------------------------------------------------------------------


def ids(title: str, written: tuple[str, ...], customers: tuple[str, ...], **column: Any) -> list[Case]:
    rows = [row(n, who=who) for n, who in enumerate(written, 1)]
    table = {"columns": COLUMNS | {"customer_id": {"column": "who", **column}}}
    return both(title, "accepted", rows, rows=(len(rows), 0), table=table, customers=customers)


CYRILLIC_A, GREEK_A, WIDE_A1, ZERO_WIDTH = "\u0410", "\u0391", "\uff21\uff11", "\u200b"

KEYS = [
    *bad_value("customer missing", "customer_id_missing", who=""),
    *bad_value("customer of blanks", "customer_id_missing", who="   "),
    *ids("customer with blanks around", (" a1", "a1 ", "a1"), ("a1",)),
    *ids("customer with blanks inside", ("a 1", "a1"), ("a 1", "a1")),
    *ids("customer with blanks inside, normalised", ("a 1", "a1"), ("a1",), normalise="inner_blanks"),
    *ids("customer with leading zeros", ("0017", "17"), ("0017", "17")),
    *ids("customer with leading zeros, normalised", ("0017", "17", "0"), ("0", "17"), normalise="leading_zeros"),
    *ids("customer in mixed case", ("ab1", "AB1"), ("AB1", "ab1")),
    *ids("customer in mixed case, normalised", ("ab1", "AB1"), ("AB1",), case="upper"),
    *ids("customer with look-alikes", ("A1", f"{CYRILLIC_A}1", f"{GREEK_A}1"), ("A1", f"{GREEK_A}1", f"{CYRILLIC_A}1")),
    *ids(
        "customer with look-alikes, normalised",
        ("A1", f"{CYRILLIC_A}1", f"{GREEK_A}1"),
        ("A1",),
        normalise="look_alikes",
    ),
    *ids("customer in wide letters, normalised", ("A1", WIDE_A1), ("A1",), normalise="width"),
    *ids("customer with invisible letters, normalised", ("A1", f"A{ZERO_WIDTH}1"), ("A1",), normalise="invisible"),
    *ids("customer with combining accents, normalised", ("\u00e9", "e\u0301"), ("\u00e9",), normalise="nfc"),
    *bad_value("line without its id", "line_id_missing", line=""),
    *both(
        "repeated line, same content", "quarantined", [*good(), row(1)], rows=(3, 1), rules=("duplicate_same_content",)
    ),
    *both(
        "repeated line, other content",
        "quarantined",
        [*good(), row(1, money="9.99")],
        rows=(3, 1),
        rules=("duplicate_different_content",),
        amounts=(5, 5, 5),
    ),
    *both("same id on another day", "accepted", [*good(), row(1, when="2024-06-09")], rows=(4, 0)),
    *both("repeated row without ids", "accepted", [*good(), row(1)], rows=(4, 0), table={"columns": WITHOUT_IDS}),
    *both(
        "repeated row without ids, not allowed",
        "quarantined",
        [*good(), row(1)],
        rows=(3, 1),
        rules=("duplicate_row",),
        table={"columns": WITHOUT_IDS, "exact_duplicates": "quarantine"},
    ),
]

# -- Columns ----------------------------------------------------------------------------------------------------------

WITHOUT_MONEY = tuple(h for h in HEADER if h != "money")
WITHOUT_PIECES = HEADER[:-1]

SHAPES = [
    *both("extra column", "accepted", [r | {"colour": "red"} for r in good()], (*HEADER, "colour"), rows=(3, 0)),
    *both("columns in another order", "accepted", good(), HEADER[::-1], rows=(3, 0), customers=("c1", "c2", "c3")),
    *both("optional column missing", "accepted", good(), WITHOUT_PIECES, rows=(3, 0)),
    *both("required column missing", "refused", good(), WITHOUT_MONEY, rules=("missing_column",)),
    *both("header only, or no row", "accepted", [], rows=(0, 0)),
    *both(
        "required column full of words", "refused", [row(n, money="n/a") for n in range(30)], rules=("retyped_column",)
    ),
    *both("required column emptied", "refused", [row(n, who="") for n in range(30)], rules=("lost_column",)),
    text("header in capitals and blanks", "accepted", csv(good()).replace("who,order", " WHO , Order "), rows=(3, 0)),
    text("header missing", "refused", csv(good()).split("\n", 1)[1], rules=("missing_column",)),
    text(
        "header missing, declared",
        "accepted",
        csv(good()).split("\n", 1)[1],
        rows=(3, 0),
        table={"column_names": list(HEADER)},
    ),
    text("header of blanks", "refused", " , , , , , \n", rules=("no_header",)),
    text(
        "mapped column twice in the header",
        "refused",
        csv(good()).replace("pieces", "money"),
        rules=("ambiguous_column",),
    ),
    text(
        "other column twice in the header",
        "accepted",
        csv([r | {"x": "1"} for r in good()], (*HEADER, "x", "x")),
        rows=(3, 0),
    ),
    text(
        "header again in the middle",
        "quarantined",
        csv(good()) + csv([row(7)]),
        rows=(4, 1),
        rules=("repeated_header",),
    ),
    text("lines above the header", "refused", "Export of May\n" + csv(good()), rules=("missing_column",)),
    text(
        "lines above the header, declared",
        "accepted",
        "Export of May\n" + csv(good()),
        rows=(3, 0),
        table={"skip_lines": 1},
    ),
    text("another delimiter", "refused", csv(good(), delimiter=";"), rules=("missing_column",)),
    text("row too short", "quarantined", csv(good()) + "c9,o9,1\n", rows=(3, 1), rules=("wrong_number_of_columns",)),
    text(
        "row too long",
        "quarantined",
        csv(good()) + "c9,o9,1,2024-05-09,5,1,7\n",
        rows=(3, 1),
        rules=("wrong_number_of_columns",),
    ),
    text(
        "row too short, padded",
        "accepted",
        csv(good()) + "c9,o9,1,2024-05-09,5\n",
        rows=(4, 0),
        table={"short_rows": "pad"},
    ),
    text(
        "quote never closed",
        "quarantined",
        csv(good()) + 'c9,"o9,1,2024-05-09,5,1\n' + csv([row(8)])[len(csv([])) :],
        rows=(4, 1),
        rules=("malformed_quotes",),
    ),
    text(
        "text after a closing quote",
        "quarantined",
        csv(good()) + 'c9,"o9"x,1,2024-05-09,5,1\n',
        rows=(3, 1),
        rules=("malformed_quotes",),
    ),
    text("newline inside quotes", "accepted", csv(good()) + 'c9,"o\n9",1,2024-05-09,5,1\n', rows=(4, 0)),
    text(
        "NUL byte in a row", "quarantined", csv(good()) + "c9\0,o9,1,2024-05-09,5,1\n", rows=(3, 1), rules=("nul_byte",)
    ),
    text(
        "NUL byte in a row",
        "quarantined",
        typed(3, who=pa.array(["c0", "c\0", "c2"])),
        "sales.parquet",
        rows=(2, 1),
        rules=("nul_byte",),
    ),
    text(
        "ids as numbers, one of them NaN",
        "quarantined",
        typed(3, who=pa.array([17.0, float("nan"), 18.5])),
        "sales.parquet",
        rows=(2, 1),
        rules=("customer_id_missing",),
        customers=("17", "18.5"),
    ),
    text("carriage returns only", "accepted", csv(good()).replace("\n", "\r"), rows=(3, 0)),
    text("line ends of both kinds", "accepted", csv(good()).replace("\n", "\r\n", 2), rows=(3, 0)),
    text("no newline at the end", "accepted", csv(good()).rstrip("\n"), rows=(3, 0)),
    text("blank lines", "accepted", csv(good()).replace("\n", "\n\n"), rows=(3, 0)),
    text("typed columns", "accepted", typed(), "sales.parquet", rows=(3, 0), amounts=(5, 5, 5)),
    text(
        "customers as numbers",
        "accepted",
        typed(who=pa.array([17.0, 18.0, 19.0])),
        "sales.parquet",
        rows=(3, 0),
        customers=("17", "18", "19"),
    ),
    text(
        "NaN and infinity as numbers",
        "quarantined",
        typed(money=pa.array([5.0, float("nan"), float("inf")])),
        "sales.parquet",
        rows=(1, 2),
        rules=("amount_not_finite",),
    ),
    text(
        "10^30 as a number",
        "quarantined",
        typed(money=pa.array([5.0, 5.0, 1e30])),
        "sales.parquet",
        rows=(2, 1),
        rules=("amount_out_of_range",),
    ),
    text(
        "times with a zone",
        "accepted",
        typed(when=pa.array([datetime(2024, 5, 1, 10)] * 3, pa.timestamp("us", tz="UTC"))),
        "sales.parquet",
        rows=(3, 0),
        top=BERLIN,
        times=("2024-05-01 12:00",) * 3,
    ),
    text(
        "amount became a flag", "refused", typed(money=pa.array([True] * 3)), "sales.parquet", rules=("retyped_column",)
    ),
    text(
        "amount became a date",
        "refused",
        typed(money=pa.array([datetime(2024, 5, 1)] * 3)),
        "sales.parquet",
        rules=("retyped_column",),
    ),
    text(
        "time became a number", "refused", typed(when=pa.array([1.5] * 3)), "sales.parquet", rules=("retyped_column",)
    ),
    text(
        "customer became a record",
        "refused",
        typed(who=pa.array([{"id": 1}] * 3)),
        "sales.parquet",
        rules=("retyped_column",),
    ),
    text(
        "customer became bytes",
        "refused",
        typed(who=pa.array([b"\xff"] * 3, pa.binary())),
        "sales.parquet",
        rules=("retyped_column",),
    ),
    text(
        "amount became text that can be read",
        "accepted",
        typed(money=pa.array(["5.00"] * 3)),
        "sales.parquet",
        rows=(3, 0),
        amounts=(5, 5, 5),
    ),
]

# -- Bytes ------------------------------------------------------------------------------------------------------------

CHINESE = csv([row(1, who="王小明"), row(2, who="李雷"), row(3, who="韩梅梅")])
WESTERN = csv([row(1, who="Müller"), row(2, who="Ünal"), row(3, who="Çelik")])
MANY = parquet_of([row(n, order=f"order {n * 7919}") for n in range(4000)], compression="zstd")
PACKED = gzip.compress(csv([row(n, order=f"order {n * 7919}") for n in range(4000)]).encode(), mtime=0)


def damaged(data: bytes, start: int, length: int = 400) -> bytes:
    return data[:start] + bytes(b ^ 0x5A for b in data[start : start + length]) + data[start + length :]


def zipped(data: str) -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("sales.csv", data)
    return sink.getvalue()


BYTES = [
    text("empty", "refused", b"", rules=("empty",)),
    text("empty", "refused", b"", "sales.parquet", rules=("damaged_parquet",)),
    text("only blank lines", "refused", "\n \n\n", rules=("empty",)),
    text("GBK not declared", "refused", CHINESE.encode("gbk"), rules=("wrong_encoding",)),
    text(
        "GBK declared",
        "accepted",
        CHINESE.encode("gbk"),
        rows=(3, 0),
        table={"encoding": "gbk"},
        customers=("李雷", "王小明", "韩梅梅"),
    ),
    text("Latin-1 not declared", "refused", WESTERN.encode("latin-1"), rules=("wrong_encoding",)),
    text(
        "Latin-1 declared",
        "accepted",
        WESTERN.encode("latin-1"),
        rows=(3, 0),
        table={"encoding": "latin-1"},
        customers=("Müller", "Çelik", "Ünal"),
    ),
    text("UTF-16 not declared", "refused", WESTERN.encode("utf-16"), rules=("wrong_encoding",)),
    text(
        "UTF-16 declared",
        "accepted",
        WESTERN.encode("utf-16"),
        rows=(3, 0),
        table={"encoding": "utf-16"},
        customers=("Müller", "Çelik", "Ünal"),
    ),
    text("UTF-16 without a mark not declared", "refused", csv(good()).encode("utf-16-le"), rules=("wrong_encoding",)),
    text(
        "UTF-16 declared, without a mark",
        "refused",
        csv(good()).encode("utf-16-be"),
        table={"encoding": "utf-16"},
        rules=("wrong_encoding",),
    ),
    text(
        "UTF-16 declared, UTF-8 delivered",
        "refused",
        csv(good()),
        table={"encoding": "utf-16"},
        rules=("wrong_encoding",),
    ),
    text(
        "UTF-8 with a mark, declared as Latin-1",
        "refused",
        WESTERN.encode("utf-8-sig"),
        table={"encoding": "latin-1"},
        rules=("wrong_encoding",),
    ),
    text(
        "UTF-16 with a mark, declared as GBK",
        "refused",
        WESTERN.encode("utf-16"),
        table={"encoding": "gbk"},
        rules=("wrong_encoding",),
    ),
    text(
        "UTF-16 big-endian declared",
        "accepted",
        WESTERN.encode("utf-16-be"),
        rows=(3, 0),
        table={"encoding": "utf-16-be"},
    ),
    text(
        "UTF-16 declared, cutoff in a character",
        "refused",
        WESTERN.encode("utf-16")[:-1],
        table={"encoding": "utf-16"},
        rules=("wrong_encoding",),
    ),
    text("UTF-8 with a byte order mark", "accepted", WESTERN.encode("utf-8-sig"), rows=(3, 0)),
    text(
        "UTF-8 declared as GBK",
        "refused",
        WESTERN.replace("Ü", "Ü1").encode() + b"\xff\n",
        table={"encoding": "gbk"},
        rules=("wrong_encoding",),
    ),
    text(
        "one broken character",
        "refused",
        csv(good()).encode() + b"c9\xff,o9,1,2024-05-09,5,1\n",
        rules=("wrong_encoding",),
    ),
    text("gzip", "accepted", gzip.compress(csv(good()).encode()), "sales.csv.gz", rows=(3, 0)),
    text("gzip by content, not by name", "accepted", gzip.compress(csv(good()).encode()), rows=(3, 0)),
    text(
        "gzip in two members",
        "accepted",
        gzip.compress(csv(good()).encode()) + gzip.compress(csv([row(7)])[len(csv([])) :].encode()),
        "sales.csv.gz",
        rows=(4, 0),
    ),
    text("gzip cut short", "refused", PACKED[: len(PACKED) // 2], "sales.csv.gz", rules=("damaged_gzip",)),
    text(
        "gzip with damaged bytes",
        "refused",
        damaged(PACKED, len(PACKED) // 2),
        "sales.csv.gz",
        rules=("damaged_gzip", "wrong_encoding"),
    ),
    text("gzip with a wrong checksum", "refused", PACKED[:-8] + bytes(8), "sales.csv.gz", rules=("damaged_gzip",)),
    text(
        "gzip in gzip",
        "refused",
        gzip.compress(gzip.compress(csv(good()).encode())),
        "sales.csv.gz",
        rules=("gzip_in_gzip",),
    ),
    text(
        "gzip that unpacks to a thousand times its size",
        "refused",
        gzip.compress(csv([row(1)]).encode() + (b"\n" * 2**20) * 8),
        "sales.csv.gz",
        rules=("packed_too_tightly",),
    ),
    text("zip", "refused", zipped(csv(good())), rules=("wrong_format",)),
    text("bzip2", "refused", bz2.compress(csv(good()).encode()), rules=("wrong_format",)),
    text("Parquet under the name of a CSV", "refused", parquet_of(good()), rules=("wrong_format",)),
    text("CSV under the name of a Parquet", "refused", csv(good()), "sales.parquet", rules=("damaged_parquet",)),
    text("Parquet cut short", "refused", MANY[: len(MANY) // 2], "sales.parquet", rules=("damaged_parquet",)),
    text("Parquet without its footer", "refused", MANY[:-40], "sales.parquet", rules=("damaged_parquet",)),
    text(
        "Parquet with the reader's own column",
        "refused",
        parquet_of([{**r, "file_row_number": "7"} for r in good()], (*HEADER, "file_row_number")),
        "sales.parquet",
        rules=("reserved_column",),
    ),
    text("Parquet with damaged pages", "refused", damaged(MANY, 40), "sales.parquet", rules=("damaged_parquet",)),
]

# -- What stands in the folder ----------------------------------------------------------------------------------------


def link_out(path: Path) -> None:
    outside = path.parent.parent / "outside.csv"
    outside.write_text(csv(good()))
    path.symlink_to(outside)


def link_inside(path: Path) -> None:
    (path.parent / "deep").mkdir()
    (path.parent / "deep" / "real.csv").write_text(csv(good()))
    path.symlink_to(path.parent / "deep" / "real.csv")


def link_to_nothing(path: Path) -> None:
    path.symlink_to(path.parent / "gone.csv")


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def marked(path: Path) -> None:
    path.write_text(csv(good()))
    path.with_name(path.name + ".done").touch()


MARKER = {"done_marker": "*.done"}

PLACES = [
    text("name with blanks", "accepted", csv(good()), "sales of may.csv", rows=(3, 0)),
    text("name with two dots", "accepted", csv(good()), "sales..2024.csv", rows=(3, 0)),
    text("name with two dots", "accepted", parquet_of(good()), "sales..2024 05.parquet", rows=(3, 0)),
    text("name with a quote and wildcards", "accepted", csv(good()), "o'brien [1]?.csv", rows=(3, 0)),
    text("name with wildcards", "accepted", parquet_of(good()), "all[1]*.parquet", rows=(3, 0)),
    text("name in Chinese", "accepted", csv(good()), "销售.csv", rows=(3, 0)),
    Case("link out of the folder", "refused", link_out, "sales.csv", rules=("outside_folder",)),
    Case("link inside the folder", "accepted", link_inside, "sales.csv", rows=(3, 0)),
    Case("link to nothing", "refused", link_to_nothing, "sales.csv", rules=("unreadable",)),
    Case("folder with the name of a file", "refused", folder, "sales.csv", rules=("not_a_file",)),
    Case("folder with the name of a file", "refused", folder, "sales.parquet", rules=("not_a_file",)),
    Case("pipe", "refused", pipe, "sales.csv", rules=("not_a_file",)),
    text("name of an unfinished copy", "waiting", csv(good()), "sales.csv.part", rules=("still_being_written",)),
    text("name of an unfinished copy", "waiting", typed(), "sales.parquet.tmp", rules=("still_being_written",)),
    text(
        "changed a moment ago", "waiting", csv(good()), table={"settle_seconds": 3600}, rules=("still_being_written",)
    ),
    text("marker not there", "waiting", csv(good()), table=MARKER, rules=("waiting_for_its_marker",)),
    text("marker not there", "waiting", typed(), "sales.parquet", table=MARKER, rules=("waiting_for_its_marker",)),
    Case("marker there", "accepted", marked, "sales.csv", rows=(3, 0), table=MARKER),
]

# -- Keys of exports --------------------------------------------------------------------------------------------------


def columns(**changed: Any) -> dict[str, Any]:
    """The table with some columns mapped otherwise."""
    return {"columns": COLUMNS | changed}


TOTAL = "Total,,,,15.00,\n"
IN_CENTS = columns(amount={"column": "money", "scale": 0.01})
PAIR = columns(amount={"debit": "money", "credit": "pieces"}, quantity={"constant": "1"})
NUMBERED = columns(line_id={"numbered": True})
FILLED = {"fill_down": {"within": "order", "columns": ["who", "when"]}, **NUMBERED}
SHARED = {"order_amounts": {"discount": "pieces"}, **columns(quantity={"constant": "1"}, line_id={"numbered": True})}
ONE_ORDER = [row(1, order="o", pieces=""), row(2, order="o", pieces="0.01", money="1"), row(3, order="p", pieces="")]

EXPORTS = [
    *both("row that is not wanted", "accepted", good(), rows=(2, 0), left_out=1, table={"where": "who != c2"}),
    *both(
        "bad row that is not wanted",
        "accepted",
        [*good(), row(9, money="k. A.")],
        rows=(3, 0),
        left_out=1,
        table={"where": "not (who = c9 or money is empty)"},
    ),
    text("total row", "accepted", csv(good()) + TOTAL, rows=(3, 0), left_out=1, table={"footer": "Total"}),
    text("total row not declared", "quarantined", csv(good()) + TOTAL, rows=(3, 1), rules=("order_id_missing",)),
    text("last lines that are no rows", "accepted", csv(good()) + "15,00\n\nEnde\n", rows=(3, 0), left_out=2,
          table={"footer": 2}),
    text("preamble", "accepted", "Export\n\nof: may\n" + csv(good()), rows=(3, 0), table={"header": "find"}),
    text("preamble not declared", "refused", "Export\n" + csv(good()), rules=("missing_column",)),
    text("header that is nowhere", "refused", "a,b\n1,2\n", rules=("no_header",), table={"header": "find"}),
    *both("cells of the order once", "accepted", [row(1), row(2, order="o1", who="", when="")], rows=(2, 0),
          table=FILLED),
    *both(
        "cells of an order without its first row",
        "quarantined",
        [*good(), row(9, who="", when="")],
        rows=(3, 1),
        rules=("customer_id_missing",),
        table=FILLED,
    ),
    *both("discount of the order", "accepted", ONE_ORDER, rows=(3, 0), table=SHARED, amounts=(4.99, 1, 5)),
    *both("discount of the order in words", "quarantined", [row(1, pieces=""), row(9, pieces="some")], rows=(1, 1),
          rules=("order_discount_not_a_number",), table=SHARED),
    *both("same row twice, lines numbered", "accepted", [row(1), row(1)], rows=(2, 0), table=NUMBERED),
    *both("cents", "accepted", good(), rows=(3, 0), table=IN_CENTS, amounts=(0.05,) * 3),
    *both("cents beyond every number", "quarantined", [*good(), row(9, money="9e13")], rows=(3, 1),
          rules=("amount_out_of_range",), table=columns(amount={"column": "money", "scale": 1e9})),
    *both("debit and credit", "accepted", [row(1, pieces=""), row(2, money="", pieces="2")], rows=(2, 0),
          table=PAIR, amounts=(-2, 5)),
    *both("neither debit nor credit", "quarantined", [*good(), row(9, money="", pieces="")], rows=(3, 1),
          rules=("amount_missing",), table=PAIR),
    *both("credit in words", "quarantined", [*good(), row(9, pieces="x")], rows=(3, 1),
          rules=("amount_not_a_number",), table=PAIR),
    *sound_value("id in the marks of a spreadsheet", {"strip": "spreadsheet"}, expect={"customers": ("c1",
          "c2", "c3", "007")}, who='="007"'),
    *bad_value("id in marks not declared", "customer_id_in_marks", who='="007"'),
    *bad_value("e-mail address as an id", "customer_id_says_who", who="jo@example.com"),
    *bad_value("telephone number as an id", "customer_id_says_who", who="+49 171 123456"),
    *bad_value("minus in a way of its own", "amount_sign_not_read", money="5.00 CR"),
    *bad_value(
        "side of an account that nobody knows",
        "amount_side_unknown",
        {"columns": COLUMNS | {"amount": {"column": "money", "sign": {"column": "pieces", "negative": ["-1"]}}}},
        pieces="2",
    ),
    *bad_value("dollars among euros", "amount_not_a_number", top={"currency": "EUR"}, money="$5.00"),
    *sound_value("code of the currency", top={"currency": "EUR"}, expect={"amounts": (5, 5, 5, 7)}, money="EUR 7"),
    *sound_value("amount with an apostrophe", expect={"amounts": (-13.6, 5, 5, 5)}, money="'-13.60"),
    *sound_value("first of two columns", columns(customer_id={"first_of": ["who", "order"]}),
                 expect={"customers": ("c1", "c2", "c3", "o9")}, who=""),
    *sound_value("part of a text replaced", columns(amount={"column": "money", "replace": {" incl. VAT": ""}}),
                 expect={"amounts": (5, 5, 5, 8)}, money="8 incl. VAT"),
    *sound_value("sign in another column", columns(amount={"column": "money", "sign": {"column": "line",
          "negative": "H", "positive": "1"}}),
                 expect={"amounts": (-5, 5, 5, 5)}, line="h"),
]  # fmt: skip


def with_rates(content: str) -> Callable[[Path], None]:
    """The file, and rates beside the YAML."""

    def write(path: Path) -> None:
        path.write_text(content)
        (path.parent.parent / "rates.csv").write_text("currency,day,rate\nUSD,2024-05-01,0.5\n")

    return write


IN_DOLLARS = {"table": columns(currency={"constant": "USD"}), "top": {"base_currency": "EUR", "rates": "rates.csv"}}
DISCOUNTED = {"discount_sign": "negative", "discount_deducted": False, **columns(
    discount_amount="pieces", quantity={"constant": "1"})}  # fmt: skip

GOOD_TIMES = tuple(f"2024-05-0{n} 10:00" for n in (2, 3, 4))

#: Keys that no case above needs, each with a value that would be read otherwise without it.
OTHER_KEYS = [
    text("semicolons", "accepted", csv(good(), delimiter=";"), rows=(3, 0), table={"delimiter": ";"}),
    text("apostrophes around texts", "accepted", csv(good()) + "'c,9',o9,1,2024-05-10 10:00:00,5.00,1\n", rows=(4, 0),
         table={"quote": "'"}, customers=("c1", "c2", "c3", "c,9")),
    text("a quote behind a backslash", "accepted", csv(good()) + '"c\\"9",o9,1,2024-05-10 10:00:00,5.00,1\n',
         rows=(4, 0), table={"escape": "\\"}, customers=("c1", "c2", "c3", 'c"9')),
    Case("Parquet under another name", "accepted", put(typed(3)), "sales.data", rows=(3, 0),
         table={"format": "parquet"}),
    *sound_value("a month in German", {"date_format": ["iso", "%d. %B %Y"], "month_names": "de"}, when="3. März 2024",
                 expect={"times": ("2024-03-03 00:00", *GOOD_TIMES)}),
    *bad_value("a month in French where German is said", "occurred_at_not_a_date",
               {"date_format": ["iso", "%d. %B %Y"], "month_names": "de"}, when="3. février 2024"),
    *bad_value("a dash that means nothing", "customer_id_missing", {"null_values": ["-"]}, who="-"),
    *bad_value("a dash that means nothing in every table", "customer_id_missing",
               top={"defaults": {"null_values": ["-"]}}, who="-"),
    *sound_value("a mark that means no quantity", columns(quantity={"column": "pieces", "null_values": ["-1"]}),
                 expect={"amounts": (5, 5, 5, 5)}, pieces="-1"),
    *sound_value("a return by its mark", {"returns": {"flag": {"column": "line", "values": ["R"]}}}, line="R"),
    *sound_value("price times pieces", {"amount_is": "unit_price"}, expect={"amounts": (5, 5, 5, 6)}, money="2",
                 pieces="3"),
    *both("a discount that is not deducted", "accepted", [row(1, pieces=""), row(2, pieces="-2")], rows=(2, 0),
          table=DISCOUNTED, amounts=(3, 5)),
    *sound_value("amounts of several scales", {"amount_scales": "several"}, money="50000"),
    *sound_value("a delivery of new lines alone", {"delivery": "delta"}),
    *sound_value("a file that replaces itself", {"file_changes": "replace"}),
    *sound_value("versions of one delivery", {"corrects": "(sales)"}),
    *sound_value("orders that replace orders", {"corrections": "replace_orders"}),
    *[
        case
        for name, written in (("excel_serial", "45415.25"), ("excel_serial_1904", "43953.25"),
                              ("unix_milliseconds", "1714716000000"), ("%d.%m.%Y %H:%M", "03.05.2024 06:00"))
        for case in sound_value(f"a moment as {name}", columns(occurred_at={"column": "when", "date_format": ["iso",
                                name]}), when=written, expect={"times": ("2024-05-03 06:00", *GOOD_TIMES)})
    ],
    *sound_value("an order behind a mark", columns(order_id={"column": "order", "strip": ["#"]}), order="#o9"),
    *sound_value("an id of two columns", columns(customer_id={"columns": ["who", "order"], "separator": "-"}),
                 expect={"customers": ("c1-o1", "c2-o2", "c3-o3", "c9-o9")}),
    *sound_value("an id by another word", columns(customer_id={"column": "who", "values": {"x": "c8"}}),
                 expect={"customers": ("c1", "c2", "c3", "c8")}, who="x"),
    *sound_value("what was paid back deducted", columns(amount={"column": "money", "less": "pieces"},
                 quantity={"constant": "1"}), expect={"amounts": (4, 4, 4, 3)}, pieces="2"),
    *sound_value("spending below zero", columns(amount={"column": "money", "negate": True}),
                 expect={"amounts": (-5, -5, -5, 7)}, money="-7"),
    *sound_value("an address that is hashed", columns(customer_id={"column": "who", "hash": "HOLDFAST_ID_KEY"}),
                 who="jo@example.com"),
    *both("an account that is excluded", "accepted", [*good(), row(9)], rows=(3, 0), left_out=1,
          top={"accounts": {"exclude": ["c9"], "include": ["c1"]}}),
    Case("dollars by a rate", "accepted", with_rates(csv(good())), "sales.csv", rows=(3, 0), amounts=(2.5,) * 3,
         **IN_DOLLARS),
    Case("dollars without a rate", "quarantined", with_rates(csv([*good(), row(20)])), "sales.csv", rows=(3, 1),
         rules=("currency_without_rate",), **IN_DOLLARS),
]  # fmt: skip

CASES = [*EXPORTS, *OTHER_KEYS, *VALUES, *KEYS, *SHAPES, *BYTES, *PLACES]
