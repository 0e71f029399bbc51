"""Raw text becomes canonical values, or a reason in words why it cannot.

In: the view `records` of a connection and the mapping of one entity. Out: the temporary table `converted`
(line_number, the entity's canonical columns, rule, reason), one row a record; `rule` is NULL for accepted rows. A row
breaks one rule at most: the first of the order below. Files, folders and the ledger do not belong here.

Rules: `repeated_header`, `nul_byte`, `malformed_quotes`, `wrong_number_of_columns`; for a column c `c_missing`,
`c_not_a_number`, `c_not_finite`, `c_out_of_range`, `c_not_a_date`, `c_not_allowed`, `c_skipped_by_the_clock`;
`duplicate_row`, `duplicate_same_content`, `duplicate_different_content`.
"""

from dataclasses import dataclass

import duckdb

from assets.ingest.canonical import FIRST_BIRTH_YEAR, FIRST_YEAR, LAST_YEAR, Column, Entity
from assets.ingest.mapping import ColumnMapping, TableMapping
from assets.ingest.records import Records
from assets.shared.quoting import literal, literals

_INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT")


@dataclass(frozen=True)
class Reading:
    """What of a source, beyond one table's mapping, decides how its values are read."""

    batch_id: str
    time_zone: str | None = None
    currency: str | None = None


def convert_records(
    con: duckdb.DuckDBPyConnection, records: Records, entity: Entity, table: TableMapping, reading: Reading
) -> None:
    """Make the table `converted` from the view `records`. Raises nothing for bad values: they become rules."""
    mapped = [column for column in entity.columns if column.name in table.columns]
    given = [f"{given_sql(records, table, column)} as given_{column.name}" for column in mapped]
    if table.return_flag:
        given.append(f"{_flag(records, table)} as given_is_return")
    typed = [f"{_typed(records, table, column, reading)} as typed_{column.name}" for column in mapped]
    final = [
        f"cast({_final(entity, table, column, reading)} as {column.type}) as {column.name}" for column in entity.columns
    ]
    rules = [rule for column in mapped for rule in _value_rules(records, table, column, reading)]
    rules += _sales_rules(table)
    cases = "\n".join(f"when {condition} then {literal(rule)}" for rule, condition, _ in rules)
    reasons = "\n".join(f"when {literal(rule)} then {reason}" for rule, _, reason in rules)
    con.execute(
        f"""
        create or replace temp table converted as
        with given as (
            select line_number, shape_rule, shape_reason, {", ".join(given)} from records
        ),
        typed as (
            select *, {", ".join(typed)} from given
        ),
        amounted as (
            select *, {_amount(entity, table)} as final_amount from typed
        ),
        judged as (
            select *, case when shape_rule is not null then shape_rule {cases} end as rule from amounted
        )
        select
            line_number,
            {", ".join(final)},
            rule,
            case rule when shape_rule then shape_reason {reasons} end as reason
        from judged
        """
    )
    _mark_duplicates(con, entity, table)


def is_keyed(entity: Entity, table: TableMapping) -> bool:
    """Does the source name each row, so that the same row delivered twice can be told from two rows?"""
    return entity.id_column is not None and entity.id_column in table.columns


# -- What the file gives --------------------------------------------------------------------------------------------


def given_sql(records: Records, table: TableMapping, column: Column) -> str:
    """The value as the file has it: text trimmed, with empty and null words as NULL; typed Parquet values untouched."""
    mapping = table.columns[column.name]
    if mapping.constant is not None:
        return literal(mapping.constant)
    present = [records.raw[ref] for ref in mapping.columns if ref in records.raw]
    if len(mapping.columns) == 1 and present and _is_typed(records, column, mapping):
        return present[0][0]
    parts = [_text_of(table, alias, kind) for alias, kind in present]
    if not parts:
        return "cast(null as varchar)"
    joined = parts[0] if len(parts) == 1 else f"nullif(concat_ws({literal(mapping.separator)}, {', '.join(parts)}), '')"
    if mapping.values:
        arms = " ".join(f"when {literal(key.casefold())} then {literal(to)}" for key, to in mapping.values.items())
        joined = f"case lower({joined}) {arms} else {joined} end"
    joined = _normalised(joined, mapping.normalise)
    if column.kind == "code" or mapping.case == "lower":
        return f"lower({joined})"
    return f"upper({joined})" if mapping.case == "upper" else joined


