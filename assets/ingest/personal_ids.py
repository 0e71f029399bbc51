"""Ids that are somebody's card or telephone number: nothing of that kind may be published in clear.

In: the rows of one file after their conversion, and the names of the columns that the id comes from. Out: a FileRefused
that names the remedy. What shows in a single value (an e-mail address, a number that begins with +) is a rule of rows
(`mapping.columns`); here many ids speak together, because one number of sixteen digits alone says nothing.
"""

import re

import duckdb

from assets.ingest.mapping.source import TableMapping
from assets.ingest.refusals import FileRefused

#: Fewer different ids than this show no pattern; more are not looked at.
MIN_IDS, MAX_IDS = 5, 2000
#: Of ids that are not cards one in ten has a right check digit by chance.
CARD_SHARE = 0.9

#: Beginnings and lengths of the large card schemes (ISO/IEC 7812 issuer ranges).
_CARD = r"4\d{12}|4\d{15}|4\d{18}|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|6(?:011|5\d\d)\d{12}|62\d{14,17}|35\d{14}"
_TELEPHONE = r"[(]?\d[\d ()/.-]{5,18}\d"
_TELEPHONE_NAMES = re.compile(r"phone|mobile|msisdn|telef|handy|cellular|手机|电话", re.IGNORECASE)


def refuse_personal_ids(con: duckdb.DuckDBPyConnection, file: str, table: TableMapping) -> None:
    """Raise FileRefused when the customers of `converted` are named by payment cards, or by telephone numbers from a
    column that says so."""
    mapping = table.columns.get("customer_id")
    if mapping is None or mapping.hash.is_used() or mapping.constant is not None:
        return
    ids = [
        text
        for (text,) in con.execute(
            "select distinct customer_id from converted where rule is null and customer_id is not null limit ?",
            [MAX_IDS],
        ).fetchall()
    ]
    if len(ids) < MIN_IDS:
        return
    if sum(map(is_card_number, ids)) >= CARD_SHARE * len(ids):
        raise _refusal(file, "numbers of payment cards")
    names = [ref for ref in mapping.refs if isinstance(ref, str) and _TELEPHONE_NAMES.search(ref)]
    if names and sum(re.fullmatch(_TELEPHONE, text) is not None for text in ids) >= CARD_SHARE * len(ids):
        raise _refusal(file, "telephone numbers")


def is_card_number(text: str) -> bool:
    """Has it the form of a payment card's number, with a right check digit (Luhn)?"""
    bare = re.sub(r"[ -]", "", text)
    if not re.fullmatch(_CARD, bare):
        return False
    digits = [int(digit) for digit in reversed(bare)]
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[1::2]]
    return (sum(digits[0::2]) + sum(doubled)) % 10 == 0


def _refusal(file: str, what: str) -> FileRefused:
    return FileRefused(
        "personal_id",
        f"{file}: customer_id holds {what}, which would be published",
        "hash them: customer_id: {column: …, hash: HOLDFAST_ID_KEY}, with a key in the environment: "
        'export HOLDFAST_ID_KEY="$(openssl rand -hex 32)"; or map another column',
    )
