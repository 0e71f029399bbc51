"""The canonical raw tables: which entities a source may bring, their columns, types and what is required.

In: nothing. Out: `ENTITIES`, read by the mapping (which names are allowed), the conversion (which type each value
must become) and the raw views (typed empty tables). How a source calls its columns does not belong here.
"""

from dataclasses import dataclass
from typing import Literal

#: Part of every batch's identity: raise it when a canonical column changes its meaning, and files are landed again.
CANONICAL_VERSION = 1

#: A business's transactions and birth dates lie between these years; beyond them a date is a typing or unit error
#: (two-digit years, milliseconds read as seconds, 1899-12-30 of spreadsheets).
FIRST_YEAR, FIRST_BIRTH_YEAR, LAST_YEAR = 1900, 1850, 2199

Kind = Literal["text", "code", "number", "timestamp", "date", "flag"]


@dataclass(frozen=True)
class Column:
    """One canonical column. `open_end`: a far future date (9999-12-31) is the usual way to write 'no end'.
    `personal`: it says who somebody is, and is shown in schema `personal` only."""

    name: str
    type: str
    kind: Kind
    required: bool = False
    allowed: tuple[str, ...] = ()
    open_end: bool = False
    personal: bool = False


@dataclass(frozen=True)
class Entity:
    """One canonical table. `event` orders and dates its rows. Where the source delivers the column `id_column`, staging
    can know a row delivered twice from two rows, and two rows of one file with equal `key` (SQL expressions) are
    duplicates; without it nothing is a duplicate. `is_whole`: a file of it that changes under its name says everything
    again, so that a row which was taken out of it is gone."""

    name: str
    columns: tuple[Column, ...]
    event: str | None
    id_column: str | None = None
    key: tuple[str, ...] = ()
    is_whole: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns)

    @property
    def required(self) -> tuple[str, ...]:
        return tuple(column.name for column in self.columns if column.required)

    def column(self, name: str) -> Column:
        return next(column for column in self.columns if column.name == name)


def _text(*names: str, required: bool = False) -> tuple[Column, ...]:
    return tuple(Column(name, "varchar", "text", required=required) for name in names)


def _number(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, "double", "number") for name in names)


def _money(name: str, required: bool = False) -> Column:
    return Column(name, "decimal(18,4)", "number", required=required)


def _at(name: str, required: bool = False, open_end: bool = False) -> Column:
    return Column(name, "timestamp", "timestamp", required=required, open_end=open_end)


def _on(name: str, required: bool = False, open_end: bool = False) -> Column:
    return Column(name, "date", "date", required=required, open_end=open_end)


def _code(name: str, *allowed: str, required: bool = False) -> Column:
    return Column(name, "varchar", "code", required=required, allowed=allowed)


_CUSTOMER = _text("customer_id", required=True)

ENTITIES: dict[str, Entity] = {
    entity.name: entity
    for entity in (
        Entity(
            "transactions",
            (
                *_CUSTOMER,
                *_text("order_id", "line_id"),
                _at("occurred_at", required=True),
                _money("amount", required=True),
                Column("quantity", "decimal(18,3)", "number"),
                _money("discount_amount"),
                Column("is_return", "boolean", "flag"),
                *_text("product_id", "category", "channel", "store_id", "currency"),
            ),
            event="occurred_at",
            id_column="line_id",
            # A till may number its receipts from one again each day, so the day is part of the key, as in staging.
            key=("cast(occurred_at as date)", "order_id", "line_id"),
        ),
        Entity(
            "customers",
            (
                *_CUSTOMER,
                _on("joined_on"),
                *_text("region"),
                Column("birth_date", "date", "date", personal=True),
                *_text("age_band", "income_band", "household_size", "household_type", "owner"),
                *(Column(n, "varchar", "text", personal=True) for n in ("email", "phone", "postal_code", "full_name")),
                # Only for stage identity: numbers that one person has once.
                *(Column(n, "varchar", "text", personal=True) for n in ("loyalty_number", "national_id")),
            ),
            event=None,
            id_column="customer_id",
            key=("customer_id",),
        ),
        Entity(
            "customer_aliases",
            (*_text("old_customer_id", required=True), *_CUSTOMER, _on("valid_from")),
            event="valid_from",
            id_column="old_customer_id",
            key=("old_customer_id", "valid_from"),
            is_whole=True,
        ),
        Entity(
            "consents",
            (
                *_CUSTOMER,
                _code("channel", required=True),
                *_text("purpose"),
                _code("status", "granted", "denied", "withdrawn", required=True),
                *_text("lawful_basis"),
                _at("valid_from"),
                _at("valid_to", open_end=True),
                # A double opt-in: asked for on the one day, confirmed by the person on the other.
                _on("requested_on"),
                _on("confirmed_on"),
            ),
            event="valid_from",
        ),
        Entity(
            "interactions",
            (
                *_CUSTOMER,
                _at("occurred_at", required=True),
                _code("kind", "complaint", "inquiry", "survey", "visit", required=True),
                Column("score", "double", "number"),
                _at("resolved_at"),
            ),
            event="occurred_at",
        ),
        Entity(
            # A row a questionnaire, and one an attribute that it asks about, with which `satisfaction` then is.
            "surveys",
            (
                *_CUSTOMER,
                _at("answered_at", required=True),
                *_text("attribute"),
                *_number("recommendation", "repurchase_intention", "trust", "satisfaction", "importance"),
                *_number("scale_low", "scale_high"),
            ),
            event="answered_at",
        ),
        Entity(
            # Who brought whom: of several rows of one customer the newest counts.
            "referrals",
            (*_CUSTOMER, *_text("referrer_customer_id", required=True), _on("referred_on")),
            event="referred_on",
        ),
        Entity(
            "balances",
            (
                *_CUSTOMER,
                *_text("account_id"),
                _on("day", required=True),
                _money("balance", required=True),
                *_text("currency"),
                # Banks deliver a running balance a posting; staging takes the day's last one, by this number.
                Column("posting_number", "bigint", "number"),
            ),
            event="day",
            id_column="customer_id",
        ),
        Entity(
            "contracts",
            (
                *_CUSTOMER,
                *_text("contract_id"),
                _on("started_on", required=True),
                _on("ends_on", open_end=True),
                _on("ended_on", open_end=True),
            ),
            event="started_on",
            id_column="contract_id",
            # A renewal is a row of its own: the same contract may start again.
            key=("contract_id", "started_on"),
        ),
        Entity(
            "contacts",
            (
                *_text("contact_id"),
                *_CUSTOMER,
                *_text("campaign_id", "action_id"),
                _code("channel"),
                _at("sent_at", required=True),
                _money("cost"),
                _money("offer_cost"),
                _code(
                    "outcome",
                    "not_sent",
                    "sent",
                    "bounced",
                    "delivered",
                    "opened",
                    "responded",
                    "redeemed",
                    "opted_out",
                    "complaint",
                    "held_out",
                ),
                _at("outcome_at"),
                _on("window_ends_on", open_end=True),
            ),
            event="sent_at",
            id_column="contact_id",
            # A CRM may write one row an outcome; staging reduces them to one row a contact.
            key=("contact_id", "outcome"),
        ),
    )
}