#: Letters of other scripts that look like Latin ones, and those: Cyrillic, then Greek.
_LOOK_ALIKES = (
    "АВЕЅІЈКМНОРСТУХаеорсухіѕј" + "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο",
    "ABESIJKMHOPCTYXaeopcyxisj" + "ABEZHIKMNOPTYXo",
)
#: Digits, letters and signs in the width of a Chinese character (U+FF01 to U+FF5E), and the ordinary ones.
_WIDE = ("".join(map(chr, range(0xFF01, 0xFF5F))) + "\u3000", "".join(map(chr, range(0x21, 0x7F))) + " ")
#: Soft hyphen, zero-width characters, direction marks, byte order mark: nobody sees them.
_INVISIBLE = "[\\x{ad}\\x{200b}-\\x{200f}\\x{202a}-\\x{202e}\\x{2060}\\x{feff}]"


def _normalised(text: str, ways: tuple[str, ...]) -> str:
    """The value in one spelling, in the order of `mapping.NORMALISATIONS`; letters that look alike come after width,
    blanks after both."""
    is_ascii = f"regexp_full_match({text}, '[\\x00-\\x7f]*')"
    other = text
    if "nfc" in ways:
        other = f"nfc_normalize({other})"
    if "width" in ways:
        other = f"trim(translate({other}, {literal(_WIDE[0])}, {literal(_WIDE[1])}))"
    if "invisible" in ways:
        other = f"regexp_replace({other}, '{_INVISIBLE}', '', 'g')"
    if "look_alikes" in ways:
        other = f"translate({other}, {literal(_LOOK_ALIKES[0])}, {literal(_LOOK_ALIKES[1])})"
    if other != text:
        # Nearly every id is plain; only the others pay.
        text = f"case when {is_ascii} then {text} else {other} end"
    if "inner_blanks" in ways:
        text = f"regexp_replace({text}, '[ \\t\\x{{a0}}]+', '', 'g')"
    if "leading_zeros" in ways:
        bare = f"regexp_replace({text}, '^0+(.)', '\\1')"
        text = f"case when regexp_full_match({text}, '0+[0-9]+') then {bare} else {text} end"
    return f"nullif({text}, '')" if ways else text


def _is_typed(records: Records, column: Column, mapping: ColumnMapping) -> bool:
    """Can the column be used by its own type, without going through text?"""
    kind = records.raw[mapping.columns[0]][1] if mapping.columns[0] in records.raw else "VARCHAR"
    if mapping.values:
        return False
    if column.kind == "number":
        return kind in (*_INTEGERS, "FLOAT", "DOUBLE") or kind.startswith("DECIMAL")
    return column.kind in ("timestamp", "date") and _is_temporal(kind)


def _is_temporal(kind: str) -> bool:
    return kind == "DATE" or kind.startswith("TIMESTAMP")


def _text_of(table: TableMapping, alias: str, kind: str) -> str:
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
    if table.null_values:
        return f"case when {trimmed} not in {literals(table.null_values)} then {trimmed} end"
    return trimmed


def _flag(records: Records, table: TableMapping) -> str:
    flag = table.return_flag
    alias, kind = records.raw[flag.column]
    values = literals(value.casefold() for value in flag.values)
    return f"coalesce(lower({_text_of(table, alias, kind)}) in {values}, false)"


# -- Typed values ---------------------------------------------------------------------------------------------------


def _typed(records: Records, table: TableMapping, column: Column, reading: Reading) -> str:
    given = f"given_{column.name}"
    mapping = table.columns[column.name]
    kind = (
        records.raw[mapping.columns[0]][1]
        if len(mapping.columns) == 1 and mapping.columns[0] in records.raw and _is_typed(records, column, mapping)
        else "VARCHAR"
    )
    if column.kind == "number":
        value = f"try_cast({given} as {column.type})" if kind != "VARCHAR" else number_sql(given, table, column.type)
        return f"case when isfinite({value}) then {value} end" if column.type == "double" else value
    if column.kind in ("timestamp", "date"):
        formats = mapping.date_format or table.date_format
        value = moment_sql(given, kind, formats, table.file_time_zone, reading.time_zone, column.kind)
        if column.open_end:
            value = f"case when year({value}) <= {LAST_YEAR} then {value} end"
        return value
    return given


