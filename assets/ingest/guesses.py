"""What a sample suggests when a mapping does not fit it: another date format, a decimal comma, a till's shared id.

In: a connection with the views `records`, `record_texts` and the table `converted` of one sampled file. Out: hints,
sentences for the person who writes the mapping. A hint never changes how a file is read.
"""

from collections.abc import Iterator, Sequence
from datetime import date

import duckdb

from assets.ingest.canonical import ENTITIES, Column, Entity
from assets.ingest.mapping.columns import given_sql
from assets.ingest.mapping.duplicates import is_keyed
from assets.ingest.mapping.moments import NAMED_FORMATS, Clock, moment_sql
from assets.ingest.mapping.numbers import Decimal, NumberKeys, Thousands, number_sql
from assets.ingest.mapping.rules import LEFT_OUT
from assets.ingest.mapping.source import TableMapping
from assets.ingest.missing_values import guess_missing
from assets.ingest.records.records import Records
from assets.shared.quoting import literal
from assets.shared.warehouse import fetch_row, fetch_value

#: A sample value set is judged by this many of its values.
SAMPLE_VALUES = 2000
#: A guess is worth saying when it reads at least this share of the values.
CONVINCING_SHARE = 0.9
#: One 'customer' with this share of all lines is a till, a guest account or a default.
SHARED_ID_SHARE = 0.2
#: One order is one customer's; a few are typing errors.
MIXED_ORDER_SHARE = 0.01
#: Where the newest day of serial numbers is older than so many days, they may be counted from another day.
YEARS_AGO = 1100
#: A newest day this far after the one before it is a typing error.
LONELY_DAY_GAP = 366

#: Days by numbers, and with the month as a word.
NUMBERED_DAYS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%Y/%m/%d", "%Y%m%d", "%d.%m.%y",
         "%m/%d/%y", "%d/%m/%y", "%y%m%d", "%m-%d-%Y", "%d-%m-%y", "%Y.%m.%d", "%Y年%m月%d日")  # fmt: skip
NAMED_DAYS = ("%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d %B %Y", "%B %d, %Y", "%d-%b-%y", "%d %b %y", "%d/%b/%Y",
         "%d.%b.%Y", "%d. %B %Y", "%d-%B-%Y", "%d.%b.%y", "%d. %b %Y", "%d de %B de %Y", "%b-%d-%Y", "%Y-%b-%d",
         "%a, %d %b %Y", "%A, %B %d, %Y", "%a %d %b %Y", "%b %d %Y")  # fmt: skip
DAY_FORMATS = (*NUMBERED_DAYS, *NAMED_DAYS)
TIME_FORMATS = ("", " %H:%M:%S", " %H:%M", "T%H:%M:%S", " %H:%M:%S.%f", " %I:%M:%S %p", " %I:%M %p")
#: Days and times without anything between.
COMPACT_FORMATS = ("%Y%m%d%H%M%S", "%Y%m%d%H%M", "%Y%m%dT%H%M%S")
NUMBER_WRITINGS: tuple[tuple[Decimal, Thousands | None], ...] = (
    (".", None),
    (",", None),
    (",", "."),
    (".", ","),
    (",", " "),
    (".", " "),
    (".", "'"),
)


def guess_settings(
    con: duckdb.DuckDBPyConnection, records: Records, entity: Entity, table: TableMapping
) -> Iterator[str]:
    """Hints about one sampled file, the ones about unreadable values first."""
    failing = dict(con.execute("select rule, count(*) from converted where rule is not null group by all").fetchall())
    for column in entity.columns:
        mapping = table.columns.get(column.name)
        if mapping is None or mapping.constant is not None:
            continue
        if column.kind in ("timestamp", "date"):
            yield from _dates(con, records, table, column, f"{column.name}_not_a_date" in failing)
        elif column.kind == "number":
            yield from _numbers(con, records, table, column, f"{column.name}_not_a_number" in failing)
        elif f"{column.name}_not_allowed" in failing:
            yield _values_to_translate(con, records, table, column)
    yield from guess_missing(con, records, table, failing)
    if entity.name == "transactions":
        yield from _sales(con, records, table)
        yield from _days(con)
        yield from _years_ago(con, table)
    if not is_keyed(entity, table):
        yield from _repetitions(con, entity, table)
    yield from _no_effect(con, table)
    yield from _left_out(records, entity, table)
    yield from _garbled(con)


