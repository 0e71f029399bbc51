"""Keys of what a backup holds of persons: one a person, and one a file of rows that cannot be told apart by person.

In: a home. Out: `backup.keys`, an SQLite file that only its owner reads and no backup holds; `HOLDFAST_BACKUP_KEYS`
names another place. A person is a keyed fingerprint of the id. A key that is destroyed leaves the fingerprint, so that
a restore knows whom it has to erase again. What is encrypted, and how, belongs to `sealed_files`.
"""

import hashlib
import hmac
import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

NAME = "backup.keys"

_SCHEMA = """
create table if not exists meta (name text primary key, value blob not null);
create table if not exists persons (fingerprint blob primary key, key blob);
create table if not exists files (name text primary key, key blob not null);
"""


def keys_file(home: Path) -> Path:
    """Where the keys of a home are, or will be."""
    given = os.environ.get("HOLDFAST_BACKUP_KEYS")
    return Path(given).expanduser().absolute() if given else home / NAME


class BackupKeys:
    """The keys of one home, open. `of_person` and `of_file` give None for a key that is not there."""

    def __init__(self, con: sqlite3.Connection):
        self._con = con
        con.executescript(_SCHEMA)
        con.execute("insert or ignore into meta values ('salt', ?)", [secrets.token_bytes(32)])
        con.commit()
        (self._salt,) = con.execute("select value from meta where name = 'salt'").fetchone()
        self._known: dict[bytes, bytes | None] = dict(con.execute("select fingerprint, key from persons").fetchall())
        self._new: dict[bytes, bytes] = {}

    def _fingerprint(self, customer_id: str) -> bytes:
        return hmac.new(self._salt, customer_id.encode(), hashlib.sha256).digest()

    def of_person(self, customer_id: str) -> bytes | None:
        """The key of an id: None where it was destroyed or never made."""
        return self._known.get(self._fingerprint(customer_id))

    def make_person(self, customer_id: str) -> bytes | None:
        """The same, and a new one where there was none: None only where it was destroyed."""
        mark = self._fingerprint(customer_id)
        if mark not in self._known:
            self._known[mark] = self._new[mark] = secrets.token_bytes(32)
        return self._known[mark]

    def of_file(self, name: str) -> bytes | None:
        """The key of a file of the home, by its path in it."""
        row = self._con.execute("select key from files where name = ?", [name]).fetchone()
        return None if row is None else row[0]

    def make_file(self, name: str) -> bytes:
        """The same, and a new one where there is none."""
        self._con.execute("insert or ignore into files values (?, ?)", [name, secrets.token_bytes(32)])
        key = self.of_file(name)
        assert key is not None
        return key

    def save(self) -> None:
        """Make new keys durable: before anything that is encrypted by them is in its place."""
        self._con.executemany("insert or ignore into persons values (?, ?)", list(self._new.items()))
        self._con.commit()
        self._new.clear()

    def destroy(self, customer_ids: Iterable[str], files: Iterable[str]) -> None:
        """Take away the keys of persons and of files, overwritten where they stood. Can be repeated."""
        marks = [(self._fingerprint(one),) for one in customer_ids]
        self._con.execute("pragma secure_delete = on")
        self._con.executemany("insert or replace into persons values (?, null)", marks)
        self._con.executemany("delete from files where name = ?", [(name,) for name in files])
        self._con.commit()
        self._known |= dict.fromkeys((mark for (mark,) in marks), None)

    def is_destroyed(self, customer_id: str) -> bool:
        """Whether the person was erased since."""
        mark = self._fingerprint(customer_id)
        return mark in self._known and self._known[mark] is None


@contextmanager
def open_keys(path: Path) -> Iterator[BackupKeys]:
    """The keys in a file, which is made where it is not there."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    path.chmod(0o600)
    with closing(sqlite3.connect(path, timeout=20)) as con:
        yield BackupKeys(con)