def number_sql(text: str, table: TableMapping, type_: str) -> str:
    """Expression: the number written in `text`, or NULL. Also read: a currency sign, `(5.00)` and `5.00-` for
    negative numbers, thousands separators where the mapping names one and they stand in groups of three."""
    point = f"replace({text}, ',', '.')" if table.decimal == "," else text
    # The other mark must not be taken for a decimal point: 1.234 is no number where the comma is decimal.
    is_plain = f"regexp_full_match({text}, {literal(_PLAIN[table.decimal])})"
    plain = f"try_cast(case when {is_plain} then {point} end as {type_})"
    # Written so that the engine, which computes a repeated expression for every row, gets NULL for plain numbers.
    bare = f"regexp_replace(case when not {is_plain} then {text} end, '[\\p{{Sc}}]', '')"
    sign = f"regexp_matches({bare}, '^\\s*[-\\x{{2212}}(]|-\\s*$')"
    unsigned = f"regexp_replace({bare}, '^\\s*[-+\\x{{2212}}(]?\\s*|\\s*[-)]?\\s*$', '', 'g')"
    group = {" ": "[ \\x{a0}\\x{202f}]", "'": "['’]", "’": "['’]", ".": "\\.", ",": ","}.get(table.thousands or "")
    whole = f"(?:[0-9]+|[0-9]{{1,3}}(?:{group}[0-9]{{3}})+)" if group else "[0-9]+"
    mark = "," if table.decimal == "," else "\\."
    shape = literal(f"(?:{whole}(?:{mark}[0-9]*)?|{mark}[0-9]+)")
    digits = f"regexp_replace({unsigned}, {literal(group)}, '', 'g')" if group else unsigned
    digits = f"replace({digits}, ',', '.')" if table.decimal == "," else digits
    other = (
        f"case when regexp_full_match({unsigned}, {shape}) "
        f"then try_cast(concat(case when {sign} then '-' else '' end, {digits}) as {type_}) end"
    )
    return f"coalesce({plain}, {other})"


#: A number without ornaments, by decimal mark.
_PLAIN = {
    ".": r"[-+]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]{1,3})?",
    ",": r"[-+]?(?:[0-9]+(?:,[0-9]*)?|,[0-9]+)(?:[eE][-+]?[0-9]{1,3})?",
}


def moment_sql(
    given: str, kind: str, formats: tuple[str, ...], file_zone: str | None, zone: str | None, wanted: str
) -> str:
    """Expression: the moment in `given` (a value of DuckDB type `kind`) as the business's wall clock, or NULL.

    What carries its own offset is converted to `zone` (UTC when none is named). What carries none is kept as
    written, unless the file's clock is another one: then it is read in `file_zone` and converted; a time that the
    file's clock skipped in spring is read an hour later. A bare date is a day of the business and never shifted.
    """
    to = literal(zone or "UTC")

    def aware(value: str) -> str:
        return f"timezone({to}, {value})"

    def naive(value: str) -> str:
        if wanted == "date" or file_zone in (None, zone):
            return value
        return f"timezone({to}, timezone({literal(file_zone)}, {value}))"

    if kind == "DATE":
        value = f"cast({given} as timestamp)"
    elif kind == "TIMESTAMP WITH TIME ZONE":
        value = aware(given)
    elif _is_temporal(kind):
        value = naive(f"cast({given} as timestamp)")
    else:
        readings = []
        for text in formats:
            if text == "iso":
                offset = f"regexp_matches({given}, ':[0-9.,]+ ?(?:[zZ]|[-+][0-9]{{2}}(?::?[0-9]{{2}})?)$')"
                # The engine also reads words such as 'epoch', and passes over words after the time: 'PM' would be lost.
                is_iso = f"regexp_full_match({given}, '[0-9]{{4}}[-/][0-9][-+/0-9:., TtZz]*')"
                iso = f"case when {is_iso} then {given} end"
                day_or_time = (
                    f"case when contains({given}, ':') then {naive(f'try_cast({iso} as timestamp)')} "
                    f"else try_cast({iso} as timestamp) end"
                )
                with_offset = aware(f"try_cast(regexp_replace({iso}, ' +([-+zZ])', '\\1') as timestamptz)")
                readings.append(f"case when {offset} then {with_offset} else {day_or_time} end")
            elif text in ("unix_seconds", "unix_milliseconds"):
                seconds = f"try_cast({given} as double)" + (" / 1000" if text == "unix_milliseconds" else "")
                bounded = f"case when {seconds} between -5e9 and 1e10 then {seconds} end"
                readings.append(aware(f"to_timestamp({bounded})"))
            else:
                parsed = f"try_strptime({given}, {literal(text)})"
                if "%z" in text or "%Z" in text:
                    parsed = aware(parsed)
                elif any(part in text for part in ("%H", "%I", "%-H", "%-I", "%c", "%X")):
                    parsed = naive(parsed)
                readings.append(parsed)
        value = f"coalesce({', '.join(readings)})"
    return f"cast({value} as date)" if wanted == "date" else f"cast({value} as timestamp)"


