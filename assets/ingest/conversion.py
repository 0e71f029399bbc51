"""Raw text becomes canonical values, or a reason in words why it cannot.

In: the view `records` of a connection and the mapping of one entity. Out: the temporary table `converted`
(line_number, the entity's canonical columns, rule, reason), one row a record; `rule` is NULL for accepted rows. A row
breaks one rule at most: the first of the order below. What each key does stands with the key (`mapping`); here their
SQL is put together. Files, folders and the ledger do not belong here.

Rules: `repeated_header`, `nul_byte`, `malformed_quotes`, `wrong_number_of_columns`; for a column c `c_missing`,
`c_not_a_number`, `c_side_unknown`, `c_sign_not_read`, `c_not_finite`, `c_out_of_range`, `c_not_a_date`,
`c_not_allowed`, `c_skipped_by_the_clock`; `order_total_differs`, `order_discount_not_a_number`,
`order_refund_not_a_number`, `scale_without_length`, `c_off_the_scale`, `currency_without_rate`; `duplicate_row`,
`duplicate_same_content`, `duplicate_different_content`. Rows that nobody wants carry the rule `left_out`, which is
no refusal.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import duckdb

from assets.ingest.canonical import Column, Entity
from assets.ingest.mapping.accounts import Accounts
from assets.ingest.mapping.answers import answer_rules
from assets.ingest.mapping.calculations import calculated_sql, given_parts
from assets.ingest.mapping.columns import given_sql, missing_rules, set_hash_keys, sign_rules, word_rules
from assets.ingest.mapping.duplicates import mark_duplicates
from assets.ingest.mapping.moments import moment_rules, typed_moment
from assets.ingest.mapping.numbers import currency_marks, number_rules, typed_number
from assets.ingest.mapping.rates import Rates, converted_sql, load_rates, rate_rules
from assets.ingest.mapping.rows import filled_sql, is_unwanted_sql
from assets.ingest.mapping.rules import LEFT_OUT, Rule
from assets.ingest.mapping.sales import (
    all_discounts_sql,
    allocated_sql,
    amount_sql,
    flag_sql,
    given_order_amounts,
    is_return_sql,
    net_amount_sql,
    order_amount_rules,
    order_totals_sql,
    sales_rules,
    typed_order_amounts,
)
from assets.ingest.mapping.source import TableMapping
from assets.ingest.records.records import Records
from assets.shared.quoting import literal


@dataclass(frozen=True)
class Reading:
    """What of a source, beyond one table's mapping, decides how its values are read."""

    batch_id: str
    time_zone: str | None = None
    currency: str | None = None
    rates: Rates | None = None
    accounts: Accounts = Accounts()


def convert_records(
    con: duckdb.DuckDBPyConnection, records: Records, entity: Entity, table: TableMapping, reading: Reading
) -> None:
    """Make the table `converted` from the view `records`. Raises nothing for bad values: they become rules."""
    mapped = [column for column in entity.columns if column.name in table.columns]
    set_hash_keys(con, table)
    load_rates(con, reading.rates)
    marks = currency_marks(reading.currency)
    given = [f"{given_sql(records.raw, table, column)} as given_{column.name}" for column in mapped]
    for column in mapped:
        given += given_parts(records.raw, table, column)
    if (flag := flag_sql(table, records.raw)) is not None:
        given.append(f"{flag} as given_is_return")
    given += given_order_amounts(table, records.raw)
    typed = [f"{_typed(records, table, column, reading, marks)} as typed_{column.name}" for column in mapped]
    typed += typed_order_amounts(table, table, marks)
    wanted = "shape_rule is null and not is_unwanted"
    amount = amount_sql(table, wanted) if entity.name == "transactions" else "null"
    final = [
        f"cast({_final(entity, table, column, reading)} as {column.type}) as {column.name}" for column in entity.columns
    ]
    # An alias of an account that is no customer still says which account it is.
    can_be_excluded = "customer_id" in table.columns and entity.name != "customer_aliases"
    unwanted = f"{is_unwanted_sql(table, records.raw)} or {reading.accounts.is_excluded_sql(can_be_excluded)}"
    rule, reason = _first_rule(_rules(table, mapped, reading))
    con.execute(
        f"""
        create or replace temp table converted as
        with filled as (
            {filled_sql(table, records.raw)}
        ),
        given as (
            select
                line_number, shape_rule, shape_reason,
                {", ".join(given)},
                {unwanted} as is_unwanted
            from filled
        ),
        typed as (
            select *, {", ".join(typed)} from given
        ),
        amounted as (
            select *, {amount} as final_amount, {order_totals_sql(table, wanted)} as order_totals_differ from typed
        ),
        allocated as (
            {allocated_sql(table, wanted)}
        ),
        rated as (
            {converted_sql("allocated", table, entity, reading.rates)}
        ),
        judged as (
            select *, {rule} as rule from rated
        )
        select
            line_number,
            {", ".join(final)},
            rule,
            {reason} as reason
        from judged
        """
    )
    mark_duplicates(con, entity, table)