def guess_together(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    """Hints from the ids of all sampled files, in the table `sampled_ids` (entity, customer_id)."""
    others = con.execute(
        """
        select entity, count(distinct customer_id),
            count(distinct customer_id) filter (
                customer_id in (select customer_id from sampled_ids where entity = 'transactions')
            )
        from sampled_ids
        where entity <> 'transactions' group by all order by entity
        """
    ).fetchall()
    for entity, n_ids, n_shared in others:
        if n_ids >= 20 and n_shared == 0:
            yield (
                f"none of the {n_ids} sampled customers of {entity} is among the sampled transactions' customers: do "
                "both files write the id alike (leading zeros, prefixes)?"
            )


# -- Values that cannot be read ---------------------------------------------------------------------------------------


def _texts(con: duckdb.DuckDBPyConnection, records: Records, table: TableMapping, column: Column) -> None:
    """Table `guessed` (given): distinct values of the column as text."""
    con.execute(
        f"""
        create or replace temp table guessed as
        select distinct given from (
            select cast({given_sql(records.raw, table, column)} as varchar) as given
            from records where shape_rule is null
        )
        where given is not null limit {SAMPLE_VALUES}
        """
    )


def _shares(con: duckdb.DuckDBPyConnection, readings: Sequence[str]) -> list[float]:
    """Share of `guessed` that each expression reads."""
    counts = ", ".join(f"count({reading})" for reading in readings)
    total, *read = fetch_row(con, f"select count(*), {counts} from guessed")
    return [n / total if total else 0.0 for n in read]


def _dates(
    con: duckdb.DuckDBPyConnection, records: Records, table: TableMapping, column: Column, is_failing: bool
) -> Iterator[str]:
    formats = table.columns[column.name].date_format or table.date_format
    swapped = [f for f in formats if "%d" in f and "%m" in f and not f.lower().startswith("%y")]
    if not is_failing and not swapped:
        return
    _texts(con, records, table, column)
    if is_failing:
        candidates = [*(day + time for day in DAY_FORMATS for time in TIME_FORMATS), *COMPACT_FORMATS]
        named = [f for f in NAMED_FORMATS if f not in formats]
        readings = [f"try_strptime(given, {literal(f)})" for f in candidates]
        # Only moments of the computer age: any small number would be some second of 1970.
        readings += [
            f"case when year({m}) between 1980 and 2100 then {m} end"
            for m in (moment_sql("given", "VARCHAR", (f,), Clock()) for f in named)
        ]
        shares = dict(zip([*candidates, *named], _shares(con, readings), strict=True))
        best = max(shares.values())
        fitting = [f for f, share in shares.items() if share == best and f not in formats]
        if best >= CONVINCING_SHARE and fitting:
            yield (
                f"{column.name}: {best:.0%} of the sampled values look like {' or '.join(fitting[:2])}, but the "
                f"mapping says {' or '.join(formats)}: set `date_format`"
            )
        elif best > 0.05 and fitting:
            yield f"{column.name}: {best:.0%} of the values look like {fitting[0]}: add it to the list in `date_format`"
        return
    for text in swapped:
        other = text.replace("%d", "%x").replace("%m", "%d").replace("%x", "%m")
        share = _shares(con, [f"try_strptime(given, {literal(other)})"])[0]
        n = fetch_value(con, "select count(*) from guessed")
        if share == 1 and n >= 10:
            yield f"{column.name}: every sampled date fits {text} and {other} alike: make sure which is meant"


def _numbers(
    con: duckdb.DuckDBPyConnection, records: Records, table: TableMapping, column: Column, is_failing: bool
) -> Iterator[str]:
    _texts(con, records, table, column)
    if is_failing:
        readings = [number_sql("given", NumberKeys(decimal=d, thousands=t), column.type) for d, t in NUMBER_WRITINGS]
        shares = _shares(con, readings)
        best = max(shares)
        decimal, thousands = NUMBER_WRITINGS[shares.index(best)]
        if best >= CONVINCING_SHARE and (decimal, thousands) != (table.decimal, table.thousands):
            also = f' and `thousands: "{thousands}"`' if thousands else ""
            yield f'{column.name}: {best:.0%} of the values can be read with `decimal: "{decimal}"`{also}'
    elif table.decimal == "." and not table.thousands:
        # 1.234 in a column where every value looks like that is more likely a thousand than one and a bit.
        share = _shares(con, ["case when regexp_full_match(given, '-?[0-9]{1,3}\\.[0-9]{3}') then 1 end"])[0]
        n = fetch_value(con, "select count(*) from guessed")
        if share >= CONVINCING_SHARE and n >= 20 and column.name != "quantity":
            yield (
                f"{column.name}: nearly every value has three digits after the point; if the point separates "
                'thousands, set `decimal: ","` and `thousands: "."`'
            )


def _values_to_translate(con: duckdb.DuckDBPyConnection, records: Records, table: TableMapping, column: Column) -> str:
    _texts(con, records, table, column)
    found = [row[0] for row in con.execute("select given from guessed order by given limit 12").fetchall()]
    return (
        f"{column.name}: the file says {', '.join(found)}; translate into {', '.join(column.allowed)} with "
        f"`{column.name}: {{column: …, values: {{{found[0]}: {column.allowed[0]}}}}}`"
    )


# -- Values that can be read, but may not mean what the mapping says ------------------------------------------------


def _sales(con: duckdb.DuckDBPyConnection, records: Records, table: TableMapping) -> Iterator[str]:
    n, n_negative, n_returns, n_minus, largest, id_ = fetch_row(
        con,
        """
        select
            count(*), count(*) filter (amount < 0), count(*) filter (is_return),
            count(*) filter (quantity < 0),
            (select max(n) from (select count(*) as n from converted where rule is null group by customer_id)),
            (select mode(customer_id) from converted where rule is null)
        from converted where rule is null
        """,
    )
    if n == 0:
        return
    if table.returns == "none" and (n_negative or n_minus):
        yield (
            f"`returns: none`, but {max(n_negative, n_minus):,} sampled rows are negative: they lower sales and count "
            "as no return; use `returns: negative_amount` if they are returns"
        )
    if table.returns in ("negative_amount", "negative_quantity") and not n_returns:
        yield f"`returns: {table.returns}`, but no sampled row is negative: is another column the sign of a return?"
    if table.return_flag:
        alias = records.raw[table.return_flag.column][0]
        found = [
            row[0]
            for row in con.execute(
                f"select cast({alias} as varchar) as v from records where {alias} is not null group by v "
                "order by count(*) desc, v limit 8"
            ).fetchall()
        ]
        if not n_returns:
            yield (
                f"no sampled row is a return: column {table.return_flag.column!r} holds {', '.join(found)}, and the "
                f"mapping takes {', '.join(table.return_flag.values)} for a return"
            )
    if largest > SHARED_ID_SHARE * n and n >= 200:
        yield (
            f"customer {id_!r} has {largest / n:.0%} of the sampled rows: if it stands for unknown buyers, leave it "
            f"out with `accounts: {{exclude: [{id_!r}]}}`"
        )
    if not is_keyed(ENTITIES["transactions"], table):
        yield "no line_id is mapped: nothing is deduplicated, so files must not overlap"
    n_mixed, n_orders = fetch_row(
        con,
        "select count(*) filter (who > 1), count(*) from (select count(distinct customer_id) as who from converted"
        " where rule is null and order_id is not null group by cast(occurred_at as date), order_id)",
    )
    if n_mixed > MIXED_ORDER_SHARE * n_orders:
        yield (
            f"{n_mixed:,} of {n_orders:,} sampled orders have several customers: does each till number its receipts "
            "from 1? Then lines of one number and day replace each other; map `order_id: {columns: [store, receipt]}`"
        )
    if "order_id" not in table.columns:
        yield "no order_id is mapped: an order is what one customer bought on one day"


def _days(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    row = con.execute(
        """
        with days as (
            select cast(occurred_at as date) as day, count(*) as n from converted where rule is null group by all
        ),
        gaps as (select day, n, day - lag(day) over (order by day) as gap from days)
        select day, n, gap from gaps where gap > ? order by day desc limit 1
        """,
        [LONELY_DAY_GAP],
    ).fetchone()
    if row is not None:
        yield (
            f"no sampled row lies in the {row[2]} days before {row[0]}: if later dates are mistakes, set "
            "`complete_through` to the last true day"
        )


def _years_ago(con: duckdb.DuckDBPyConnection, table: TableMapping) -> Iterator[str]:
    """Serial days that lie four years too early: some spreadsheets count from 1904."""
    if "excel_serial" not in (table.columns["occurred_at"].date_format or table.date_format):
        return
    newest = fetch_value(con, "select cast(max(occurred_at) as date) from converted where rule is null")
    if newest is not None and (date.today() - newest).days > YEARS_AGO:
        yield (
            f"the newest day is {newest}: if that is four years too early, the spreadsheet counts from 1904; say"
            " date_format: excel_serial_1904"
        )


def _repetitions(con: duckdb.DuckDBPyConnection, entity: Entity, table: TableMapping) -> Iterator[str]:
    if table.exact_duplicates == "quarantine":
        return
    n = fetch_value(con, "select count(*) - count(distinct raw_text) from record_texts")
    if n:
        yield (
            f"{n:,} sampled rows repeat another row exactly and are kept; set `exact_duplicates: quarantine` if a row "
            "cannot truly happen twice"
        )


def _no_effect(con: duckdb.DuckDBPyConnection, table: TableMapping) -> Iterator[str]:
    """Keys that are there for some rows and met none."""
    n_left_out = fetch_value(con, "select count(*) from converted where rule = ?", [LEFT_OUT])
    keys = [name for name, used in (("where", table.where is not None), ("footer", bool(table.footer))) if used]
    if keys and not n_left_out:
        named = " or ".join(f"`{key}`" for key in keys)
        yield f"no sampled row is left out by {named}: are its words those of the file?"


def _left_out(records: Records, entity: Entity, table: TableMapping) -> Iterator[str]:
    names = {name.casefold(): name for name in records.unmapped}
    alike = sorted(names[n] for n in entity.names if n in names and n not in table.columns)
    if alike:
        yield f"not mapped, though named like canonical columns: {', '.join(alike)}"


def _garbled(con: duckdb.DuckDBPyConnection) -> Iterator[str]:
    n = fetch_value(
        con, "select count(*) from record_texts where regexp_matches(raw_text, '\\x{fffd}|\\x{c3}[\\x{80}-\\x{bf}]')"
    )
    if n:
        yield f"{n:,} sampled rows hold characters such as Ã¼ or �: the file's `encoding` is probably another one"
