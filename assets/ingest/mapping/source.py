"""How one business calls its columns: all the keys of a source, put together and checked against each other.

In: what a YAML holds. Out: a frozen `SourceMapping` whose names, formats, encodings and zones are known to be usable.
Single keys are declared in the modules next to this one, the file itself is read by `yaml_file`. Data files are not
opened here.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ValidationInfo, model_validator

from assets.ingest.canonical import CANONICAL_VERSION, ENTITIES
from assets.ingest.extract_guard import Expectation
from assets.ingest.mapping.accounts import Accounts
from assets.ingest.mapping.columns import ColumnMapping
from assets.ingest.mapping.delivery import DeliveryKeys
from assets.ingest.mapping.duplicates import DuplicateKeys
from assets.ingest.mapping.language import GUIDE, ColumnRef, Key, Keys, Mistake, Text, Zone, refuse_unknown_keys
from assets.ingest.mapping.moments import MomentKeys
from assets.ingest.mapping.numbers import NumberKeys
from assets.ingest.mapping.postgres import PostgresServer, PostgresTable
from assets.ingest.mapping.rates import Rates
from assets.ingest.mapping.rows import RowKeys
from assets.ingest.mapping.sales import SalesKeys
from assets.ingest.mapping.text_layout import TextKeys
from assets.shared.business import DEFAULT, Business


class TableMapping(DuplicateKeys, SalesKeys, RowKeys, MomentKeys, NumberKeys, TextKeys, DeliveryKeys):
    """One entity of a source: which files, how they are written, which column is which."""

    postgres: Annotated[
        PostgresTable | None,
        Key(
            "a table of the source's database instead of files; see [below](#a-database-instead-of-files)",
            in_defaults=False,
            in_fingerprint="never",
        ),
    ] = None
    expects: Annotated[
        Literal["nothing"] | Expectation,
        Key(
            "what the source usually delivers, or `nothing` if it has ended; see [below](#when-an-extract-is-missing)",
            example="expects: {every_days: 7, closed_on: [sunday]}",
            default="learned",
            table="transactions",
            in_defaults=False,
            in_fingerprint="never",
        ),
    ] = Expectation()

    @model_validator(mode="after")
    def _with_what_they_need(self) -> "TableMapping":
        if self.header == "find" and not any(isinstance(ref, str) for ref in self.mapped_columns()):
            raise Mistake(
                "'header: find' finds a header by the names of columns", "refer to the columns by their names"
            )
        if not self.files and self.postgres is None:
            raise Mistake("'files' is empty", "name the file, or a pattern such as sales_*.csv")
        if self.postgres is not None and self.replaces != "lines":
            raise Mistake(
                f"'{'corrections' if self.delivery == 'auto' else 'delivery'}' has no meaning for a database, whose "
                "rows come in batches of any size",
                "remove it; a table without a watermark is replaced as a whole each night",
            )
        for name, key in self.declared().items():
            value = getattr(self, name)
            needed = next((column for said, column in key.needs.items() if value == said), None)
            if needed is not None and needed not in self.columns:
                shown = str(value).lower() if isinstance(value, bool) else value
                raise Mistake(
                    f"{name} is {shown}, but no {needed} is mapped",
                    f"map columns.{needed}, or say something else with `{name}`",
                )
        return self

    def mapped_columns(self) -> dict[ColumnRef, bool]:
        """Every column of the file that the mapping refers to -> may it be absent."""
        refs: dict[ColumnRef, bool] = {}
        for column in self.columns.values():
            for ref in column.refs:
                refs[ref] = refs.get(ref, True) and column.optional
        return refs | dict.fromkeys(self._other_refs(), False)

    @property
    def reads_rows_together(self) -> bool:
        """Does what a row means depend on other rows of its order?"""
        numbered = any(column.numbered for column in self.columns.values())
        of_orders = self.order_amounts is not None or self.amount_is == "order_total"
        return self.fill_down is not None or of_orders or numbered

    def needed_by(self, ref: ColumnRef) -> str:
        """What refers to the file's column, in words."""
        named = [name for name, column in self.columns.items() if ref in column.refs]
        return ", ".join([*named, *(key for key, refs in self._refs_of_keys().items() if ref in refs)])

    def _other_refs(self) -> list[ColumnRef]:
        return [ref for refs in self._refs_of_keys().values() for ref in refs]

    def _refs_of_keys(self) -> dict[str, tuple[ColumnRef, ...]]:
        """Key of the table -> the columns of the file that it names."""
        return {
            "returns": (self.return_flag.column,) if self.return_flag else (),
            "order_amounts": tuple(self.order_amounts.named().values()) if self.order_amounts else (),
            **self.row_columns(),
        }


