"""Columns: where a canonical column comes from, and what is done to its text on the way.

In: the file's columns. Out: the text (or, of a typed file, the value) that is given for a canonical column. A key that
changes texts is a `TextStep` with its SQL, and a field of `ColumnMapping`, whose order is the order of the steps. What
numbers and dates are made of the text does not belong here (`numbers`, `moments`).
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import ConfigDict, RootModel, model_validator

from assets.ingest.canonical import Column
from assets.ingest.mapping.language import GUIDE, ColumnRef, Key, Keys, Mistake, Text, Texts, did_you_mean
from assets.ingest.mapping.moments import Formats, is_temporal
from assets.ingest.mapping.numbers import is_number_type
from assets.ingest.mapping.rules import Rule, shown
from assets.shared.quoting import literal, literals

#: Source column as the mapping refers to it -> (its name in the view `records`, its DuckDB type).
RawColumns = Mapping[ColumnRef, tuple[str, str]]

# -- Steps ------------------------------------------------------------------------------------------------------------


class TextStep:
    """What one key does to the text of a column. `is_of_any_type`: it means something for numbers and dates too, so
    that a typed value is taken as text where the key is used."""

    is_of_any_type: ClassVar[bool] = False

    def is_used(self) -> bool:
        """Does the key say anything?"""
        raise NotImplementedError

    def sql(self, text: str, column: Column) -> str:
        """Expression: what becomes of `text`; NULL stays NULL."""
        raise NotImplementedError


class Translation(TextStep, RootModel[dict[Text, Text]]):
    """Other words for some values, found without regard to case; the others stay as they are."""

    model_config = ConfigDict(frozen=True)
    is_of_any_type: ClassVar[bool] = True

    def is_used(self) -> bool:
        return bool(self.root)

    def sql(self, text: str, column: Column) -> str:
        if not self.root:
            return text
        arms = " ".join(f"when {literal(key.casefold())} then {literal(to)}" for key, to in self.root.items())
        return f"case lower({text}) {arms} else {text} end"


class Way(NamedTuple):
    """One way to make one spelling of many. `sql`: of the text; `is_of_plain_text`: it changes plain ASCII text too."""

    doc: str
    sql: Callable[[str], str]
    is_of_plain_text: bool = False


#: Letters of other scripts that look like Latin ones, and those: Cyrillic, then Greek.
_LOOK_ALIKES = (
    "АВЕЅІЈКМНОРСТУХаеорсухіѕј" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",
    "ABESIJKMHOPCTYXaeopcyxisj" + "ABEZHIKMNOPTYXo",
)
#: Digits, letters and signs in the width of a Chinese character (U+FF01 to U+FF5E), and the ordinary ones.
_WIDE = ("".join(map(chr, range(0xFF01, 0xFF5F))) + "\u3000", "".join(map(chr, range(0x21, 0x7F))) + " ")
#: Soft hyphen, zero-width characters, direction marks, byte order mark: nobody sees them.
_INVISIBLE = "[\\x{ad}\\x{200b}-\\x{200f}\\x{202a}-\\x{202e}\\x{2060}\\x{feff}]"


def _without_leading_zeros(text: str) -> str:
    bare = f"regexp_replace({text}, '^0+(.)', '\\1')"
    return f"case when regexp_full_match({text}, '0+[0-9]+') then {bare} else {text} end"


#: In the order in which they are applied: letters that look alike come after width, blanks after both.
NORMALISATIONS: dict[str, Way] = {
    "nfc": Way("`e` with an accent after it becomes `é`", lambda text: f"nfc_normalize({text})"),
    "width": Way(
        "letters and digits as wide as a Chinese character become ordinary ones: `Ａ１` is `A1`",
        lambda text: f"trim(translate({text}, {literal(_WIDE[0])}, {literal(_WIDE[1])}))",
    ),
    "invisible": Way(
        "zero-width characters, soft hyphens and direction marks go",
        lambda text: f"regexp_replace({text}, '{_INVISIBLE}', '', 'g')",
    ),
    "look_alikes": Way(
        "Cyrillic and Greek letters that look Latin become Latin: `А1` with a Cyrillic `А` is `A1`",
        lambda text: f"translate({text}, {literal(_LOOK_ALIKES[0])}, {literal(_LOOK_ALIKES[1])})",
    ),
    "inner_blanks": Way(
        "blanks inside go: `A 1` is `A1`",
        lambda text: f"regexp_replace({text}, '[ \\t\\x{{a0}}]+', '', 'g')",
        is_of_plain_text=True,
    ),
    "leading_zeros": Way("of an id of digits only: `0017` is `17`", _without_leading_zeros, is_of_plain_text=True),
}


class Normalisation(TextStep, RootModel[Texts]):
    """One spelling of the many that an id may have."""

    model_config = ConfigDict(frozen=True)

    @model_validator(mode="after")
    def _known_ways(self) -> "Normalisation":
        for way in self.root:
            if way not in NORMALISATIONS:
                raise Mistake(f"{way!r} is no way to normalise", did_you_mean(way, NORMALISATIONS))
        return self

    def is_used(self) -> bool:
        return bool(self.root)

    def sql(self, text: str, column: Column) -> str:
        if not self.root:
            return text
        used = [way for name, way in NORMALISATIONS.items() if name in self.root]
        other = text
        for way in used:
            other = other if way.is_of_plain_text else way.sql(other)
        if other != text:
            # Nearly every id is plain; only the others pay.
            text = f"case when regexp_full_match({text}, '[\\x00-\\x7f]*') then {text} else {other} end"
        for way in used:
            text = way.sql(text) if way.is_of_plain_text else text
        return f"nullif({text}, '')"


class Case(TextStep, RootModel[Literal["keep", "upper", "lower"]]):
    """Upper or lower case. Codes are compared in lower case, whatever is said."""

    model_config = ConfigDict(frozen=True)

    def is_used(self) -> bool:
        return self.root != "keep"

    def sql(self, text: str, column: Column) -> str:
        if column.kind == "code" or self.root == "lower":
            return f"lower({text})"
        return f"upper({text})" if self.root == "upper" else text


# -- Keys -------------------------------------------------------------------------------------------------------------


class ColumnMapping(Keys):
    """Where one canonical column comes from: one column, several joined ones, or a constant; then its steps."""

    short_forms: ClassVar[tuple[str, ...]] = ("column",)

    columns: Annotated[
        tuple[ColumnRef, ...],
        Key(
            "the columns that it is joined from; `column` for a single one. By name (case and outer blanks do not "
            "matter) or by position, counted from 1",
            example="order_id: {columns: [store, till, 3]}",
            default="this or `constant`",
            in_fingerprint="always",
        ),
    ] = ()
    separator: Annotated[
        str,
        Key(
            "what stands between joined columns",
            example='order_id: {columns: [store, till], separator: "-"}',
            default="a blank",
            in_fingerprint="always",
        ),
    ] = " "
    constant: Annotated[
        Text | None,
        Key(
            "the same for every row",
            example="channel: {constant: web}",
            default="this or `columns`",
            in_fingerprint="always",
        ),
    ] = None
    optional: Annotated[
        bool,
        Key(
            "`true`: some files lack the column",
            example="category: {column: GROUP, optional: true}",
            in_fingerprint="always",
        ),
    ] = False
    date_format: Annotated[
        Formats | None,
        Key(
            "as that of the table, for this column",
            example='occurred_at: {columns: [sold_on, sold_at], date_format: "%Y%m%d %H:%M"}',
            default="the table's",
            in_fingerprint="always",
        ),
    ] = None
    values: Annotated[
        Translation,
        Key(
            "words of the file and what they mean; other values stay as they are",
            example="channel: {column: WHERE, values: {F: store, W: web}}",
            in_fingerprint="always",
        ),
    ] = Translation({})
    normalise: Annotated[
        Normalisation,
        Key(
            "ways to make one spelling of many; see [below](#ids-that-are-written-in-several-ways)",
            example="customer_id: {column: KUNDE, normalise: [width, invisible]}",
        ),
    ] = Normalisation(())
    case: Annotated[
        Case,
        Key("`upper` or `lower`", example="customer_id: {column: KUNDE, case: upper}", in_fingerprint="always"),
    ] = Case("keep")

    @model_validator(mode="before")
    @classmethod
    def _written_short(cls, value: Any) -> Any:
        """`customer_id: KUNDE` and `{column: KUNDE}` both mean `{columns: [KUNDE]}`."""
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return {"columns": (value,)}
        if not isinstance(value, Mapping) or "column" not in value:
            return value
        if "columns" in value:
            raise Mistake("both 'column' and 'columns' are given", "keep one of them")
        return {("columns" if k == "column" else k): ((v,) if k == "column" else v) for k, v in value.items()}

    @model_validator(mode="after")
    def _one_origin(self) -> "ColumnMapping":
        if bool(self.columns) == (self.constant is not None):
            raise Mistake("it needs exactly one of 'column', 'columns' and 'constant'", f"see {GUIDE}")
        return self

    @property
    def steps(self) -> list[TextStep]:
        """What is done to its text, in order."""
        values = (getattr(self, name) for name in type(self).model_fields)
        return [value for value in values if isinstance(value, TextStep)]

    @property
    def is_translated(self) -> bool:
        """Is a value taken as text, whatever its type?"""
        return any(step.is_of_any_type and step.is_used() for step in self.steps)

    @property
    def origin(self) -> str:
        """Where it comes from, in words."""
        return f"constant {self.constant}" if self.constant is not None else " + ".join(map(str, self.columns))

    def raw_type(self, raw: RawColumns, column: Column) -> str:
        """The DuckDB type as which it is given: its own where the file is typed and the type fits, else text."""
        if len(self.columns) != 1 or self.columns[0] not in raw:
            return "VARCHAR"
        if self.is_translated:
            return "VARCHAR"
        kind = raw[self.columns[0]][1]
        fits = (column.kind == "number" and is_number_type(kind)) or (
            column.kind in ("timestamp", "date") and is_temporal(kind)
        )
        return kind if fits else "VARCHAR"


class ColumnKeys(Keys):
    """The columns of a table, and which of their texts mean nothing."""

    columns: Annotated[
        dict[str, ColumnMapping],
        Key(
            "canonical column: column of the file; see [Columns](#columns)",
            default="required",
            in_defaults=False,
            in_fingerprint="always",
        ),
    ]
    null_values: Annotated[
        Texts,
        Key(
            'words that mean "nothing", as the empty cell does. Replaces the default list',
            example='null_values: ["NULL", "-", "0"]',
            default="`[\"NULL\", '\\N']`",
            in_fingerprint="always",
        ),
    ] = ("NULL", "\\N")


# -- SQL --------------------------------------------------------------------------------------------------------------


def given_sql(raw: RawColumns, keys: ColumnKeys, column: Column) -> str:
    """The value as the file has it: text trimmed, with empty and null words as NULL; typed values untouched."""
    mapping = keys.columns[column.name]
    if mapping.constant is not None:
        return literal(mapping.constant)
    present = [raw[ref] for ref in mapping.columns if ref in raw]
    if not present:
        return "cast(null as varchar)"
    if mapping.raw_type(raw, column) != "VARCHAR":
        return present[0][0]
    texts = [text_sql(keys, alias, kind) for alias, kind in present]
    text = texts[0] if len(texts) == 1 else f"nullif(concat_ws({literal(mapping.separator)}, {', '.join(texts)}), '')"
    for step in mapping.steps:
        text = step.sql(text, column)
    return text


def text_sql(keys: ColumnKeys, alias: str, kind: str) -> str:
    """Expression: a raw column of DuckDB type `kind` as trimmed text; NULL where it means nothing."""
    if kind in ("FLOAT", "DOUBLE"):
        # Tools that know no missing integer write 17 as 17.0 and nothing as NaN; as an id it is 17, or missing.
        text = (
            f"case when isnan({alias}) then null when {alias} = floor({alias}) and abs({alias}) < 9007199254740992 "
            f"then cast(try_cast({alias} as bigint) as varchar) else cast({alias} as varchar) end"
        )
    else:
        text = alias if kind == "VARCHAR" else f"cast({alias} as varchar)"
    # trim() takes every blank but the tab; naming the characters costs several times as much, so only where needed.
    thorough = f"trim({text}, concat(' ', chr(9), chr(160)))"
    trimmed = f"case when contains({text}, chr(9)) then {thorough} else trim({text}) end"
    trimmed = f"nullif({trimmed}, '')"
    if keys.null_values:
        return f"case when {trimmed} not in {literals(keys.null_values)} then {trimmed} end"
    return trimmed


def missing_rules(column: Column) -> list[Rule]:
    """A required value must be there, and so must an id that is mapped."""
    if not (column.required or column.name in ("order_id", "line_id", "contact_id")):
        return []
    return [Rule(f"{column.name}_missing", f"given_{column.name} is null", literal(f"{column.name} is missing"))]


def word_rules(column: Column) -> list[Rule]:
    """A code must be one of the words that it may be, and an id none of the numbers that a spreadsheet rounds."""
    if column.name in ("customer_id", "order_id"):
        given = f"given_{column.name}"
        return [
            Rule(
                f"{column.name}_lost_digits",
                # The search for two characters is what every row pays.
                f"contains({given}, 'E+') and regexp_full_match({given}, '\\d([.,]\\d+)?E\\+\\d\\d+')",
                f"concat('{column.name} lost its digits in a spreadsheet, export it as text: ', {shown(column)})",
            )
        ]
    if not column.allowed:
        return []
    return [
        Rule(
            f"{column.name}_not_allowed",
            f"given_{column.name} not in {literals(column.allowed)}",
            f"concat('{column.name} is none of {', '.join(column.allowed)}: ', {shown(column)})",
        )
    ]
