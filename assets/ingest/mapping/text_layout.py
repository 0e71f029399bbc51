"""Text files: the keys that say how lines are split into fields, and the SQL that splits them.

In: the text of one record. Out: its fields and their values, and whether its quotes make sense. Which lines make up a
record does not belong here (`assets.ingest.records`).
"""

import codecs
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from assets.ingest.mapping.language import Key, Keys, Mistake, as_texts
from assets.shared.quoting import literal

NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t", "whitespace": "whitespace"}

_BLANKS = "concat(' ', chr(9))"


def _delimiter(value: str) -> str:
    value = NAMED_DELIMITERS.get(value, value)
    if not value or "\n" in value or "\r" in value:
        raise Mistake(f"{value!r} cannot separate columns", "use one character, 'tab' or 'whitespace'")
    return value


def _one_character(value: str) -> str:
    if value and (len(value) > 1 or value in " \t\r\n"):
        raise Mistake(f"{value!r} is not one visible character", "use one character, or '' for no quoting")
    return value


def _encoding(value: str) -> str:
    try:
        info = codecs.lookup(value)
    except LookupError:
        info = None
    if info is None or not info._is_text_encoding:
        raise Mistake(f"unknown encoding {value!r}", "use for example utf-8, latin-1, cp1252, utf-16 or gb18030")
    return info.name


def _encodings(value: object) -> object:
    """A single encoding stays one; of a list each is known."""
    if isinstance(value, str):
        return _encoding(value)
    if not isinstance(value, (list, tuple)):
        return value
    if not value:
        raise Mistake("'encoding' names none", "name one, such as utf-8, or a list of them")
    names = tuple(_encoding(str(name)) for name in value)
    return names if len(names) > 1 else names[0]


def _footer(value: object) -> object:
    """A number stays one; a word is a list of one."""
    if isinstance(value, int) and not isinstance(value, bool):
        if not 1 <= value <= MAX_FOOTER_LINES:
            raise Mistake(f"{value} lines are no footer", f"give 1 to {MAX_FOOTER_LINES} lines, or words")
        return value
    words = as_texts(value)
    if not all(words):
        raise Mistake("an empty word begins every line", "name the words that total rows begin with")
    return words


def beginning_of(word: str) -> str:
    """Regular expression: a text begins with the word, whatever the case, and it ends there: Total does not begin
    Totally. Signs and scripts without blanks between words know no such end."""
    ends = word[-1].isalnum() and ord(word[-1]) < _FIRST_WITHOUT_BLANKS
    return f"(?i)^{re.escape(word)}" + (r"($|[^\p{L}\p{N}])" if ends else "")


#: Scripts from here on (Chinese, Japanese, Korean) write words without blanks between them.
_FIRST_WITHOUT_BLANKS = 0x2E80

Footer = Annotated[int | tuple[str, ...], BeforeValidator(_footer)]

#: More lines than this at the end of a file are rows.
MAX_FOOTER_LINES = 100

OneCharacter = Annotated[str, AfterValidator(_one_character)]


class TextKeys(Keys):
    """How a table's files are written."""

    format: Annotated[
        Literal["csv", "parquet"] | None,
        Key(
            "`csv` or `parquet` (names ending in `.parquet` or `.pq` are Parquet). gzip is recognised by content",
            example="format: parquet",
            default="by name",
            in_fingerprint="always",
        ),
    ] = None
    delimiter: Annotated[
        str,
        AfterValidator(_delimiter),
        Key(
            "one character, `tab`, or `whitespace` (columns separated by runs of blanks). Several characters, such as "
            '`"||"`, need `quote: ""`',
            example='delimiter: ";"',
            in_fingerprint="always",
        ),
    ] = ","
    quote: Annotated[
        OneCharacter,
        Key(
            'the character around text; `""` for none. Inside it is doubled (`"say ""hi"""`); fields may span lines',
            example='quote: ""',
            default="`'\"'`",
            in_fingerprint="always",
        ),
    ] = '"'
    escape: Annotated[
        OneCharacter | None,
        Key(
            'a character, such as `"\\\\"`, that makes the next one ordinary inside quotes',
            example='escape: "\\\\"',
            in_fingerprint="always",
        ),
    ] = None
    encoding: Annotated[
        str | tuple[str, ...],
        BeforeValidator(_encodings),
        Key(
            "`latin-1`, `cp1252`, `cp1250`, `utf-16`, `gb18030`, … A byte order mark is fine. A list where files "
            "differ: each is read by the first that fits all of it, so `utf-8` comes first: "
            "`[utf-8, cp1252]`",
            example="encoding: cp1252",
            in_fingerprint="always",
        ),
    ] = "utf-8"
    header: Annotated[
        bool | Literal["find"],
        Key(
            "`false` when the first row is data; refer to columns by position then, or give names. `find`: the first "
            "line that names all mapped columns, whatever stands above it",
            example="header: find",
            in_fingerprint="always",
        ),
    ] = True
    column_names: Annotated[
        tuple[str, ...] | None,
        Key(
            "names for the columns of a file without a header (implies `header: false`)",
            example="column_names: [A, B, C]",
            in_fingerprint="always",
        ),
    ] = None
    skip_lines: Annotated[
        int,
        Field(ge=0),
        Key("lines above the header to be passed over", example="skip_lines: 3", in_fingerprint="always"),
    ] = 0
    footer: Annotated[
        Footer,
        Key(
            "lines that are no rows: a number of lines at the end of the file, or words that begin a total row, "
            "wherever it stands. They are left out and counted as such",
            example="footer: [Total, Summe]",
        ),
    ] = ()
    short_rows: Annotated[
        Literal["quarantine", "pad"],
        Key(
            "`pad`: a row with too few columns gets empty ones at its end",
            example="short_rows: pad",
            in_fingerprint="always",
        ),
    ] = "quarantine"

    @model_validator(mode="after")
    def _unambiguous(self) -> "TextKeys":
        if self.quote and len(self.delimiter) > 1 and self.delimiter != "whitespace":
            raise Mistake(
                f"the delimiter {self.delimiter!r} has several characters while quoting is on",
                "add `quote: ''` to this table (quoting works with delimiters of one character)",
            )
        if self.quote and self.quote == self.delimiter:
            raise Mistake("'quote' and 'delimiter' are the same character", "change one of them")
        if self.header == "find" and self.skip_lines:
            raise Mistake("'header: find' and 'skip_lines' are both given", "keep one of them")
        if self.column_names is not None and self.header:
            # Given names stand for a missing header; reading the first row as one would lose it.
            object.__setattr__(self, "header", False)
        return self


