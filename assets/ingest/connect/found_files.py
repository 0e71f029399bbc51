"""The files of an export: how each is written, which belong together.

In: a file or a folder. Out: `FoundTable`s: files that have the same columns, with encoding, delimiter, the line of the
header and the first rows as text. What the columns mean does not belong here (`column_guesses`).
"""

import codecs
import csv
import gzip
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from assets.ingest.mapping.text_layout import beginning_of
from assets.shared.errors import UserError
from assets.shared.quoting import path_literal

ENDINGS = (".csv", ".txt", ".tsv", ".gz", ".parquet", ".pq")
#: Bytes and rows of each file that are looked at.
SAMPLE_BYTES, SAMPLE_ROWS = 1_000_000, 2_000
#: Of many files so many are looked at, of each at least so many rows.
LOOKED_AT_FILES, LEAST_ROWS_OF_A_FILE = 20, 50
#: Files without a header have at least so many columns and rows.
LEAST_HEADERLESS_COLUMNS, LEAST_HEADERLESS_ROWS = 3, 5
#: A longer line is no line of a table that can be guessed.
LONGEST_LINE = 100_000
#: Preambles have up to so many lines.
PREAMBLE_LINES = 200

#: Tried in this order: what decodes as UTF-8 is UTF-8; GB 18030 decodes nearly everything, so the text must be Chinese.
_ENCODINGS = ("utf-8", "gb18030", "cp1252")
#: In the order in which a list of encodings tries them: the strictest first.
_TRIED = ("utf-8", "utf-16", "gb18030", "cp1252", "latin-1")
#: Of Chinese text so many of the bytes above ASCII stand beside each other.
_CHINESE_SHARE = 0.8
_TOTALS = ("grand total", "sub total", "subtotal", "total", "totals", "sum", "summe", "gesamt", "gesamtsumme",
           "gesamtbetrag", "endsumme", "zwischensumme", "übertrag", "totale", "totaal", "total general", "somme",
           "suma", "razem", "celkem", "toplam", "totalt", "summa", "yhteensä", "итого", "всего", "合计", "总计", "小计",
           "本页合计", "共计", "合計", "総計", "小計")  # fmt: skip
_DELIMITERS = (",", ";", "\t", "|")


@dataclass(frozen=True)
class FoundTable:
    """Files with the same columns. `columns`: column name -> cells of the first rows of each file, as text.
    `encodings`: of the files, in the order in which they are to be tried; none in Parquet. `header_line` is counted
    from 1, and 0 where it differs; it and `delimiter` are None in Parquet. `footer_words`: that begin total
    rows. Without a header the columns are called column_1, column_2 and so on."""

    files: tuple[Path, ...]
    columns: dict[str, list[str]]
    encodings: tuple[str, ...] = ()
    delimiter: str | None = None
    header_line: int | None = None
    footer_words: tuple[str, ...] = ()
    has_header: bool = True

    @property
    def header(self) -> tuple[str, ...]:
        return tuple(self.columns)


def find_tables(path: Path) -> list[FoundTable]:
    """The tables below `path`, the one with most files and columns first. Raises UserError where there is none."""
    if not path.exists():
        raise UserError(f"{path} does not exist", "name a file, or the folder in which the exported files are")
    below = sorted(p for p in path.rglob("*") if p.is_file() and p.suffix.lower() in ENDINGS)
    files = [path] if path.is_file() else below
    found: dict[tuple[str | None, tuple[str, ...]], list[FoundTable]] = {}
    for file in files:
        table = _parquet(file) if file.suffix.lower() in (".parquet", ".pq") else _text(file)
        if table is not None:
            found.setdefault((table.delimiter, table.header), []).append(table)
    if not found:
        raise UserError(
            f"{path} holds no table that can be read",
            f"put files there that end in {', '.join(ENDINGS)}, with rows of one width below a line that names their"
            " columns",
        )
    tables = [_together(same) for same in found.values()]
    return sorted(tables, key=lambda t: (-len(t.files), -len(t.columns), t.files))