# -- Rules ----------------------------------------------------------------------------------------------------------

#: Ten thousand million in one line, in any currency, is a total row or a wrong decimal sign.
LARGEST_AMOUNT = 10**10

Rule = tuple[str, str, str]  # name, condition, reason (both SQL)


def _value_rules(records: Records, table: TableMapping, column: Column, reading: Reading) -> list[Rule]:
    """Rules of one mapped column, in the order in which they are tried."""
    name, given, typed = column.name, f"given_{column.name}", f"typed_{column.name}"
    said = f"left(cast({given} as varchar), 60)"
    rules: list[Rule] = []
    is_needed = column.required or name in ("order_id", "line_id", "contact_id")
    if is_needed:
        rules.append((f"{name}_missing", f"{given} is null", literal(f"{name} is missing")))
    if column.kind == "number":
        as_double = f"try_cast({given} as double)"
        words = literals(("nan", "inf", "infinity", "-inf", "-infinity", "+inf"))
        limit = {"decimal(18,4)": "1e14", "decimal(18,3)": "1e15", "bigint": "9e18", "double": "1e308"}[column.type]
        unread = f"{given} is not null and {typed} is null"
        rules += [
            (
                f"{name}_not_finite",
                f"{unread} and lower(cast({given} as varchar)) in {words}",
                f"concat('{name} is not a finite number: ', {said})",
            ),
            (
                f"{name}_out_of_range",
                f"{unread} and abs({as_double}) >= {limit}",
                f"concat('{name} is too large to be true: ', {said})",
            ),
            (f"{name}_not_a_number", unread, f"concat('{name} is not a number: ', {said})"),
        ]
    elif column.kind in ("timestamp", "date"):
        first = FIRST_BIRTH_YEAR if name == "birth_date" else FIRST_YEAR
        if column.open_end:
            # NULL may also mean 'no end' here; only what cannot be read at all is an error.
            unread = f"{given} is not null and {typed} is null and not coalesce({_far(given)}, false)"
        else:
            unread = f"{given} is not null and {typed} is null"
        formats = " or ".join(table.columns[name].date_format or table.date_format)
        rules += [
            (
                f"{name}_not_a_date",
                unread,
                f"concat('{name} is not a date of the form ', {literal(formats)}, ': ', {said})",
            ),
            (
                f"{name}_out_of_range",
                f"{typed} is not null and (not isfinite({typed}) or year({typed}) not between {first} and {LAST_YEAR})",
                f"concat('{name} is before {first} or after {LAST_YEAR}: ', {said})",
            ),
        ]
        if table.skipped_times == "quarantine" and column.kind == "timestamp" and reading.time_zone:
            zone = literal(reading.time_zone)
            # There and back again: a time that the clocks skipped does not return to itself.
            rules.append(
                (
                    f"{name}_skipped_by_the_clock",
                    f"timezone({zone}, timezone({zone}, {typed})) <> {typed}",
                    f"concat('{name} lies in the hour that the clocks skipped in spring: ', {said})",
                )
            )
        if name == "occurred_at":
            # One purchase dated ahead would make everybody else look silent until then. A day's grace: zones.
            rules.append(
                (
                    f"{name}_in_the_future",
                    f"{typed} > cast(now() at time zone 'UTC' as timestamp) + interval 1 day",
                    f"concat('{name} lies in the future: ', {said})",
                )
            )
    elif column.allowed:
        rules.append(
            (
                f"{name}_not_allowed",
                f"{given} not in {literals(column.allowed)}",
                f"concat('{name} is none of {', '.join(column.allowed)}: ', {said})",
            )
        )
    return rules


def _far(given: str) -> str:
    """Is the value a date beyond the last year, such as 9999-12-31? Its digits tell, whatever its format."""
    return f"regexp_matches(cast({given} as varchar), '(?:^|[^0-9])(?:9999|2[2-9][0-9]{{2}}|[3-9][0-9]{{3}})|infinity')"


def _sales_rules(table: TableMapping) -> list[Rule]:
    if "amount" not in table.columns:
        return []
    rules: list[Rule] = []
    if table.amount_is == "unit_price":
        rules.append(
            (
                "quantity_missing",
                "given_quantity is null",
                literal("quantity is missing, so unit price times quantity is unknown"),
            )
        )
    rules.append(
        (
            "amount_out_of_range",
            f"typed_amount is not null and (final_amount is null or abs(final_amount) >= {LARGEST_AMOUNT})",
            literal("amount is too large to be true"),
        )
    )
    return rules


