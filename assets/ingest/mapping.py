"""How one business calls its columns: a source YAML becomes a frozen, checked `SourceMapping`.

In: the path of a YAML file. Out: a `SourceMapping` whose names, formats, encodings and zones are known to be usable.
Every mistake of the file is a UserError that names the file, the key and the remedy. Data files are not opened here,
and nothing here knows SQL of a table. The reference for users is docs/connecting-a-source.md.
"""

import codecs
import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

import duckdb
import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from assets.ingest.canonical import CANONICAL_VERSION, ENTITIES
from assets.shared.errors import UserError

GUIDE = "docs/connecting-a-source.md"
NAMED_DELIMITERS = {"tab": "\t", "\\t": "\t", "whitespace": "whitespace"}
NAMED_DATE_FORMATS = ("iso", "unix_seconds", "unix_milliseconds")


class _Mistake(ValueError):
    """A mistake with its own remedy, found while validating; becomes a UserError."""

    def __init__(self, what: str, remedy: str):
        super().__init__(what)
        self.remedy = remedy


def _as_text(value: Any) -> Any:
    """YAML reads an unquoted yes as true, and null as nothing; numbers are safe to take as they are written."""
    if isinstance(value, bool) or value is None:
        raise _Mistake(
            f"{value!r} is not text (YAML reads an unquoted yes, no, true, null or ~ as something else)",
            "put quotes around it",
        )
    return str(value) if isinstance(value, (int, float, date)) else value


def _as_texts(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return tuple(_as_text(item) for item in value)
    return (_as_text(value),)


Text = Annotated[str, BeforeValidator(_as_text)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_texts)]
#: Ways to make one spelling of many: see docs/connecting-a-source.md, "Ids that are written in several ways".
NORMALISATIONS = ("nfc", "width", "invisible", "look_alikes", "inner_blanks", "leading_zeros")

#: A column of the file: its name in the header, or its position counted from 1.
ColumnRef = Annotated[str | int, Field(union_mode="left_to_right")]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class ColumnMapping(_Frozen):
    """Where one canonical column comes from: one column, several joined ones, or a constant."""

    columns: tuple[ColumnRef, ...] = ()
    separator: str = " "
    constant: str | None = None
    case: Literal["keep", "upper", "lower"] = "keep"
    values: dict[str, str] = {}
    date_format: tuple[str, ...] | None = None
    normalise: tuple[str, ...] = ()
    optional: bool = False

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, value: Any) -> Any:
        """`customer_id: KUNDE` and `{column: KUNDE}` both mean `{columns: [KUNDE]}`."""
        if isinstance(value, (str, int)) and not isinstance(value, bool):
            return {"columns": (value,)}
        if not isinstance(value, Mapping):
            return value
        value = dict(value)
        if "column" in value:
            if "columns" in value:
                raise _Mistake("both 'column' and 'columns' are given", "keep one of them")
            value["columns"] = (value.pop("column"),)
        if "constant" in value:
            value["constant"] = _as_text(value["constant"])
        if "values" in value and isinstance(value["values"], Mapping):
            value["values"] = {_as_text(k): _as_text(v) for k, v in value["values"].items()}
        if value.get("date_format") is not None:
            value["date_format"] = _as_texts(value["date_format"])
        if value.get("normalise") is not None:
            value["normalise"] = _as_texts(value["normalise"])
        return value

    @model_validator(mode="after")
    def _one_origin(self) -> "ColumnMapping":
        if bool(self.columns) == (self.constant is not None):
            raise _Mistake("it needs exactly one of 'column', 'columns' and 'constant'", f"see {GUIDE}")
        for ref in self.columns:
            if isinstance(ref, int) and ref < 1:
                raise _Mistake(f"column position {ref} does not exist", "count positions from 1")
        for way in self.normalise:
            if way not in NORMALISATIONS:
                raise _Mistake(f"{way!r} is no way to normalise", did_you_mean(way, NORMALISATIONS))
        _check_date_formats(self.date_format or ())
        return self


class ReturnFlag(_Frozen):
    """A column that marks returns, and its values (compared without regard to case) that mean 'return'."""

    column: ColumnRef
    values: Texts


class _FlagConvention(_Frozen):
    flag: ReturnFlag