def _typed(records: Records, table: TableMapping, column: Column, reading: Reading, marks: str) -> str:
    """Expression: the value by its type."""
    mapping = table.columns[column.name]
    kind = mapping.raw_type(records.raw, column)
    if mapping.numbered:
        return "cast(row_number() over (partition by given_order_id order by line_number) as varchar)"
    if column.kind == "number" and mapping.is_calculated:
        return calculated_sql(records.raw, table, table, column, kind, marks)
    if column.kind == "number":
        return typed_number(table, column, kind, marks)
    if column.kind in ("timestamp", "date"):
        return typed_moment(table, column, kind, mapping.date_format or table.date_format, reading.time_zone)
    return f"given_{column.name}"


def _rules(table: TableMapping, mapped: Sequence[Column], reading: Reading) -> list[Rule]:
    """All rules in the order in which they are tried: by column, then those of amounts."""
    rules: list[Rule] = []
    for column in mapped:
        rules += missing_rules(column)
        if column.kind == "number":
            rules += sign_rules(column, table.columns[column.name])
            rules += number_rules(column, table.columns[column.name].scale)
        elif column.kind in ("timestamp", "date"):
            formats = table.columns[column.name].date_format or table.date_format
            rules += moment_rules(table, column, formats, reading.time_zone)
        else:
            rules += word_rules(column, is_hashed=table.columns[column.name].hash.is_used())
    return [
        *rules,
        *sales_rules(table),
        *order_amount_rules(table),
        *answer_rules(table.columns),
        *rate_rules(table, reading.rates),
    ]


def _first_rule(rules: Sequence[Rule]) -> tuple[str, str]:
    """Expressions: the name of the first rule that a row breaks, and its reason."""
    names = "\n".join(f"when {rule.condition} then {literal(rule.name)}" for rule in rules)
    reasons = "\n".join(f"when {literal(rule.name)} then {rule.reason}" for rule in rules)
    return (
        f"case when shape_rule is not null then shape_rule when is_unwanted then {literal(LEFT_OUT)} {names} end",
        f"case rule when shape_rule then shape_reason {reasons} end",
    )


def _final(entity: Entity, table: TableMapping, column: Column, reading: Reading) -> str:
    """Expression: the canonical value, made up where the source has no such column and a sensible one follows."""
    name = column.name
    is_mapped = name in table.columns
    if name == "currency" and reading.rates is not None:
        return literal(reading.rates.base)
    if entity.name == "transactions":
        if name == "amount" and is_mapped:
            return _rated(net_amount_sql(table), column, reading)
        if name == "discount_amount":
            return _rated(all_discounts_sql(table), column, reading)
        if name == "is_return":
            return is_return_sql(table)
        if name == "order_id" and not is_mapped and {"customer_id", "occurred_at"} <= set(table.columns):
            # Without order numbers an order is what one customer bought on one day.
            return "concat(given_customer_id, '@', cast(cast(typed_occurred_at as date) as varchar))"
    if name == "balance" and is_mapped:
        return _rated("typed_balance", column, reading)
    if name in ("line_id", "contact_id") and not is_mapped:
        # Nothing names the row, so its place in its file does: nothing is ever taken for a duplicate.
        return f"concat({literal('#' + reading.batch_id + ':')}, line_number)"
    if name == "posting_number" and not is_mapped:
        return "line_number"
    if name == "outcome" and not is_mapped:
        return "'sent'"
    if name == "currency" and not is_mapped and reading.currency is not None:
        return literal(reading.currency)
    return f"typed_{name}" if is_mapped else "null"


def _rated(money: str, column: Column, reading: Reading) -> str:
    """Expression: an amount in the one currency of all."""
    if reading.rates is None:
        return money if money in ("final_amount", "typed_balance") else f"try_cast({money} as {column.type})"
    return f"try_cast(cast({money} as decimal(19,4)) * rate as {column.type})"