# -- Canonical values -----------------------------------------------------------------------------------------------


def _amount(entity: Entity, table: TableMapping) -> str:
    """The line's amount from price, quantity and discount, as the mapping says."""
    if entity.name != "transactions" or "amount" not in table.columns:
        return "null"
    if table.amount_is == "line_total" and table.discount_deducted:
        return "typed_amount"
    # One digit more than needed: up to 18 the engine computes in 64 bits and stops at the first overflow.
    amount = "cast(typed_amount as decimal(19,4))"
    if table.amount_is == "unit_price":
        amount = f"{amount} * typed_quantity"
    if not table.discount_deducted:
        amount = f"{amount} - coalesce({_discount(table)}, 0)"
    return f"try_cast({amount} as decimal(18,4))"


def _discount(table: TableMapping) -> str:
    return "-typed_discount_amount" if table.discount_sign == "negative" else "typed_discount_amount"


def _final(entity: Entity, table: TableMapping, column: Column, reading: Reading) -> str:
    name = column.name
    is_mapped = name in table.columns
    if entity.name == "transactions":
        if name == "amount" and is_mapped:
            return "final_amount"
        if name == "discount_amount" and is_mapped:
            return _discount(table)
        if name == "is_return":
            return _is_return(table)
        if name == "order_id" and not is_mapped and {"customer_id", "occurred_at"} <= set(table.columns):
            # Without order numbers an order is what one customer bought on one day.
            return "concat(given_customer_id, '@', cast(cast(typed_occurred_at as date) as varchar))"
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


def _is_return(table: TableMapping) -> str:
    if table.return_flag:
        return "given_is_return"
    if table.returns == "negative_amount":
        return "final_amount < 0"
    if table.returns == "negative_quantity":
        return "coalesce(typed_quantity < 0, false)"
    return "false" if table.returns == "none" else "null"


# -- Duplicates -----------------------------------------------------------------------------------------------------


def _mark_duplicates(con: duckdb.DuckDBPyConnection, entity: Entity, table: TableMapping) -> None:
    """Of accepted rows with one key the first in the file stays; the others get a rule. Rows without an id of their
    own are only compared as a whole, and only where the mapping asks for it."""
    if is_keyed(entity, table) and entity.key:
        _mark_by_key(con, entity)
    elif table.exact_duplicates == "quarantine":
        con.execute(
            """
            update converted set
                rule = 'duplicate_row',
                reason = concat('the same row stands in line ', repeated.first_line)
            from (
                select line_number, min(line_number) over (partition by raw_text) as first_line
                from record_texts
            ) as repeated
            where repeated.line_number = converted.line_number
                and repeated.first_line < converted.line_number
                and converted.rule is null
            """
        )


def _mark_by_key(con: duckdb.DuckDBPyConnection, entity: Entity) -> None:
    keys = [f"key_{at}" for at in range(len(entity.key))]
    expressions = ", ".join(f"{expression} as {key}" for expression, key in zip(entity.key, keys, strict=True))
    same = " and ".join(f"keyed.{key} is not distinct from repeated.{key}" for key in keys)
    # Grouping finds the few repeated keys first; only their rows are compared.
    con.execute(
        f"""
        create or replace temp table duplicates as
        with keyed as (
            select line_number, {expressions}, row({", ".join(entity.names)}) as content
            from converted where rule is null
        ),
        repeated as (
            select {", ".join(keys)} from keyed group by all having count(*) > 1
        ),
        members as (
            select
                keyed.line_number,
                first_value(keyed.line_number) over kept as kept_line,
                keyed.content is not distinct from first_value(keyed.content) over kept as is_same
            from keyed
            inner join repeated on {same}
            window kept as (
                partition by {", ".join(f"keyed.{key}" for key in keys)} order by keyed.line_number
            )
        )
        select line_number, kept_line, is_same from members where line_number > kept_line
        """
    )
    con.execute(
        """
        update converted set
            rule = case when is_same then 'duplicate_same_content' else 'duplicate_different_content' end,
            reason = case
                when is_same then concat('the same row stands in line ', kept_line)
                else concat('its id stands in line ', kept_line, ', with other content')
            end
        from duplicates where duplicates.line_number = converted.line_number
        """
    )