class Expectation(_Frozen):
    """What a source usually brings, in days and rows; None: learned from what came before."""

    every_days: Annotated[int, Field(ge=1, le=366)] | None = None
    min_rows_share: Annotated[float, Field(gt=0, le=1)] | None = None
    min_rows: Annotated[int, Field(ge=1)] | None = None
    closed_on: Texts = ()

    @model_validator(mode="after")
    def _days(self) -> "Expectation":
        for day in self.closed_on:
            if day.lower() not in WEEKDAYS and not re.fullmatch(r"(\d{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", day):
                raise _Mistake(
                    f"closed_on: {day!r} is no day", "write a weekday such as sunday, a date 2024-12-24, or 12-25"
                )
        return self


WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class PostgresServer(_Frozen):
    """The database of a source: `dsn_env` is the environment variable that holds its connection URI, which must not
    stand in a file. `batch_rows` is how many rows are held in memory at a time."""

    dsn_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
    batch_rows: Annotated[int, Field(ge=1, le=10_000_000)] = 200_000


class PostgresTable(_Frozen):
    """Which rows of the database a table is made of, and how new ones are known."""

    table: Text | None = None
    query: Text | None = None
    watermark: Text | None = None
    overlap: Text = "1 day"

    @model_validator(mode="after")
    def _one_origin(self) -> "PostgresTable":
        if (self.table is None) == (self.query is None):
            raise _Mistake("it needs exactly one of 'table' and 'query'", f"see {GUIDE}")
        if self.table is not None and (not all(self.table.split(".")) or self.table.count(".") > 1):
            raise _Mistake(f"{self.table!r} names no table", "write it like orders or sales.order_lines")
        if not re.fullmatch(r"\d{1,9}( (second|minute|hour|day)s?)?", self.overlap):
            raise _Mistake(
                f"{self.overlap!r} is no overlap",
                "write a time such as '2 days', or a number for a watermark of numbers",
            )
        return self