def _together(same: Sequence[FoundTable]) -> FoundTable:
    """Files of one layout as one table: rows of each, so that a habit of one file alone is seen."""
    if len(same) == 1:
        return same[0]
    # Of many files not all: some of the oldest, of the newest and of those between, by their names.
    step = max(1, len(same) // LOOKED_AT_FILES)
    looked_at = [*same[:-1:step], same[-1]]
    n_rows = max(LEAST_ROWS_OF_A_FILE, SAMPLE_ROWS // len(looked_at))
    encodings = {encoding for table in same for encoding in table.encodings}
    header_lines = {table.header_line for table in same}
    return replace(
        same[0],
        files=tuple(file for table in same for file in table.files),
        columns={
            name: [cell for table in looked_at for cell in table.columns[name][:n_rows]] for name in same[0].columns
        },
        encodings=tuple(sorted(encodings, key=_TRIED.index)),
        header_line=same[0].header_line if len(header_lines) == 1 else 0,
        footer_words=tuple(dict.fromkeys(word for table in same for word in table.footer_words)),
    )


def _parquet(file: Path) -> FoundTable | None:
    with duckdb.connect() as con:
        try:
            rows = con.execute(f"select * from {path_literal(file)} limit {SAMPLE_ROWS}")
        except duckdb.Error:
            return None
        names = [str(column[0]) for column in rows.description or ()]
        cells = [["" if cell is None else str(cell) for cell in row] for row in rows.fetchall()]
    return FoundTable((file,), {name: [row[at] for row in cells] for at, name in enumerate(names)})


def _text(file: Path) -> FoundTable | None:
    opener = gzip.open if file.suffix.lower() == ".gz" else open
    try:
        with opener(file, "rb") as opened:
            data = opened.read(SAMPLE_BYTES)
    except OSError:
        return None
    if data.startswith(b"PAR1"):
        return None
    encoding, text = _decoded(data)
    lines = text.splitlines()
    if len(data) == SAMPLE_BYTES:
        lines = lines[:-1]
    if any(len(line) > LONGEST_LINE for line in lines):
        return None
    for delimiter, width, at in _layouts(lines):
        rows = [row for row in csv.reader(lines[at + 1 :], delimiter=delimiter) if row][:SAMPLE_ROWS]
        header = next(csv.reader([lines[at]], delimiter=delimiter))
        # Total rows and the like have another width, and say nothing of the columns.
        totals = [word for row in rows if (word := _total_word(row)) is not None]
        whole = [row for row in rows if len(row) == width and _total_word(row) is None]
        columns = {name.strip(): [row[i].strip() for row in whole] for i, name in enumerate(header) if name.strip()}
        if whole:
            return FoundTable((file,), columns, (encoding,), delimiter, at + 1, tuple(dict.fromkeys(totals)))
    return _headerless(file, encoding, lines)


def _headerless(file: Path, encoding: str, lines: Sequence[str]) -> FoundTable | None:
    """Rows of one width, of which the first holds a number already; None where there are none."""
    found = []
    for delimiter in _DELIMITERS:
        rows = [row for row in csv.reader(lines, delimiter=delimiter) if row][:SAMPLE_ROWS]
        for width in {len(row) for row in rows if len(row) >= LEAST_HEADERLESS_COLUMNS}:
            same = [row for row in rows if len(row) == width]
            if len(same) >= max(LEAST_HEADERLESS_ROWS, len(rows) * 0.9) and _has_number(same[0]):
                found.append((width, delimiter, same))
    if not found:
        return None
    width, delimiter, rows = max(found, key=lambda each: each[0])
    columns = {f"column_{i + 1}": [row[i].strip() for row in rows] for i in range(width)}
    return FoundTable((file,), columns, (encoding,), delimiter, has_header=False)


def _has_number(row: Sequence[str]) -> bool:
    return any(re.fullmatch(r"[-+]?\d[\d.,:/ -]*", cell.strip()) for cell in row)


def _total_word(row: Sequence[str]) -> str | None:
    """The word by which the row says that it is the sum of others."""
    first = next((cell.strip() for cell in row if cell.strip()), "").casefold()
    return next((word for word in _TOTALS if re.match(_as_python(beginning_of(word)), first)), None)


def _as_python(pattern: str) -> str:
    """The engine's pattern with Python's words for letters and digits."""
    return pattern.replace(r"[^\p{L}\p{N}]", r"\W")


def _decoded(data: bytes) -> tuple[str, str]:
    """(encoding, text) of the beginning of a file, which may end within a character."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16", data.decode("utf-16", errors="ignore")
    for encoding in _ENCODINGS:
        try:
            text = codecs.getincrementaldecoder(encoding)().decode(data)
        except UnicodeDecodeError:
            continue
        if encoding != "gb18030" or _is_chinese(data, text):
            return encoding, text.removeprefix("\ufeff")
    return "latin-1", data.decode("latin-1")


def _is_chinese(data: bytes, text: str) -> bool:
    """Are the letters mostly Chinese, each of two bytes above ASCII? Letters with accents stand alone among others."""
    high = re.findall(rb"[\x80-\xff]+", data)
    in_pairs = sum(len(run) for run in high if len(run) > 1)
    n_chinese = sum("\u4e00" <= c <= "\u9fff" for c in text)
    return n_chinese * 4 > sum(c > "\x7f" for c in text) and in_pairs >= _CHINESE_SHARE * sum(map(len, high))


def _layouts(lines: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """(delimiter, number of columns, position of the header line), the most convincing first: many lines of one width
    below a line of words of that width, each once."""
    found = []
    for delimiter in _DELIMITERS:
        sample = [(at, line) for at, line in enumerate(lines[: PREAMBLE_LINES + 200]) if line.strip()]
        widths = [(at, len(next(csv.reader([line], delimiter=delimiter)))) for at, line in sample]
        for width in {width for _, width in widths if width > 1}:
            n = sum(w == width for _, w in widths)
            at = next((at for at, w in widths if w == width and _names_columns(lines[at], delimiter)), None)
            if at is not None and at < PREAMBLE_LINES:
                found.append((n * (width - 1), delimiter, width, at))
    for _, delimiter, width, at in sorted(found, reverse=True):
        yield delimiter, width, at


def _names_columns(line: str, delimiter: str) -> bool:
    cells = [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]
    named = [cell for cell in cells if cell]
    are_words = all(not cell[0].isdigit() and cell[0] not in "-+'\"=" for cell in named)
    # Exports that end each line with a delimiter have one column without a name.
    return are_words and len(set(named)) == len(named) >= max(2, len(cells) - 2)


def common_pattern(files: Sequence[Path], folder: Path) -> str | list[str]:
    """A pattern inside `folder` that matches the files: their names with what differs as *. The names themselves where
    such a pattern would match another file too."""
    names = [file.relative_to(folder).as_posix() for file in files]
    if len(names) == 1:
        return names[0]
    pattern = _pattern_of(names)
    matched = {path.relative_to(folder).as_posix() for path in folder.glob(pattern) if path.is_file()}
    return pattern if matched == set(names) else names


def _pattern_of(names: Sequence[str]) -> str:
    suffix = Path(names[0]).suffix if len({Path(name).suffix for name in names}) == 1 else ""
    if any("/" in name for name in names):
        return f"**/*{suffix}"
    return f"{os.path.commonprefix(names)}*{suffix}"
