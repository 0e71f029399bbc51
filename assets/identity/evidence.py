"""Which two records show the same e-mail, phone, loyalty or card number, or national id: the edges between records.

In: `personal.customers` of the sources that say `identity: match`, and the ids of now (`ingest.id_changes`). Out: temp
tables `found_edges` (a pair, a rule, its weight) and `found_records`. No value leaves the statement that compares it.

- A record is an id, under the id that an alias table gives it now. Of each of its ids in each source the newest known
  value counts, so that a correction takes the evidence of the mistake away.
- A value on more records than the guard allows is nobody's: a shop's own number, a shared mailbox.
- E-mail and phone are shared in households: they say nothing of two records whose dates of birth differ, or whose names
  are not alike.
"""

import duckdb

from assets.shared.warehouse import fetch_row

#: What an agreement is worth: how surely two records that share it, and nothing speaks against, are one person. The
#: order decides what is cut first where a person says that two records are apart.
WEIGHTS = {"national_id": 0.999, "loyalty_number": 0.99, "email": 0.97, "phone": 0.9}

#: Rules that a household may share.
_SHARED = ("email", "phone")

#: Names are alike from this similarity (Jaro-Winkler), as written or with their words in the order of the alphabet: one
#: or two letters differ.
NAMES_ALIKE = 0.92

#: Value of each rule under one writing; null where it is none. A phone number is its last nine digits, so that
#: `+49 170 1234567`, `0049170…` and `0170 1234567` are one.
_DIGITS = "regexp_replace(phone, '[^0-9]', '', 'g')"
_SIGNIFICANT = f"ltrim({_DIGITS}, '0')"
_BARE = "upper(regexp_replace(loyalty_number, '[^0-9A-Za-z]', '', 'g'))"
NORMALISED = {
    "national_id": "case when length(national_id) >= 16 then lower(trim(national_id)) end",
    "loyalty_number": f"case when length({_BARE}) >= 4 then {_BARE} end",
    "email": r"case when regexp_full_match(trim(email), '[^@\s]+@[^@\s]+\.[^@\s.]+') then lower(trim(email)) end",
    "phone": f"case when length({_SIGNIFICANT}) >= 7 and translate({_DIGITS}, left({_DIGITS}, 1), '') <> ''"
    f" then right({_SIGNIFICANT}, 9) end",
}

_WORDS = "string_split_regex(trim(lower(full_name)), '[^\\p{L}]+')"
_NAMES = f"[array_to_string({_WORDS}, ''), array_to_string(list_sort({_WORDS}), '')]"

_COLUMNS = ("national_id", "loyalty_number", "email", "phone", "birth_date", "full_name")


def find_evidence(con: duckdb.DuckDBPyConnection, max_records: int) -> dict[str, int]:
    """Write `found_records` (customer_id) and `found_edges` (customer_id, other_customer_id, rule, weight), the smaller
    id of a pair first. max_records: a value on more records is no key.

    Returns counts: records, pairs, guarded values.
    """
    newest = ", ".join(
        f"max_by(personal.{name}, (batches.loaded_at, personal.batch_id)) filter (where personal.{name} is not null)"
        f" as {name}"
        for name in _COLUMNS
    )
    keys = " union all ".join(
        f"select distinct customer_id, '{rule}' as rule, {value} as value from known where {rule} is not null"
        for rule, value in NORMALISED.items()
    )
    weights = " ".join(f"when '{rule}' then {weight}" for rule, weight in WEIGHTS.items())
    con.execute(
        f"""
        create or replace temp table matched_rows as
        select
            coalesce(changes.customer_id, landed.customer_id) as customer_id,
            landed.* exclude (customer_id, source)
        from (
            select personal.source, personal.customer_id, {newest}
            from personal.customers as personal
            left join ingest.batches as batches on personal.batch_id = batches.batch_id
            where personal.customer_id is not null
                and personal.source in (select source from ingest.source_status where is_matched)
            group by personal.source, personal.customer_id
        ) as landed
        left join ingest.id_changes as changes on landed.customer_id = changes.old_customer_id;

        create or replace temp table found_records as select distinct customer_id from matched_rows;

        create or replace temp table matched_keys as
        with known as (from matched_rows),

        keys as ({keys})

        select customer_id, rule, md5(value) as value, count(*) over (partition by rule, value) as n_records
        from keys
        where value is not null
        qualify n_records > 1
        """
    )
    con.execute(
        f"""
        create or replace temp table found_edges as
        with pairs as (
            select distinct one.customer_id, other.customer_id as other_customer_id, one.rule
            from matched_keys as one
            inner join matched_keys as other
                on one.rule = other.rule and one.value = other.value and one.customer_id < other.customer_id
            where one.n_records <= $max_records
        ),

        paired as (
            select customer_id from pairs union select other_customer_id from pairs
        ),

        persons as (
            select
                customer_id,
                list(distinct birth_date) filter (where birth_date is not null) as births,
                flatten(list(distinct {_NAMES}) filter (where full_name is not null)) as names
            from matched_rows
            where customer_id in (from paired)
            group by customer_id
        )

        select
            pairs.customer_id, pairs.other_customer_id, pairs.rule,
            cast(case pairs.rule {weights} end as double) as weight
        from pairs
        left join persons as one on pairs.customer_id = one.customer_id
        left join persons as other on pairs.other_customer_id = other.customer_id
        where pairs.rule not in {_SHARED} or (
            coalesce(list_has_any(one.births, other.births), true)
            and (
                one.names is null or other.names is null
                or list_bool_or(
                    flatten(list_transform(one.names, lambda a: list_transform(
                        other.names, lambda b: jaro_winkler_similarity(a, b) >= {NAMES_ALIKE}
                    )))
                )
            )
        )
        """,
        {"max_records": max_records},
    )
    n_records, n_pairs, n_guarded = fetch_row(
        con,
        "select (select count(*) from found_records),"
        " (select count(*) from (select distinct customer_id, other_customer_id from found_edges)),"
        " (select count(*) from (select distinct rule, value from matched_keys where n_records > $max_records))",
        {"max_records": max_records},
    )
    con.execute("drop table matched_rows; drop table matched_keys")
    return {"records": n_records, "pairs": n_pairs, "guarded_values": n_guarded}
