"""Files of a home as a backup holds them: who somebody is cannot be read without the person's key.

In: a file, and the keys. Out: the same file encrypted with AES-256-GCM (NIST SP 800-38D), or what can be read of it.
Personal columns of landed customers are encrypted value by value with the key of the row's person; quarantined rows and
export files, which name nobody by an id, whole, with a key of the file. Everything else is left as it is.
"""

import json
import os
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from assets.shared.files import replacing
from pipelines.backup_keys import BackupKeys
from pipelines.erasure.identifiers import PERSONAL

Kind = Literal["persons", "file"]

_TYPES, _NONCE, _ROWS = b"holdfast_types", 12, 65_536

#: Types that personal columns have, by name: what a value is as text, and back.
_BACK: dict[str, Callable[[str], object]] = {"string": str, "large_string": str, "date32[day]": date.fromisoformat}


def kind_of(path: Path, name: str) -> Kind | None:
    """How a file of a home, by its path there, is encrypted; None where it is not."""
    area = name.split("/")[0]
    if area in ("quarantine", "exports"):
        return "file"
    if area == "raw" and path.suffix == ".parquet" and "/customers/" in name:
        return "persons" if PERSONAL.intersection(pq.read_schema(path).names) else None
    return None


def seal(path: Path, target: Path, name: str, kind: Kind, keys: BackupKeys) -> None:
    """Write the encrypted form of `path` to `target`. Keys are made, and not yet saved."""
    if kind == "file":
        target.write_bytes(_encrypted(keys.make_file(name), path.read_bytes(), name))
        return
    source = pq.ParquetFile(path)
    schema = source.schema_arrow
    columns = [column for column in schema.names if column in PERSONAL]
    fields = [pa.field(f.name, pa.binary()) if f.name in columns else f for f in schema]
    types = {column: str(schema.field(column).type) for column in columns}
    sealed = pa.schema(fields, {**(schema.metadata or {}), _TYPES: json.dumps(types).encode()})

    def value_of(customer: str | None, column: str, value: object) -> bytes | None:
        key = None if value is None else keys.make_person(customer or "")
        return None if key is None else _encrypted(key, str(value).encode(), column)

    _convert(source, target, sealed, columns, value_of)


def unseal(path: Path, name: str, kind: Kind, keys: BackupKeys | None) -> bool:
    """Make the file what it was, in place and with its mode, as far as there are keys: values without one become empty.
    Returns whether anything is left of the file: one that is encrypted whole and has no key is removed."""
    mode = path.stat().st_mode & 0o777
    path.chmod(mode | 0o600)
    if kind == "file":
        key = None if keys is None else keys.of_file(name)
        content = None if key is None else _decrypted(key, path.read_bytes(), name)
        if content is None:
            path.unlink()
            return False
        path.write_bytes(content)
        path.chmod(mode)
        return True
    source = pq.ParquetFile(path)
    types: dict[str, str] = json.loads((source.schema_arrow.metadata or {})[_TYPES])
    rest = {k: v for k, v in (source.schema_arrow.metadata or {}).items() if k != _TYPES}
    kinds = {column: pa.date32() if kind.startswith("date32") else pa.string() for column, kind in types.items()}
    fields = [pa.field(f.name, kinds.get(f.name, f.type)) for f in source.schema_arrow]

    def value_of(customer: str | None, column: str, value: object) -> object:
        key = None if keys is None or value is None else keys.of_person(customer or "")
        text = None if key is None else _decrypted(key, bytes(value), column)  # type: ignore[call-overload]
        return None if text is None else _BACK[types[column]](text.decode())

    with replacing(path) as unfinished:
        _convert(source, unfinished, pa.schema(fields, rest or None), list(types), value_of)
    path.chmod(mode)
    return True


def _convert(
    source: pq.ParquetFile,
    target: Path,
    schema: pa.Schema,
    columns: list[str],
    value_of: Callable[[str | None, str, object], object],
) -> None:
    with source, pq.ParquetWriter(target, schema, compression="zstd") as writer:
        for batch in source.iter_batches(batch_size=_ROWS):
            customers = batch.column("customer_id").to_pylist()
            arrays = [
                pa.array(
                    [
                        value_of(customer, field.name, value)
                        for customer, value in zip(customers, batch.column(field.name).to_pylist(), strict=True)
                    ],
                    field.type,
                )
                if field.name in columns
                else batch.column(field.name)
                for field in schema
            ]
            writer.write_batch(pa.record_batch(arrays, schema=schema))


def _encrypted(key: bytes, content: bytes, what: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, content, what.encode())


def _decrypted(key: bytes, content: bytes, what: str) -> bytes | None:
    try:
        return AESGCM(key).decrypt(content[:_NONCE], content[_NONCE:], what.encode())
    except InvalidTag:
        return None  # of a key that was destroyed and made anew