def is_parquet(path: Path, keys: TextKeys) -> bool:
    """Is the file read as Parquet, not as text?"""
    return (keys.format or ("parquet" if path.suffix.lower() in (".parquet", ".pq") else "csv")) == "parquet"


class Grammar:
    """SQL expressions that split one record's text into fields, for the delimiter, quote and escape of a mapping.

    With quoting, a field is a quoted one (blanks around it allowed, the quote doubled inside or escaped), or one that
    does not start with a quote (a quote further inside is text, as in `27" monitor`).
    """

    def __init__(self, keys: TextKeys):
        self.delimiter = keys.delimiter
        self.is_whitespace = keys.delimiter == "whitespace"
        self.quote = "" if self.is_whitespace else keys.quote
        self.escape = keys.escape if keys.escape != keys.quote else None
        d, q, e = (_in_class(c) for c in (keys.delimiter[0], self.quote, self.escape or ""))
        if self.quote:
            body = f"(?:[^{q}]|{q}{q})*" if not self.escape else f"(?:[^{q}{e}]|{e}(?s:.)|{q}{q})*"
            blanks = "" if self.delimiter == " " else "[ ]*"
            quoted = f"{blanks}{q}{body}{q}{blanks}"
            self._lenient = f"{d}({quoted}|{blanks}(?:[^{d}{q} ][^{d}]*)?)"
            self._strict = f"{d}({quoted}|[^{d}{q}]*)"

    def fields(self, text: str, pattern: str | None = None) -> str:
        """The list of fields, still quoted."""
        if self.is_whitespace:
            return f"string_split_regex(trim({text}, {_BLANKS}), '[ \\t]+')"
        plain = f"string_split({text}, {literal(self.delimiter)})"
        if not self.quote:
            return plain
        by_pattern = (
            f"regexp_extract_all(concat({literal(self.delimiter)}, {text}), {literal(pattern or self._lenient)}, 1)"
        )
        return f"case when contains({text}, {literal(self.quote)}) then {by_pattern} else {plain} end"

    def is_malformed(self, text: str, fields: str) -> str:
        """True when the fields and their delimiters do not make up the whole text."""
        if not self.quote:
            return "false"
        found = f"coalesce(list_sum(list_transform({fields}, lambda f: length(f))), 0) + len({fields})"
        return f"(contains({text}, {literal(self.quote)}) and {found} <> length({text}) + 1)"

    def strict_fields(self, text: str) -> str:
        """As `fields`, but a quote inside an unquoted field matches nothing: for text joined from several lines."""
        return self.fields(text, self._strict)

    def n_quotes(self, text: str) -> str:
        """How many quotes the text holds, escaped ones not counted."""
        if self.escape:
            text = f"regexp_replace({text}, {literal(_in_class(self.escape) + '(?s:.)')}, '', 'g')"
        return f"length({text}) - length(replace({text}, {literal(self.quote)}, ''))"

    def unquoted(self, field: str) -> str:
        """The field's value."""
        if not self.quote:
            return field
        q = literal(self.quote)
        inner = f"replace(trim({field})[2:-2], {literal(self.quote * 2)}, {q})"
        if self.escape:
            inner = f"regexp_replace({inner}, {literal(_in_class(self.escape) + '((?s:.))')}, '\\1', 'g')"
        return f"case when starts_with(ltrim({field}), {q}) then {inner} else {field} end"

    def values(self, text: str, fields: str) -> str:
        """The list of the fields' values."""
        if not self.quote:
            return fields
        unquoted = f"list_transform({fields}, lambda f: {self.unquoted('f')})"
        return f"case when contains({text}, {literal(self.quote)}) then {unquoted} else {fields} end"


def _in_class(character: str) -> str:
    """A character for use in a regular expression, inside brackets or alone."""
    return f"\\x{{{ord(character):x}}}" if character else ""
