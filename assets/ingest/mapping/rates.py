"""Amounts in several currencies become amounts in one, by rates of their days.

In: a CSV file of rates (columns `currency`, `day`, `rate`: what one unit of the currency is worth in the base currency
on that day) and typed rows with a currency. Out: the rate of each row, or a rule where there is none. Rates are applied
when a file is landed: rows for which one was missing wait in quarantine until they are read again. Marks of currencies
in numbers do not belong here (`numbers`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from assets.ingest.canonical import Entity
from assets.ingest.mapping.columns import ColumnKeys
from assets.ingest.mapping.rules import Rule
from assets.ingest.mapping.sales import LARGEST_AMOUNT
from assets.shared.errors import UserError
from assets.shared.quoting import literal

#: A rate of a day counts until the next one, over weekends and holidays; an older one says nothing of today.
MAX_RATE_AGE_DAYS = 10
_COLUMNS = ("currency", "day", "rate")


@dataclass(frozen=True)
class Rates:
    """`base`: code of the currency that everything becomes. `path`: the file of rates; None: nothing is converted, and
    rows in another currency are refused. `own`: the currency of rows that name none."""

    base: str
    path: Path | None = None
    own: str | None = None


def load_rates(con: duckdb.DuckDBPyConnection, rates: Rates | None) -> None:
    """Make the table `rates` (currency, day, rate) of the connection. Raises UserError for a file that is not there,
    and with its line for a row that cannot be used."""
    if rates is None:
        return
    con.execute("create or replace temp table rates (currency varchar, day date, rate decimal(18,8))")
    if rates.path is None:
        return
    shape = f"the file of rates has the columns {', '.join(_COLUMNS)}, with days such as 2024-05-31 and rates above 0"
    try:
        con.execute(
            "create or replace temp table rates_as_written as select row_number() over () + 1 as line_number, * from "
            "read_csv(?, header = true, all_varchar = true, delim = ',')",
            [str(rates.path)],
        )
        bad = con.execute(
            "select line_number from rates_as_written where try_cast(day as date) is null"
            " or coalesce(try_cast(rate as decimal(18,8)), 0) <= 0 or trim(coalesce(currency, '')) = ''"
            " order by 1 limit 1"
        ).fetchone()
    except duckdb.IOException:
        raise UserError(
            f"the file of rates {rates.path} is not there", "correct `rates`, or put the file there"
        ) from None
    except (duckdb.BinderException, duckdb.InvalidInputException) as error:
        raise UserError(f"{rates.path} cannot be read as rates: {str(error).splitlines()[0]}", shape) from None
    if bad is not None:
        raise UserError(f"{rates.path} line {bad[0]}: not a currency, a day and a rate above 0", shape)
    con.execute(
        "insert into rates select upper(trim(currency)), cast(day as date), cast(rate as decimal(18,8))"
        " from rates_as_written"
    )


def converted_sql(rows: str, keys: ColumnKeys, entity: Entity, rates: Rates | None) -> str:
    """Query: `rows` with the columns `rate_currency` and `rate`; as they are where nothing is converted."""
    if rates is None or entity.event is None and entity.name != "balances":
        return f"select * from {rows}"
    own = "null" if rates.own is None else literal(rates.own.upper())
    currency = f"coalesce(upper(typed_currency), {own})" if "currency" in keys.columns else own
    day = "typed_day" if entity.name == "balances" else f"typed_{entity.event}"
    return f"""
        select
            named.*,
            case
                when named.rate_currency = {literal(rates.base)} then 1
                when cast({day} as date) - rates.day <= {MAX_RATE_AGE_DAYS} then rates.rate
            end as rate
        from (select *, {currency} as rate_currency from {rows}) as named
        asof left join rates on named.rate_currency = rates.currency and cast(named.{day} as date) >= rates.day
    """


def rate_rules(keys: ColumnKeys, rates: Rates | None) -> Sequence[Rule]:
    """Money without a rate is no money, and neither is what no rate can make true."""
    if rates is None or not {"amount", "balance"} & set(keys.columns):
        return ()
    found = [
        Rule(
            "currency_without_rate",
            "rate is null",
            f"concat('no rate into {rates.base} of ', coalesce(rate_currency, 'an unnamed currency'), "
            f"' on its day or in the {MAX_RATE_AGE_DAYS} days before')",
        )
    ]
    if "amount" in keys.columns:
        found.append(
            Rule(
                "amount_out_of_range",
                f"abs(cast(final_amount as double) * rate) >= {LARGEST_AMOUNT}",
                literal("amount is too large to be true"),
            )
        )
    return found
