"""What a reader of Postgres sees, with the rights of one role. Run as a script it is a reader that never pauses."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from adbc_driver_postgresql import dbapi

SHOWN = (
    "select c.run_id, d.run_id, m.run_id, c.n, d.n from (select run_id, count(*) as n from marts.customers group by 1)"
    " as c full join (select run_id, count(*) as n from marts.daily group by 1) as d on true"
    " full join marts.run_manifest as m on true"
)


def ask(uri: str, sql: str, role: str | None = None) -> list[tuple]:
    with dbapi.connect(uri, autocommit=True) as con, con.cursor() as cursor:
        if role:
            cursor.execute(f'set role "{role}"')
        cursor.execute(sql)
        return cursor.fetchall() if cursor.description else []


def read_until(uri: str, role: str, stop: Path) -> dict:
    """Ask for the whole set again and again until `stop` exists: every distinct answer, every error."""
    seen, errors, n = set(), [], 0
    with dbapi.connect(uri, autocommit=True) as con, con.cursor() as cursor:
        cursor.execute(f'set role "{role}"')
        while not stop.exists():
            try:
                cursor.execute(SHOWN)
                seen |= set(cursor.fetchall())
            except Exception as error:
                errors.append(str(error))
            n += 1
    return {"seen": sorted(map(list, seen)), "errors": errors, "n": n}


def main(arguments: Sequence[str]) -> None:
    uri, role, stop = arguments
    print("ready", flush=True)
    print(json.dumps(read_until(uri, role, Path(stop))))


if __name__ == "__main__":
    main(sys.argv[1:])
