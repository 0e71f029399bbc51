"""Persons who are erased and come again in an extract: their rows are left out on purpose, and counted.

In: the table `converted` of a landing or a re-drive, with the texts of its rows. Out: rows of erased persons under the
rule of rows left out, so that they are neither accepted nor kept in quarantine. Who is erased is known by keyed
fingerprints only (`assets.shared.erasure_ledger`).
"""

import duckdb

from assets.ingest.canonical import Entity
from assets.ingest.mapping.rules import LEFT_OUT
from assets.shared.erasure_ledger import Fingerprints
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_value

#: Where a field of a raw line ends, whatever its layout: also the quotes and braces of JSON.
FIELD_ENDS = r"""\s*[;,|\t"'{}\[\]:]+\s*|^\s+|\s+$"""


def leave_out_erased(con: duckdb.DuckDBPyConnection, settings: Settings, entity: Entity) -> int:
    """Give rows of erased persons the rule of rows left out; returns how many. A refused row is theirs when one whole
    field of its text is an erased id: its columns may be shifted."""
    fingerprints = Fingerprints.of_home(settings.raw_home or settings.home)
    if not fingerprints.known:
        return 0
    con.execute(
        "create or replace temp table erased_fingerprints as select unnest(?) as fingerprint",
        [sorted(fingerprints.known)],
    )
    columns = [name for name in entity.names if name.endswith("customer_id")]
    hashed, key = fingerprints.sql("value")
    con.execute(
        f"""
        create or replace temp table erased_lines as
        with said as (
            {" union all ".join(f"select line_number, {name} as value from converted" for name in columns)}
            union all
            select record_texts.line_number, unnest(regexp_split_to_array(record_texts.raw_text, ?)) as value
            from record_texts
            where record_texts.line_number in (
                select line_number from converted where rule is not null and rule <> ?
            )
        ),

        erased as (
            select value from (select distinct value from said where value is not null) as different
            where {hashed} in (from erased_fingerprints)
        )

        select distinct line_number from said where value in (from erased)
        """,
        [FIELD_ENDS, LEFT_OUT, *key],
    )
    con.execute("update converted set rule = ?, reason = null where line_number in (from erased_lines)", [LEFT_OUT])
    n_erased = fetch_value(con, "select count(*) from erased_lines")
    con.execute("drop table erased_lines; drop table erased_fingerprints")
    return n_erased
