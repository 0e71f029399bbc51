"""Columns: where a canonical column comes from, cell by cell.

In: the file's columns. Out: the text (or, of a typed file, the value) that is given for a canonical column. The keys
that change texts are steps (`text_steps`), in the order in which `ColumnMapping` declares them. How the parts of a
number are added up, and what numbers and dates are made of the text, does not belong here (`numbers`, `moments`).
"""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, NamedTuple

import duckdb
from pydantic import Field, model_validator

from assets.ingest.canonical import Column
from assets.ingest.mapping.language import GUIDE, ColumnRef, Key, Keys, Mistake, Text, Texts
from assets.ingest.mapping.moments import Formats, is_temporal
from assets.ingest.mapping.numbers import is_number_type
from assets.ingest.mapping.rules import Rule, shown
from assets.ingest.mapping.text_steps import (
    Case,
    HashKey,
    Normalisation,
    Replacement,
    Strip,
    TextStep,
    Translation,
)
from assets.shared.quoting import literal, literals

#: Source column as the mapping refers to it -> (its name in the view `records`, its DuckDB type).
RawColumns = Mapping[ColumnRef, tuple[str, str]]


#: Words for the two sides of an account, a till or a ledger, in lower case: whoever names one has told the other.
_SIDES = (
    ("h", "s"),
    ("haben", "soll"),
    ("c", "d"),
    ("cr", "dr"),
    ("cr.", "dr."),
    ("credit", "debit"),
    ("-", "+"),
    ("-1", "1"),
    ("refund", "sale"),
    ("return", "sale"),
    ("贷", "借"),
)


class SignFlag(Keys):
    """A column that says on which side of the account an amount stands. A value of neither side is never guessed."""

    column: Annotated[ColumnRef, Key("the column that holds the sign", in_fingerprint="always")]
    negative: Annotated[
        Texts, Key("its values that make the amount negative, whatever the case", in_fingerprint="always")
    ]
    positive: Annotated[
        Texts,
        Key(
            'its values that leave the amount as it is, whatever the case; `""` for an empty cell. Any other value '
            "refuses its row",
            example="sign: {column: KIND, negative: [refund], positive: [sale, exchange]}",
            default="the other side of `negative`, of words that come in pairs: H and S, C and D, CR and DR, credit "
            "and debit, - and +, refund and sale",
            in_fingerprint="always",
        ),
    ] = ()

    @model_validator(mode="after")
    def _one_side_each(self) -> "SignFlag":
        if both := sorted({text.lower() for text in self.negative} & {text.lower() for text in self.positive}):
            raise Mistake(f"sign: {both[0]!r} is in both negative and positive", "remove it from one of them")
        return self

    @property
    def known_positive(self) -> tuple[str, ...]:
        """What is said to be positive, or else what follows from `negative`."""
        if self.positive:
            return self.positive
        negative = {text.lower() for text in self.negative}
        others = [other for side in _SIDES for one, other in (side, side[::-1]) if one in negative]
        return tuple(dict.fromkeys(other for other in others if other not in negative))

    def as_written(self) -> str:
        """As the YAML says it, with a place for one more value: the remedy for one that is not known."""
        negative, positive = (", ".join(texts) for texts in (self.negative, (*self.known_positive, "…")))
        return f"sign: {{column: {self.column}, negative: [{negative}], positive: [{positive}]}}"


class Part(NamedTuple):
    """A column that a number is made of. `sign`: 1 or -1. `is_deducted`: by `less`, so that alone it is no number."""

    ref: ColumnRef
    sign: int
    is_deducted: bool = False