class TableMapping(_Frozen):
    """One entity of a source: which files, how they are written, which column is which."""

    files: Texts = ()
    postgres: PostgresTable | None = None
    format: Literal["csv", "parquet"] | None = None
    delimiter: str = ","
    quote: str = '"'
    escape: str | None = None
    encoding: str = "utf-8"
    header: bool = True
    column_names: tuple[str, ...] | None = None
    skip_lines: Annotated[int, Field(ge=0)] = 0
    short_rows: Literal["quarantine", "pad"] = "quarantine"
    decimal: Literal[".", ","] = "."
    thousands: Literal[".", ",", " ", "'", "’"] | None = None
    date_format: Texts = ("iso",)
    file_time_zone: str | None = None
    null_values: Texts = ("NULL", "\\N")
    columns: dict[str, ColumnMapping]
    returns: Literal["by_sign", "negative_amount", "negative_quantity", "none"] | _FlagConvention = "by_sign"
    amount_is: Literal["line_total", "unit_price"] = "line_total"
    discount_sign: Literal["positive", "negative"] = "positive"
    discount_deducted: bool = True
    exact_duplicates: Literal["keep", "quarantine"] = "keep"
    skipped_times: Literal["keep", "quarantine"] = "keep"
    file_changes: Literal["add", "replace"] | None = None
    corrects: str | None = None
    corrections: Literal["replace_lines", "replace_orders", "replace_days"] = "replace_lines"
    settle_seconds: Annotated[int, Field(ge=0, le=86_400)] = 0
    done_marker: str | None = None
    expects: Literal["nothing"] | Expectation = Expectation()

    @field_validator("delimiter")
    @classmethod
    def _delimiter(cls, value: str) -> str:
        value = NAMED_DELIMITERS.get(value, value)
        if not value or "\n" in value or "\r" in value:
            raise _Mistake(f"{value!r} cannot separate columns", "use one character, 'tab' or 'whitespace'")
        return value

    @field_validator("quote", "escape")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value and (len(value) > 1 or value in " \t\r\n"):
            raise _Mistake(f"{value!r} is not one visible character", "use one character, or '' for no quoting")
        return value

    @field_validator("encoding")
    @classmethod
    def _encoding(cls, value: str) -> str:
        try:
            info = codecs.lookup(value)
        except LookupError:
            info = None
        if info is None or not info._is_text_encoding:
            raise _Mistake(f"unknown encoding {value!r}", "use for example utf-8, latin-1, cp1252, utf-16 or gb18030")
        return info.name

    @field_validator("date_format")
    @classmethod
    def _date_formats(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _check_date_formats(value)

    @field_validator("file_time_zone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        return _check_zone(value)

    @field_validator("corrects")
    @classmethod
    def _one_group(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                groups = re.compile(value).groups
            except re.error as error:
                raise _Mistake(f"{value!r} is no regular expression: {error}", "see the examples in " + GUIDE) from None
            if groups != 1:
                raise _Mistake(
                    f"{value!r} has {groups} groups", "put the part of the name that versions of one file share in ( )"
                )
        return value

    @field_validator("done_marker")
    @classmethod
    def _beside_the_file(cls, value: str | None) -> str | None:
        if value is not None and ("/" in value or "\\" in value or value in ("", "*")):
            raise _Mistake(
                f"{value!r} cannot mark a file as complete",
                "give a name beside the file such as _SUCCESS, or one made from its own such as '*.done'",
            )
        return value

    @model_validator(mode="after")
    def _consistent(self) -> "TableMapping":
        if not self.files and self.postgres is None:
            raise _Mistake("'files' is empty", "name the file, or a pattern such as sales_*.csv")
        if self.quote and len(self.delimiter) > 1 and self.delimiter != "whitespace":
            raise _Mistake(
                f"the delimiter {self.delimiter!r} has several characters while quoting is on",
                "add `quote: ''` to this table (quoting works with delimiters of one character)",
            )
        if self.quote and self.quote == self.delimiter:
            raise _Mistake("'quote' and 'delimiter' are the same character", "change one of them")
        if self.thousands == self.decimal:
            raise _Mistake(
                f"'decimal' and 'thousands' are both {self.decimal!r}", "give the one that separates cents as decimal"
            )
        if self.column_names is not None and self.header:
            # Given names stand for a missing header; reading the first row as one would lose it.
            object.__setattr__(self, "header", False)
        return self

    @property
    def return_flag(self) -> ReturnFlag | None:
        return self.returns.flag if isinstance(self.returns, _FlagConvention) else None


class SourceMapping(_Frozen):
    """One source: its folder, its clock, its tables. `path` is the YAML it was read from."""

    path: Path
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    folder: Path
    time_zone: str | None = None
    currency: Text | None = None
    complete_through: date | None = None
    postgres: PostgresServer | None = None
    tables: dict[str, TableMapping]

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, value: str | None) -> str | None:
        return _check_zone(value)

    def fingerprint(self, entity: str) -> str:
        """16 hex digits of everything that decides what a file of `entity` becomes: same file and same fingerprint
        give the same rows. Where files lie and what they are called is no part of it."""
        table = self.tables[entity].model_dump(mode="json", exclude=_NOT_IN_FINGERPRINT)
        # Keys that came later count where they are used: an upgrade alone must not land every file anew.
        for key, default in (("skipped_times", "keep"), ("corrections", "replace_lines")):
            if table[key] == default:
                del table[key]
        for column in table["columns"].values():
            if not column["normalise"]:
                del column["normalise"]
        parts = [CANONICAL_VERSION, self.name, entity, self.time_zone, self.currency, table]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


#: Which files there are, and when they come: that decides nothing about what one of them becomes.
_NOT_IN_FINGERPRINT = {"files", "postgres", "file_changes", "corrects", "settle_seconds", "done_marker", "expects"}


def load_mapping(path: Path) -> SourceMapping:
    """The mapping in the YAML file at `path`, checked.

    Raises UserError for a missing file, YAML that cannot be parsed, an unknown or missing key or canonical column,
    a value that cannot be used, or a folder that does not exist.
    """
    document = _read_yaml(path)
    _known_keys(path, "", document, {*SourceMapping.model_fields, "defaults"} - {"path"})
    _needed_keys(path, "", document, ("name", "tables"))
    tables = _section(path, document, "tables")
    _known_keys(path, "tables", tables, ENTITIES)
    if "transactions" not in tables:
        raise UserError(f"{path}: tables has no 'transactions'", "map the table of sales; the others are optional")
    defaults = _section(path, document, "defaults")
    shared = set(TableMapping.model_fields) - {"files", "columns", "expects"}
    _known_keys(path, "defaults", defaults, shared)
    from_postgres = document.get("postgres") is not None
    document.pop("defaults", None)
    document["tables"] = {
        entity: _table(path, entity, table, defaults, from_postgres) for entity, table in tables.items()
    }
    document["folder"] = path.parent / str(document.get("folder", "."))
    document["path"] = path
    try:
        mapping = SourceMapping.model_validate(document)
    except ValidationError as error:
        raise _explained(path, error) from None
    if not mapping.folder.is_dir():
        raise UserError(
            f"{path}: folder {mapping.folder} does not exist",
            "create it, or set `folder` to the place of the files, relative to this YAML file",
        )
    return mapping


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A remedy for an unknown name: the closest known one, and all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name.lower(), [k.lower() for k in known], n=1, cutoff=0.6)
    hint = next((f"did you mean {k!r}? " for k in known if close and k.lower() == close[0]), "")
    return f"{hint}known: {', '.join(known)}"


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"source file {path} does not exist", "check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"source file {path} cannot be read: {error}", "it must be a YAML file in UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise UserError(
            f"{path} is not valid YAML{where}: {getattr(error, 'problem', None) or error}",
            "mend that line; put quotes around a value that holds one of : # | , [ ] { } % & * ! ? @ or starts with -",
        ) from None
    if not isinstance(document, dict):
        raise UserError(f"{path} holds no mapping", f"start from the example in {GUIDE}")
    return document


def _section(path: Path, document: Mapping[str, Any], key: str) -> dict[str, Any]:
    section = document.get(key) or {}
    if not isinstance(section, dict):
        raise UserError(f"{path}: '{key}' must hold keys and values", f"see the example in {GUIDE}")
    return dict(section)


def _table(
    path: Path, entity: str, table: Any, defaults: Mapping[str, Any], from_postgres: bool = False
) -> dict[str, Any]:
    """The table's own keys over the defaults, with its names checked against the canonical ones."""
    where = f"tables.{entity}"
    if not isinstance(table, dict):
        raise UserError(f"{path}: {where} must hold keys and values", f"see the example in {GUIDE}")
    _known_keys(path, where, table, TableMapping.model_fields)
    _needed_keys(path, where, table, ("postgres" if from_postgres else "files", "columns"))
    misplaced = "files" if from_postgres else "postgres"
    if misplaced in table:
        raise UserError(
            f"{path}: {where}.{misplaced} has no meaning here",
            "a source has either files or, with `postgres:` at its top, tables of one database",
        )
    columns = _section(path, table, "columns")
    if entity == "transactions" and "is_return" in columns:
        raise UserError(
            f"{path}: {where}.columns.is_return cannot be mapped", "say which rows are returns with `returns:`"
        )
    _known_keys(path, f"{where}.columns", columns, set(ENTITIES[entity].names) - {"is_return"})
    _needed_keys(path, f"{where}.columns", columns, ENTITIES[entity].required)
    own = {key: value for key, value in table.items() if value is not None or key == "thousands"}
    only_sales = {"returns", "amount_is", "discount_sign", "discount_deducted", "corrections", "expects"}
    if entity != "transactions":
        wrong = sorted(only_sales & set(own))
        if wrong:
            raise UserError(f"{path}: {where}.{wrong[0]} has no meaning here", "it belongs to tables.transactions")
        defaults = {key: value for key, value in defaults.items() if key not in only_sales}
    else:
        _check_sales(path, where, {**defaults, **own}, columns, from_postgres)
    return {**defaults, **own}


def _check_sales(
    path: Path, where: str, table: Mapping[str, Any], columns: Mapping[str, Any], from_postgres: bool
) -> None:
    for key, value in (("returns", "negative_quantity"), ("amount_is", "unit_price")):
        if table.get(key) == value and "quantity" not in columns:
            raise UserError(f"{path}: {where}.{key} is {value}, but no quantity is mapped", "map columns.quantity")
    if "discount_amount" not in columns and table.get("discount_deducted") is False:
        raise UserError(
            f"{path}: {where}.discount_deducted is false, but no discount_amount is mapped",
            "map columns.discount_amount",
        )
    corrections = table.get("corrections", "replace_lines")
    if from_postgres and corrections != "replace_lines":
        raise UserError(
            f"{path}: {where}.corrections has no meaning for a database, whose rows come in batches of any size",
            "remove it; a table without a watermark is replaced as a whole each night",
        )
    if corrections == "replace_orders" and "order_id" not in columns:
        raise UserError(
            f"{path}: {where}.corrections is replace_orders, but no order_id is mapped",
            "map columns.order_id, or use replace_days",
        )


def _known_keys(path: Path, where: str, given: Mapping[str, Any], known: Iterable[str]) -> None:
    for key in given:
        if key not in set(known):
            name = f"{where}.{key}" if where else str(key)
            raise UserError(f"{path}: unknown key {name}", did_you_mean(str(key), known))


def _needed_keys(path: Path, where: str, given: Mapping[str, Any], needed: Iterable[str]) -> None:
    for key in needed:
        if given.get(key) is None:
            raise UserError(f"{path}: {where + '.' if where else ''}{key} is missing", f"add it; see {GUIDE}")


def _explained(path: Path, error: ValidationError) -> UserError:
    """The first mistake of the file, in words. One at a time: a later one is often caused by it."""
    errors = error.errors()
    first = errors[0]
    if first["type"] == "literal_error" and isinstance(first["input"], dict) and len(errors) > 1:
        # `returns` and `expects` are a word or hold keys; given keys, the word's error says nothing.
        first = errors[1]
    inner = first.get("ctx", {}).get("error")
    skip = ("str", "int", "function-before", "literal", "_FlagConvention", "Expectation", "is-instance")
    where = ".".join(str(part) for part in first["loc"] if not str(part).startswith(skip))
    if isinstance(inner, _Mistake):
        return UserError(f"{path}: {where}: {inner}" if where else f"{path}: {inner}", inner.remedy)
    if first["type"] == "extra_forbidden":
        parent, key = (first["loc"][-2] if len(first["loc"]) > 1 else ""), str(first["loc"][-1])
        known = {*ColumnMapping.model_fields, "column"} if key not in ("flag",) else {"column", "values"}
        known = set(Expectation.model_fields) if "expects" in first["loc"] else known
        return UserError(f"{path}: unknown key {where}", did_you_mean(key, known) if parent else f"see {GUIDE}")
    if where == "name":
        return UserError(
            f"{path}: name {first['input']!r} cannot be used",
            "use lower-case letters, digits and _, starting with a letter: it names folders",
        )
    return UserError(f"{path}: {where}: {first['msg']} (got {first['input']!r})", f"see {GUIDE}")


def _check_zone(value: str | None) -> str | None:
    if value is not None:
        try:
            duckdb.execute("select timezone(?, timestamp '2000-01-01')", [value])
        except duckdb.Error:
            raise _Mistake(
                f"unknown time zone {value!r}", "use a name such as Europe/Berlin, America/New_York or UTC"
            ) from None
    return value


def _check_date_formats(formats: tuple[str, ...]) -> tuple[str, ...]:
    for text in formats:
        if text in NAMED_DATE_FORMATS:
            continue
        try:
            duckdb.execute("select try_strptime('', ?)", [text])
        except duckdb.Error:
            usable = False
        else:
            usable = "%" in text
        if not usable:
            raise _Mistake(
                f"{text!r} is no date format",
                "write it like %d.%m.%Y or %Y-%m-%d %H:%M:%S, or use iso, unix_seconds or unix_milliseconds",
            )
    return formats


class MappedSource:
    """What a source described by a YAML says of itself, wherever its rows come from."""

    mapping: SourceMapping

    @property
    def name(self) -> str:
        return self.mapping.name

    @property
    def entities(self) -> tuple[str, ...]:
        return tuple(self.mapping.tables)

    @property
    def expects(self) -> Expectation | None:
        wanted = self.mapping.tables["transactions"].expects
        return None if wanted == "nothing" else wanted

    @property
    def complete_through(self) -> date | None:
        return self.mapping.complete_through