def _folder_name(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", value):
        raise Mistake(
            f"{value!r} cannot be used",
            "use up to 63 lower-case letters, digits and _, starting with a letter: it names folders",
        )
    return value


def _currency_code(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{3}", value):
        raise Mistake(f"{value!r} is no code of a currency", "use its three letters (ISO 4217), such as EUR or INR")
    return value.upper()


Currency = Annotated[Text, AfterValidator(_currency_code)]


def _off_as_text(value: Any) -> Any:
    """YAML reads an unquoted off as false."""
    return "off" if value is False else value


class SourceMapping(Keys):
    """One source: its folder, its clock, its tables. `path` is the YAML it was read from."""

    path: Path
    name: Annotated[
        Annotated[Text, AfterValidator(_folder_name)],
        Key(
            "lower-case letters, digits, `_`. Names the folders of the source; never change it later",
            example="name: webshop",
            default="required",
        ),
    ]
    preset: Annotated[
        Text | None,
        Key(
            "the name of a known export, whose mapping the other keys refine; see [Presets](#presets)",
            example="preset: bank_statement",
            in_fingerprint="never",
        ),
    ] = None
    folder: Annotated[
        Path,
        Key(
            "where the files lie, relative to the YAML file or absolute",
            example="folder: exports",
            default="where the YAML file is",
        ),
    ]
    time_zone: Annotated[
        Zone | None,
        Key(
            "the clock on the business's wall; see [Dates and times](#dates-and-times)",
            example="time_zone: Europe/Berlin",
        ),
    ] = None
    business: Annotated[
        Business,
        Key(
            "what kind of business it is: `shop`, `bank`, `telecom` or `airline`. Words follow (orders, postings, "
            "calls, flights), and so does the margin of a bank; see [below](#what-kind-of-business)",
            example="business: bank",
            in_fingerprint="never",
        ),
    ] = DEFAULT
    currency: Annotated[
        Currency | None,
        Key(
            "code of all amounts, where no column holds it. Without `base_currency` amounts are added up as they are: "
            "one currency a source. Marks of other currencies at a number are refused",
            example="currency: EUR",
        ),
    ] = None
    base_currency: Annotated[
        Currency | None,
        Key(
            "code of the currency that all amounts become; see [Several currencies](#several-currencies)",
            example="base_currency: EUR",
        ),
    ] = None
    rates: Annotated[
        Path | None,
        Key(
            "a CSV file with the columns `currency`, `day` and `rate`, relative to the YAML file or absolute",
            example="{base_currency: EUR, rates: rates.csv}",
        ),
    ] = None
    accounts: Annotated[
        Accounts,
        Key(
            "ids that are no customers, and large ones that are; see [below](#accounts-that-are-no-customers)",
            example="accounts: {exclude: [POS-WALKIN]}",
            default="none",
        ),
    ] = Accounts()
    identity: Annotated[
        Literal["off", "match"],
        BeforeValidator(_off_as_text),
        Key(
            "`match`: accounts with the same e-mail, phone, loyalty number or national id are one person; see "
            "[below](#accounts-of-one-person)",
            example="identity: match",
            default="off",
            in_fingerprint="never",
        ),
    ] = "off"
    complete_through: Annotated[
        date | None,
        Key(
            "last day whose data is complete",
            example="complete_through: 2024-09-30",
            default="the day of the last transaction",
        ),
    ] = None
    postgres: Annotated[
        PostgresServer | None,
        Key(
            "the database of a source whose tables are no files; see [below](#a-database-instead-of-files)",
            example="postgres: {dsn_env: WEBSHOP_DATABASE}",
        ),
    ] = None
    defaults: Annotated[
        dict[str, Any],
        Key(
            "any option of a table except `files`, `columns`, `postgres` and `expects`, for all tables; a table's own "
            "option beats it",
            example='defaults: {delimiter: ";", decimal: ","}',
        ),
    ] = {}
    tables: Annotated[
        dict[str, TableMapping],
        Key("one entry for each canonical table that the source delivers", default="required"),
    ]

    @model_validator(mode="before")
    @classmethod
    def _tables_with_defaults(cls, document: Any, info: ValidationInfo) -> Any:
        """Each table's own keys over the defaults, with its names checked against the canonical ones; the folder seen
        from the YAML, whose path is the context."""
        refuse_unknown_keys(document, cls.declared())
        _refuse_missing_keys(document, ("name", "tables"))
        tables, defaults = section(document, "tables"), section(document, "defaults")
        refuse_unknown_keys(tables, ENTITIES, "tables")
        if "transactions" not in tables:
            raise Mistake("tables has no 'transactions'", "map the table of sales; the others are optional")
        shared = [name for name, key in TableMapping.declared().items() if key.in_defaults]
        refuse_unknown_keys(defaults, shared, "defaults")
        origin = "files" if document.get("postgres") is None else "postgres"
        merged = {entity: _merged(entity, table, defaults, origin) for entity, table in tables.items()}
        path = (info.context or {})["path"]
        folder = path.parent / str(document.get("folder") or ".")
        placed = {**document, "path": path, "folder": folder, "tables": merged, "defaults": defaults}
        if document.get("rates") is not None:
            placed["rates"] = path.parent / str(document["rates"])
        return placed

    @model_validator(mode="after")
    def _keys_where_they_mean_something(self) -> "SourceMapping":
        if self.rates is not None and self.base_currency is None:
            raise Mistake("rates without base_currency", "say into which currency they convert: base_currency: EUR")
        for entity, table in self.tables.items():
            for name, column in table.columns.items():
                _refuse_out_of_place(
                    f"tables.{entity}.columns.{name}", name, column, ENTITIES[entity].column(name).kind
                )
            national = table.columns.get("national_id")
            if national is not None and not national.hash.is_used():
                raise Mistake(
                    f"tables.{entity}.columns.national_id would be kept in clear",
                    "hash it: national_id: {column: …, hash: HOLDFAST_ID_KEY}",
                )
            numbered = table.columns.get("line_id")
            if "order_id" not in table.columns:
                for key, used in (
                    ("columns.line_id.numbered", numbered is not None and numbered.numbered),
                    ("order_amounts", table.order_amounts is not None),
                ):
                    if used:
                        raise Mistake(f"tables.{entity}.{key} needs the order's number", "map columns.order_id")
        return self

    def fingerprint(self, entity: str) -> str:
        """16 hex digits of everything that decides what a file of `entity` becomes: same file and same fingerprint
        give the same rows. Where files lie and what they are called is no part of it."""
        return self._fingerprints[entity]

    @cached_property
    def _fingerprints(self) -> dict[str, str]:
        top = [CANONICAL_VERSION, self.name]
        found = {}
        for entity, table in self.tables.items():
            parts = [*top, entity, self.time_zone, self.currency, table.fingerprint_keys()]
            if self.base_currency is not None:
                parts.append(self.base_currency)
                if table.reads_rows_together and self.rates is not None and self.rates.is_file():
                    # Quarantined rows of such a table cannot be read alone: with new rates the file is landed anew.
                    parts.append(hashlib.sha256(self.rates.read_bytes()).hexdigest())
            if self.accounts.exclude:
                parts.append(sorted(self.accounts_of(entity).exclude))
            found[entity] = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
        return found

    def accounts_of(self, entity: str) -> Accounts:
        """`accounts` with the ids as this table has them."""
        return self._accounts[entity]

    @cached_property
    def _accounts(self) -> dict[str, Accounts]:
        return {
            entity: self.accounts.as_published(table.columns.get("customer_id"), ENTITIES[entity].column("customer_id"))
            for entity, table in self.tables.items()
        }

    @property
    def conversion(self) -> Rates | None:
        """How amounts become those of one currency; None where they stay as they are."""
        return None if self.base_currency is None else Rates(self.base_currency, self.rates, self.currency)

    @property
    def expects(self) -> Expectation | None:
        """What the source usually delivers; None when nothing is expected of it any more."""
        wanted = self.tables["transactions"].expects
        return None if wanted == "nothing" else wanted


def _refuse_out_of_place(where: str, name: str, column: ColumnMapping, kind: str) -> None:
    """Raise Mistake for keys that mean nothing for a canonical column of this kind."""
    if column.numbered and name != "line_id":
        raise Mistake(f"{where}.numbered has no meaning here", "only line_id can be numbered")
    if column.is_calculated and kind != "number":
        raise Mistake(
            f"{where} is no number, so debit, credit, less, sign, negate and scale have no meaning", "remove them"
        )
    if column.hash.is_used() and kind != "text":
        raise Mistake(f"{where} is no text, so hash has no meaning", "remove it")


def section(document: Mapping[str, Any], key: str, where: str = "") -> dict[str, Any]:
    """The keys and values under `key`, none where it is absent. Raises Mistake where something else stands there."""
    found = document.get(key) or {}
    if not isinstance(found, dict):
        raise Mistake(f"{where}'{key}' must hold keys and values", f"see the example in {GUIDE}")
    return dict(found)


def _merged(entity: str, table: Any, defaults: Mapping[str, Any], origin: str) -> dict[str, Any]:
    where = f"tables.{entity}"
    if not isinstance(table, dict):
        raise Mistake(f"{where} must hold keys and values", f"see the example in {GUIDE}")
    refuse_unknown_keys(table, TableMapping.model_fields, where)
    _refuse_missing_keys(table, (origin, "columns"), where)
    for other in {"files", "postgres"} - {origin}:
        if other in table:
            raise Mistake(
                f"{where}.{other} has no meaning here",
                "a source has either files or, with `postgres:` at its top, tables of one database",
            )
    _refuse_unknown_columns(entity, section(table, "columns", f"{where}: "))
    own = {key: value for key, value in table.items() if value is not None or key == "thousands"}
    elsewhere = [name for name, key in TableMapping.declared().items() if key.table not in (None, entity)]
    for name in elsewhere:
        if name in own:
            belongs = TableMapping.declared()[name].table
            raise Mistake(f"{where}.{name} has no meaning here", f"it belongs to tables.{belongs}")
    return {**{key: value for key, value in defaults.items() if key not in elsewhere}, **own}


def _refuse_unknown_columns(entity: str, columns: Mapping[str, Any]) -> None:
    where = f"tables.{entity}.columns"
    if entity == "transactions" and "is_return" in columns:
        raise Mistake(f"{where}.is_return cannot be mapped", "say which rows are returns with `returns:`")
    refuse_unknown_keys(columns, set(ENTITIES[entity].names) - {"is_return"}, where)
    _refuse_missing_keys(columns, ENTITIES[entity].required, where)


def _refuse_missing_keys(given: Mapping[str, Any], needed: Iterable[str], where: str = "") -> None:
    for key in needed:
        if given.get(key) is None:
            raise Mistake(f"{where + '.' if where else ''}{key} is missing", f"add it; see {GUIDE}")