class ColumnMapping(Keys):
    """Where one canonical column comes from: one column, several joined ones, the first of several, a pair of debit
    and credit, a constant, or a number of its own; then its steps."""

    short_forms: ClassVar[tuple[str, ...]] = ("column",)

    columns: Annotated[
        tuple[ColumnRef, ...],
        Key(
            "the columns that it is joined from; `column` for a single one. By name (case and outer blanks do not "
            "matter) or by position, counted from 1",
            example="order_id: {columns: [store, till, 3]}",
            default="this or another origin",
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
    first_of: Annotated[
        tuple[ColumnRef, ...],
        Key(
            "the first of these columns that is not empty",
            example="customer_id: {first_of: [Customer User, Billing Email]}",
        ),
    ] = ()
    debit: Annotated[
        ColumnRef | None,
        Key(
            "of an amount in two columns, the one that is spent; the result is `debit` - `credit`",
            example="amount: {debit: Debit Amount, credit: Credit Amount}",
        ),
    ] = None
    credit: Annotated[
        ColumnRef | None,
        Key("the other one, which comes in", example="amount: {debit: Debit Amount, credit: Credit Amount}"),
    ] = None
    numbered: Annotated[
        bool,
        Key(
            "`true`: 1, 2, 3 … within the order, as its rows stand in the file. Only for `line_id`; see "
            "[below](#orders-over-several-rows)",
            example="line_id: {numbered: true}",
        ),
    ] = False
    constant: Annotated[
        Text | None,
        Key(
            "the same for every row",
            example="channel: {constant: web}",
            default="this or another origin",
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
    null_values: Annotated[
        Texts | None,
        Key(
            "as that of the table, for this column",
            example='quantity: {column: Duration, null_values: ["-1"]}',
            default="the table's",
        ),
    ] = None
    strip: Annotated[
        Strip | None,
        Key(
            "as that of the table, for this column",
            example='order_id: {column: Name, strip: ["#"]}',
            default="the table's",
        ),
    ] = None
    replace: Annotated[
        Replacement,
        Key(
            "parts of the text that become others, wherever they stand",
            example='amount: {column: TOTAL, replace: {" ex VAT": ""}}',
        ),
    ] = Replacement({})
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
    hash: Annotated[
        HashKey,
        Key(
            "name of the environment variable that holds the key of a keyed hash: the value itself is never published. "
            "See [Ids that say who somebody is](#ids-that-say-who-somebody-is)",
            example="customer_id: {column: Email, case: lower, hash: HOLDFAST_ID_KEY}",
        ),
    ] = HashKey(None)
    less: Annotated[
        tuple[ColumnRef, ...],
        Key(
            "of a number: columns that are deducted, such as what was refunded",
            example="amount: {column: Subtotal, less: Refunded Amount}",
        ),
    ] = ()
    sign: Annotated[
        SignFlag | None,
        Key(
            "of a number: a column that says which amounts are negative; see "
            "[below](#amounts-whose-sign-stands-elsewhere)",
            example="amount: {column: BETRAG, sign: {column: SOLL_HABEN, negative: [H]}}",
        ),
    ] = None
    negate: Annotated[
        bool,
        Key(
            "of a number: `true` where the file writes what was spent as a negative amount",
            example="amount: {column: Amount, negate: true}",
        ),
    ] = False
    scale: Annotated[
        float,
        Field(ge=1e-6, le=1e9),
        Key("of a number: what it is multiplied by; 0.01 for cents", example="amount: {column: amount, scale: 0.01}"),
    ] = 1.0

    @model_validator(mode="before")
    @classmethod
    def _written_short(cls, value: Any) -> Any:
        """`customer_id: KUNDE` and `{column: KUNDE}` both mean `{columns: [KUNDE]}`."""
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return {"columns": (value,)}
        if not isinstance(value, Mapping):
            return value
        if "column" in value and "columns" in value:
            raise Mistake("both 'column' and 'columns' are given", "keep one of them")
        single = {"column": "columns", "less": "less"}
        return {
            single.get(k, k): (v,) if k in single and not isinstance(v, (list, tuple)) else v for k, v in value.items()
        }

    @model_validator(mode="after")
    def _one_origin(self) -> "ColumnMapping":
        pair = self.debit is not None or self.credit is not None
        origins = (bool(self.columns), bool(self.first_of), pair, self.numbered, self.constant is not None)
        if sum(origins) != 1:
            raise Mistake(
                "it needs exactly one of 'column', 'columns', 'first_of', 'debit' and 'credit', 'constant' and "
                "'numbered'",
                f"see {GUIDE}",
            )
        if self.less and not pair and len(self.columns) != 1:
            raise Mistake("'less' deducts from one column, or from 'debit' and 'credit'", "name it with `column`")
        if pair and (self.debit is None or self.credit is None):
            raise Mistake("'debit' and 'credit' belong together", "name both columns, or use `column`")
        return self

    @property
    def parts(self) -> tuple[Part, ...]:
        """The columns that a number is added up from; none where it stands in one place."""
        if self.debit is not None and self.credit is not None:
            return (Part(self.debit, 1), Part(self.credit, -1), *self._deducted)
        return (Part(self.columns[0], 1), *self._deducted) if self.less and self.columns else ()

    @property
    def _deducted(self) -> tuple[Part, ...]:
        return tuple(Part(ref, -1, is_deducted=True) for ref in self.less)

    @property
    def refs(self) -> tuple[ColumnRef, ...]:
        """Every column of the file that is named."""
        pair = tuple(ref for ref in (self.debit, self.credit) if ref is not None)
        return (*self.columns, *self.first_of, *pair, *self.less, *((self.sign.column,) if self.sign else ()))

    @property
    def is_calculated(self) -> bool:
        """Do keys of numbers do something to it?"""
        return bool(self.parts) or self.sign is not None or self.negate or self.scale != 1

    def fingerprint_keys(self) -> dict[str, Any]:
        """With what tells one hash key from another."""
        check = self.hash.check_value
        return super().fingerprint_keys() | ({"hash_key": check} if check else {})

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
    def is_changed(self) -> bool:
        """Does a key make another text of that of the file?"""
        return any(step.is_used() for step in self.steps)

    def through_steps(self, text: str, column: Column) -> str:
        """Expression: what the steps make of `text`."""
        for step in self.steps:
            text = step.sql(text, column)
        return text

    @property
    def origin(self) -> str:
        """Where it comes from, in words."""
        if self.constant is not None:
            return f"constant {self.constant}"
        if self.numbered:
            return "numbered within the order"
        if self.first_of:
            return " or ".join(map(str, self.first_of))
        if self.parts:
            return " ".join(f"{'-' if part.sign < 0 else '+'} {part.ref}" for part in self.parts).removeprefix("+ ")
        return " + ".join(map(str, self.columns))

    def raw_type(self, raw: RawColumns, column: Column) -> str:
        """The DuckDB type as which it is given: its own where the file is typed and the type fits, else text."""
        if len(self.columns) != 1 or self.columns[0] not in raw or self.parts or self.is_translated:
            return "VARCHAR"
        kind = raw[self.columns[0]][1]
        fits = (column.kind == "number" and is_number_type(kind)) or (
            column.kind in ("timestamp", "date") and is_temporal(kind)
        )
        return kind if fits else "VARCHAR"


class ColumnKeys(Keys):
    """The columns of a table, which of their texts mean nothing, and what stands around them."""

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
    strip: Annotated[
        Strip,
        Key(
            "marks that are taken off both ends of every cell. `spreadsheet` stands for those by which spreadsheets "
            'keep texts: `="00214"`, an apostrophe or a backtick in front',
            example="strip: spreadsheet",
        ),
    ] = Strip(())


def set_hash_keys(con: duckdb.DuckDBPyConnection, keys: ColumnKeys) -> None:
    """Give the connection the keys by which columns are hashed."""
    for mapping in keys.columns.values():
        mapping.hash.set_on(con)


def given_sql(raw: RawColumns, keys: ColumnKeys, column: Column) -> str:
    """The value as the file has it: text trimmed, with empty and null words as NULL; typed values untouched. Of a
    number with parts, what it is made of before anything is deducted."""
    mapping = keys.columns[column.name]
    if mapping.constant is not None:
        return literal(mapping.constant)
    if mapping.numbered:
        return literal("numbered")
    used = mapping.first_of or tuple(part.ref for part in mapping.parts if not part.is_deducted) or mapping.columns
    present = [raw[ref] for ref in used if ref in raw]
    if not present:
        return "cast(null as varchar)"
    if mapping.raw_type(raw, column) != "VARCHAR":
        return present[0][0]
    texts = [text_sql(keys, alias, kind, mapping) for alias, kind in present]
    if len(texts) == 1:
        text = texts[0]
    elif mapping.first_of:
        text = f"coalesce({', '.join(texts)})"
    else:
        text = f"nullif(concat_ws({literal(mapping.separator)}, {', '.join(texts)}), '')"
    return mapping.through_steps(text, column)


def text_sql(keys: ColumnKeys, alias: str, kind: str, mapping: ColumnMapping | None = None) -> str:
    """Expression: a raw column of DuckDB type `kind` as trimmed text without its marks; NULL where it means nothing, by
    the words of the column's `mapping` or else of the table."""
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
    strip = keys.strip if mapping is None or mapping.strip is None else mapping.strip
    trimmed = f"nullif({strip.sql(trimmed)}, '')"
    words = keys.null_values if mapping is None or mapping.null_values is None else mapping.null_values
    return f"case when {trimmed} not in {literals(words)} then {trimmed} end" if words else trimmed


def missing_rules(column: Column) -> list[Rule]:
    """A required value must be there, and so must an id that is mapped."""
    if not (column.required or column.name in ("order_id", "line_id", "contact_id")):
        return []
    return [Rule(f"{column.name}_missing", f"given_{column.name} is null", literal(f"{column.name} is missing"))]


def word_rules(column: Column, is_hashed: bool = False) -> list[Rule]:
    """A code must be one of the words that it may be, and an id neither a number that a spreadsheet rounded, nor a text
    in its marks, nor something that says who somebody is."""
    if column.name in ("customer_id", "referrer_customer_id") and not is_hashed:
        return [*_id_rules(column), *_says_who(column)]
    if column.name in ("customer_id", "referrer_customer_id", "order_id"):
        return _id_rules(column)
    if not column.allowed:
        return []
    return [
        Rule(
            f"{column.name}_not_allowed",
            f"given_{column.name} not in {literals(column.allowed)}",
            f"concat('{column.name} is none of {', '.join(column.allowed)}: ', {shown(column)})",
        )
    ]


def sign_rules(column: Column, mapping: ColumnMapping) -> list[Rule]:
    """A number whose sign stands in another column has none where that column says something unknown."""
    if mapping.sign is None:
        return []
    return [
        Rule(
            f"{column.name}_side_unknown",
            f"given_{column.name} is not null and side_{column.name} is null",
            f"concat('the sign of {column.name} is unknown: ', "
            f"coalesce(left(sign_{column.name}, 60), 'an empty cell'), "
            f"{literal('; say what it means: ' + mapping.sign.as_written())})",
        )
    ]


def _id_rules(column: Column) -> list[Rule]:
    given = f"given_{column.name}"
    return [
        Rule(
            f"{column.name}_lost_digits",
            # The search for two characters is what every row pays.
            f"contains({given}, 'E+') and regexp_full_match({given}, '\\d([.,]\\d+)?E\\+\\d\\d+')",
            f"concat('{column.name} lost its digits in a spreadsheet, export it as text: ', {shown(column)})",
        ),
        Rule(
            f"{column.name}_in_marks",
            f"starts_with({given}, '=\"')",
            literal(f"{column.name} stands in the marks of a spreadsheet: set `strip: spreadsheet` for the table"),
        ),
    ]


def _says_who(column: Column) -> list[Rule]:
    """An address or a telephone number as an id would be published; the reason does not repeat it."""
    given = f"given_{column.name}"
    remedy = (
        "set `hash: HOLDFAST_ID_KEY` for the column and keep the key in the environment "
        '(export HOLDFAST_ID_KEY="$(openssl rand -hex 32)")'
    )
    is_address = f"contains({given}, '@') and regexp_matches({given}, '[^@\\s]+@[^@\\s]+\\.[^@\\s.]{{2,}}')"
    is_number = f"starts_with({given}, '+') and regexp_full_match({given}, '\\+(?:[ ()/.-]*\\d){{8,15}}')"
    return [
        Rule(
            f"{column.name}_says_who",
            f"({is_address}) or ({is_number})",
            f"concat('{column.name} is ', case when contains({given}, '@') then 'an e-mail address' "
            f"else 'a telephone number' end, {literal(', which would be published: ' + remedy)})",
        )
    ]
