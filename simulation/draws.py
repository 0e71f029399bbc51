"""Random numbers that are functions of (seed, stream, key): the same at any number of threads and in any order.

In: a connection and a seed. Out: SQL macros. One 64-bit hash gives three uniforms of 21 bits, each in the middle of
its cell, so never 0 or 1.
"""

import hashlib

import duckdb

STREAMS = (
    "person",
    "place",
    "taste",
    "join",
    "gap",
    "fate",
    "order",
    "line",
    "contact",
    "consent",
    "service",
    "balance",
    "survey",
)


def stream_key(seed: int, stream: str) -> int:
    """64 bits that separate one stream of one seed from all others."""
    return int.from_bytes(hashlib.sha256(f"{seed}/{stream}".encode()).digest()[:8], "big")


def create_macros(con: duckdb.DuckDBPyConnection, seed: int) -> None:
    """`bits_<stream>(key)`, and `ua`, `ub`, `uc` that take uniforms in (0, 1) from such bits.

    The key is mixed by one call of `hash` on one number: DuckDB's hash of several arguments is a hash-table hash, and
    neighbours in it are correlated."""
    for stream in STREAMS:
        key = stream_key(seed, stream)
        con.execute(
            f"create or replace temp macro bits_{stream}(k) as hash(xor(cast(k as ubigint), cast({key} as ubigint)))"
        )
    con.execute("create or replace temp macro ua(h) as (cast(h & 2097151 as double) + 0.5) / 2097152e0")
    con.execute("create or replace temp macro ub(h) as (cast((h >> 21) & 2097151 as double) + 0.5) / 2097152e0")
    con.execute("create or replace temp macro uc(h) as (cast((h >> 42) & 2097151 as double) + 0.5) / 2097152e0")
    # Eight-bit uniforms for choices that need no more: eight from one hash.
    con.execute("create or replace temp macro u8(h, i) as (cast((h >> (8 * i)) & 255 as double) + 0.5) / 256.0")
    # Two uniforms to one normal deviate (Box and Muller).
    con.execute("create or replace temp macro normal(u, v) as sqrt(-2 * ln(u)) * cos(6.283185307179586 * v)")


def number(value: float) -> str:
    """A double as an SQL literal; without an exponent it would be a decimal, with a decimal's scale."""
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"


def sql_list(values) -> str:
    """A list of doubles as an SQL literal."""
    return "[" + ", ".join(map(number, values)) + "]"
