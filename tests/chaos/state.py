"""What a home holds, as digests that two homes can be compared by.

In: a home. Out: {table: [rows, digest]} over everything that must be the same however often the job was killed. Left
out is what names the run or the clock.
"""

import json
from collections import Counter
from pathlib import Path

import duckdb

from tests.integration.command_line import OF_THE_RUN

#: Facts of a model's card that follow the clock or the bytes of a zip archive.
_CARD_OF_THE_RUN = {"sha256", "trained_at", "created_at", "seconds"}


class Mixed(Exception):
    """The published set shows more than one run or date, or lacks a table."""


def published_state(home: Path) -> dict[str, list] | None:
    """Digests of every table of marts and history. None when nothing has been published.

    Raises Mixed when marts speak of more than one run, or history of two runs of one date."""
    path = home / "published" / "holdfast.duckdb"
    if not path.is_symlink():
        return None
    with duckdb.connect(str(path), read_only=True, config={"threads": 1}) as con:
        refuse_mixed(con)
        return {
            f"{schema}.{table}": _digest(con, f"{schema}.{table}")
            for schema in ("marts", "history")
            for table in tables(con, schema)
        }


def tables(con: duckdb.DuckDBPyConnection, schema: str) -> list[str]:
    """Tables and views of a schema by name."""
    return [
        name
        for (name,) in con.execute(
            "select table_name from information_schema.tables where table_schema = ? order by 1", [schema]
        ).fetchall()
    ]


def refuse_mixed(con: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    """(as-of date, run) of the set that is open. Raises Mixed as `published_state` says."""
    marts = tables(con, "marts")
    if not marts or marts != tables(con, "history"):
        raise Mixed(f"marts {marts} but history {tables(con, 'history')}")
    seen = {
        (str(day), run)
        for table in marts
        for day, run in con.execute(f"select distinct as_of_date, run_id from marts.{table}").fetchall()
    }
    if len(seen) != 1:
        raise Mixed(f"marts of {sorted(seen)}")
    union = " union ".join(f"select as_of_date, run_id from history.{table}" for table in marts)
    doubled = con.execute(
        f"select as_of_date, list(run_id) from ({union}) group by as_of_date having count(distinct run_id) > 1"
    ).fetchall()
    if doubled:
        raise Mixed(f"history of {doubled}")
    return seen.pop()


def kept_state(home: Path) -> dict[str, list]:
    """Digests of what is state apart from the published set: raw batches, quarantine, ledgers, models, and the one
    incremental table of the warehouse."""
    found: dict[str, list] = {}
    con = duckdb.connect(config={"threads": 1})
    try:
        for folder in ("raw", "quarantine", "ledgers"):
            for path in sorted((home / folder).rglob("*.parquet")):
                name = path.relative_to(home).as_posix()
                # When an earlier version of a plan was replaced is of the run, as its name says.
                if "/." not in f"/{name}" and path.parent.name != "superseded":
                    found[name] = _digest(con, f"read_parquet('{path}')")
        for path in sorted((home / "raw").rglob("batch.json")):
            if "/." not in f"/{path.relative_to(home).as_posix()}":
                facts = json.loads(path.read_text())
                found[path.relative_to(home).as_posix()] = [
                    1,
                    json.dumps({k: v for k, v in facts.items() if k not in OF_THE_RUN}, sort_keys=True),
                ]
        for path in sorted((home / "models").rglob("card.json")):
            if "/." not in f"/{path.relative_to(home).as_posix()}":
                facts = json.loads(path.read_text())
                found[path.relative_to(home).as_posix()] = [
                    1,
                    json.dumps({k: v for k, v in facts.items() if k not in _CARD_OF_THE_RUN}, sort_keys=True),
                ]
        con.execute(f"attach '{home / 'warehouse.duckdb'}' as warehouse (read_only)")
        found["features.customer_day"] = _digest(con, "warehouse.features.customer_day")
    finally:
        con.close()
    return found


def leftovers(home: Path) -> list[str]:
    """Unfinished files of jobs that died, which a later success should have swept up."""
    return sorted(
        path.relative_to(home).as_posix()
        for folder in ("raw", "quarantine", "ledgers", "models", "published")
        for path in (home / folder).rglob(".*")
        if path.name not in {".spill", ".content.json"}
    )


def differences(found: dict[str, list] | None, expected: dict[str, list] | None) -> list[str]:
    """In words, the tables that are not the same."""
    found, expected = found or {}, expected or {}
    return [
        f"{name}: {_words(found.get(name))}, expected {_words(expected.get(name))}"
        for name in sorted(found.keys() | expected.keys())
        if found.get(name) != expected.get(name)
    ]


def row_differences(one: Path, other: Path) -> dict:
    """`except all` both ways over every published table: {"tables": n, "rows": n, "differences": [words]}."""
    con = duckdb.connect(config={"threads": 1})
    for name, home in (("one", one), ("other", other)):
        con.execute(f"attach '{home / 'published' / 'holdfast.duckdb'}' as {name} (read_only)")
    found: dict = {"tables": 0, "rows": 0, "differences": []}
    names = con.execute(
        "select table_catalog, table_schema, table_name from information_schema.tables"
        " where table_schema in ('marts', 'history')"
    ).fetchall()
    both = Counter((schema, table) for _, schema, table in names)
    for (schema, table), n in sorted(both.items()):
        if n != 2:
            found["differences"].append(f"{schema}.{table} is in one home only")
            continue
        relation = f"{schema}.{table}"
        columns = ", ".join(
            f'"{row[0]}"'
            for row in con.execute(f"describe select * from one.{relation}").fetchall()
            if row[0] not in OF_THE_RUN
        )
        found["tables"] += 1
        found["rows"] += con.execute(f"select count(*) from one.{relation}").fetchone()[0]
        for a, b in (("one", "other"), ("other", "one")):
            only = con.execute(
                f"select {columns} from {a}.{relation} except all select {columns} from {b}.{relation} limit 3"
            ).fetchall()
            if only:
                found["differences"].append(f"{relation}: rows of {a} alone: {str(only)[:600]}")
    con.close()
    return found


def _words(digest: list | None) -> str:
    return "missing" if digest is None else f"{digest[0]} rows ({str(digest[1])[:300]})"


def _digest(con: duckdb.DuckDBPyConnection, relation: str) -> list:
    """[rows, sum of row hashes]: the same for the same rows in any order, for others with a chance of 2^-64."""
    columns = [row[0] for row in con.execute(f"describe select * from {relation}").fetchall()]
    kept = ", ".join(f'"{name}"' for name in columns if name not in OF_THE_RUN)
    rows, total = con.execute(
        f"select count(*), cast(sum(hash(t)) as varchar) from (select {kept} from {relation}) as t"
    ).fetchone()
    return [rows, f"{total} over {kept}"]
