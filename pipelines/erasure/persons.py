"""Who is to be erased: all ids of a person, what else says who they are, and holds that forbid it.

In: a home, and requests (an id and the legal basis of each). Out: the requests with every id that the alias tables of
the sources lead to, the other accounts of the person as the newest night knows them, and personal values of these ids
in the raw batches. Nothing is changed here.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

import duckdb

from assets.ingest.canonical import ENTITIES
from assets.shared.errors import UserError
from assets.shared.plan_ledger import identity_folder
from assets.shared.quoting import path_list
from assets.shared.settings import Settings
from pipelines.erasure.identifiers import PERSONAL

#: Who must not be erased now: `customer_id,reason,until` (the last may be empty), in the home.
HOLDS = "legal_holds.csv"

#: Personal columns that others share: they are taken out of the person's rows and searched for nowhere else.
_SHARED = frozenset({"birth_date", "postal_code"})


@dataclass(frozen=True)
class Request:
    """One person that asks. basis: why the person may ask, such as `GDPR 17(1)(b)`."""

    customer_id: str
    basis: str


def read_requests(path: Path) -> list[Request]:
    """Requests of a CSV file with the columns `customer_id` and `basis`. Raises UserError naming file and row."""
    rows = _read_csv(path, ("customer_id", "basis"))
    return [Request(row["customer_id"], row["basis"]) for row in rows]


def read_holds(path: Path, today: date) -> dict[str, str]:
    """The reason of each hold that is in force today, by id. Raises UserError naming file and row."""
    if not path.exists():
        return {}
    holds = {}
    for number, row in enumerate(_read_csv(path, ("customer_id", "reason")), 2):
        until = (row.get("until") or "").strip()
        try:
            is_over = bool(until) and date.fromisoformat(until) < today
        except ValueError:
            raise UserError(
                f"{path}, row {number}: until {until!r} is no date", "write it like 2027-12-31, or leave it empty"
            ) from None
        if not is_over:
            holds[row["customer_id"]] = row["reason"]
    return holds


def _read_csv(path: Path, required: Sequence[str]) -> list[Mapping[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in required if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{path}: no column {', '.join(missing)}", f"its first row names {', '.join(required)}")
            rows: list[Mapping[str, str]] = []
            for number, row in enumerate(reader, 2):
                for name in required:
                    row[name] = (row[name] or "").strip()
                    if not row[name]:
                        raise UserError(f"{path}, row {number}: {name} is empty", "fill it, or take the row out")
                rows.append(row)
            return rows
    except FileNotFoundError:
        raise UserError(f"{path} is not there", "name a CSV file with the columns customer_id and basis") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}", "save it as CSV in UTF-8") from None


def data_paths(settings: Settings, entity: str) -> list[Path]:
    """The Parquet files of all batches of an entity, whether they count or not, and of their re-driven parts."""
    return sorted(
        path
        for pattern in (f"*/{entity}/*/data.parquet", f"*/{entity}/*/redriven/*/data.parquet")
        for path in settings.raw.glob(pattern)
        if not any(part.startswith(".") for part in path.relative_to(settings.raw).parts)
    )


def ids_of_persons(settings: Settings, given: Iterable[str]) -> dict[str, list[str]]:
    """All ids of each person, by the given one: those that an alias table of any source leads to or from, and those of
    the accounts that are one person now."""
    neighbours: dict[str, set[str]] = {}
    rows = _accounts_of_persons(settings)
    if paths := data_paths(settings, "customer_aliases"):
        with duckdb.connect() as con:
            rows += con.execute(
                f"select distinct old_customer_id, customer_id from read_parquet({path_list(paths)})"
            ).fetchall()
    for one, other in rows:
        neighbours.setdefault(one, set()).add(other)
        neighbours.setdefault(other, set()).add(one)
    found = {}
    for start in given:
        seen, waiting = {start}, [start]
        while waiting:
            waiting += (new := neighbours.get(waiting.pop(), set()) - seen)
            seen |= new
        found[start] = sorted(seen)
    return found


def _accounts_of_persons(settings: Settings) -> list[tuple[str, str]]:
    """(account, person) of all accounts that are under another id now."""
    paths = sorted(identity_folder(settings.ledgers).glob("[!.]*.parquet"))
    if not paths:
        return []
    with duckdb.connect() as con:
        return con.execute(
            f"select customer_id, max_by(person_id, day) as person from read_parquet({path_list(paths)})"
            " where kind = 'member' group by customer_id having person <> customer_id"
        ).fetchall()


def ids_in_batches(settings: Settings, ids: Sequence[str]) -> set[str]:
    """Those of the ids that an accepted row of any batch names."""
    found: set[str] = set()
    with duckdb.connect() as con:
        con.execute("create temp table ids as select unnest(?) as customer_id", [list(ids)])
        for name, entity in ENTITIES.items():
            if not (paths := data_paths(settings, name)):
                continue
            for column in (column for column in entity.names if column.endswith("customer_id")):
                rows = f"read_parquet({path_list(paths)}, union_by_name = true)"
                named = f"select distinct {column} from {rows} where {column} in (from ids)"
                found.update(one for (one,) in con.execute(named).fetchall())
    return found


def personal_values(settings: Settings, ids: Sequence[str]) -> dict[str, set[str]]:
    """E-mail addresses, phone numbers and names in all batches by id, but what somebody else than these has too."""
    paths, found = data_paths(settings, "customers"), dict[str, set[str]]()
    if not paths or not ids:
        return found
    with duckdb.connect() as con:
        con.execute("create temp table ids as select unnest(?) as customer_id", [list(ids)])
        rows = f"read_parquet({path_list(paths)}, union_by_name = true)"
        # Batches of earlier versions lack the newest columns.
        there = {row[0] for row in con.execute(f"describe select * from {rows}").fetchall()}
        for column in sorted((PERSONAL - _SHARED) & there):
            for value, customers in con.execute(
                f"select {column}, list(distinct customer_id) from {rows} where {column} is not null"
                f" and {column} in (select {column} from {rows} where customer_id in (from ids))"
                f" group by {column} having bool_and(customer_id in (from ids))"
            ).fetchall():
                for customer in customers:
                    found.setdefault(customer, set()).add(value)
    return found


def first_seen(settings: Settings, ids: Sequence[str]) -> dict[str, datetime]:
    """When each of these ids first bought; who never did is not among them."""
    paths = data_paths(settings, "transactions")
    if not paths or not ids:
        return {}
    with duckdb.connect() as con:
        con.execute("create temp table ids as select unnest(?) as customer_id", [list(ids)])
        return dict(
            con.execute(
                f"select customer_id, min(occurred_at) from read_parquet({path_list(paths)})"
                " where customer_id in (from ids) group by customer_id"
            ).fetchall()
        )
