"""Connections to Postgres over ADBC: opened late, closed always, and silent about the secret in their URI.

In: a connection URI, which comes from the environment only. Out: connections whose errors are UserErrors without any
part of the URI that could be secret. What is read or written does not belong here.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from assets.shared.errors import UserError

SCHEMES = ("postgresql", "postgres")

#: Seconds that a connection attempt may take where the URI names none: a server that is away must not stop a night.
CONNECT_TIMEOUT_SECONDS = 10


class PostgresConnection:
    """One connection in autocommit mode. Statements that belong together run inside `transaction()`."""

    def __init__(self, dbapi_connection: Any):
        self.raw = dbapi_connection

    def execute(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Run one statement and discard its result. `parameters` stand for $1, $2, …"""
        with self.raw.cursor() as cursor:
            cursor.execute(sql, parameters=tuple(parameters) or None)

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple]:
        """All rows of a query with a small result."""
        with self.raw.cursor() as cursor:
            # COPY, the driver's default for queries, takes no parameters and not every statement.
            cursor.adbc_statement.set_options(**{"adbc.postgresql.use_copy": "false"})
            cursor.execute(sql, parameters=tuple(parameters) or None)
            return cursor.fetchall()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Everything inside takes effect at once at the end, or, after an error, not at all."""
        self.execute("begin")
        try:
            yield
            self.execute("commit")
        except BaseException:
            self._try_rollback()
            raise

    def _try_rollback(self) -> None:
        import adbc_driver_manager

        # If the connection is gone, so is its transaction.
        with suppress(adbc_driver_manager.Error):
            self.execute("rollback")


@contextmanager
def connect(uri: str, named: str) -> Iterator[PostgresConnection]:
    """A connection to the server that `uri` names. `named` is how the user knows the URI, for example the name of its
    environment variable.

    Raises UserError when the driver is not installed, the URI is none, or the server refuses or fails, there and in
    everything done inside the block.
    """
    check_uri(uri, named)
    try:
        import adbc_driver_manager
        from adbc_driver_postgresql import dbapi
    except ModuleNotFoundError:
        raise UserError(
            f"{named} names a Postgres server, but its driver is not installed",
            "install the extra: pip install 'holdfast[postgres]' (adbc-driver-postgresql)",
        ) from None
    try:
        raw = dbapi.connect(_with_timeout(uri), autocommit=True)
    except adbc_driver_manager.Error as error:
        raise UserError(
            f"the Postgres server {place(uri)} of {named} cannot be reached: {redacted(_first_line(error), uri)}",
            "start the server, or correct the URI; then run the same command again",
        ) from None
    try:
        yield PostgresConnection(raw)
    except adbc_driver_manager.Error as error:
        raise UserError(
            f"the Postgres server {place(uri)} of {named} failed: {redacted(_first_line(error), uri)}",
            "correct what it names; then run the same command again",
        ) from None
    finally:
        _close(raw)


def check_uri(uri: str, named: str) -> None:
    """Raise UserError, without showing it, when `uri` is no connection URI."""
    try:
        is_uri = _is_well_formed(uri)
    except ValueError:
        is_uri = False
    if not is_uri:
        raise UserError(
            f"{named} is no connection URI (its value is not shown)",
            "write it like postgresql://user:password@host:5432/database, with blanks and the characters @ / ? # of a "
            "password as %20 %40 %2F %3F %23",
        )


def _is_well_formed(uri: str) -> bool:
    """Is it clear where the password ends? Where one holds a character that has a meaning in a URI, a part of it would
    be taken for a host or a path, and shown."""
    parts = urlsplit(uri)
    hosts = parts.netloc.rpartition("@")[2]
    return (
        parts.scheme in SCHEMES
        and not re.search(r"[\s#]", uri)
        and parts.netloc.count("@") <= 1
        and "@" not in parts.path
        and all("=" in option for option in parts.query.split("&") if option)
        and all(re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(:[0-9]*)?", host) is not None for host in hosts.split(","))
    )


def place(uri: str) -> str:
    """Host, port and database of `uri`, without user and password."""
    try:
        parts = urlsplit(uri)
        asked = dict(parse_qsl(parts.query))
        host = parts.hostname or asked.get("host") or "localhost"
        port = f":{parts.port}" if parts.port else ""
        return f"{host}{port}/{parts.path.lstrip('/') or asked.get('dbname', '')}"
    except ValueError:
        return "(unreadable URI)"


def redacted(text: str, uri: str) -> str:
    """`text` without the URI, its password, or any password that it carries as a parameter."""
    for secret in sorted(_secrets(uri), key=len, reverse=True):
        text = text.replace(secret, "***")
    return text


def _secrets(uri: str) -> set[str]:
    try:
        parts = urlsplit(uri)
        passwords = [parts.password, *(value for name, value in parse_qsl(parts.query) if "password" in name)]
    except ValueError:
        passwords = []
    return {uri} | {form for p in passwords if p for form in (p, unquote(p))}


def _with_timeout(uri: str) -> str:
    if "connect_timeout=" in uri:
        return uri
    return f"{uri}{'&' if urlsplit(uri).query else '?'}connect_timeout={CONNECT_TIMEOUT_SECONDS}"


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _close(raw: Any) -> None:
    # A connection that broke cannot be closed, and its error is on the way already.
    with suppress(Exception):
        raw.close()
