"""A backup that is older than an erasure: before anybody can read the restored home, the persons are erased again.

In: a home that was unpacked, and the keys of backups, in which an erased person's key is gone, not the fingerprint.
Out: the home without them, and how many ids were erased.
"""

from collections.abc import Callable
from pathlib import Path

import duckdb

from assets.ingest.canonical import ENTITIES
from assets.publish.marts import NO_MARTS
from assets.shared.erasure_ledger import PSEUDONYM
from assets.shared.quoting import path_list
from assets.shared.settings import Settings
from pipelines.backup_keys import open_keys
from pipelines.erasure.erase import erase
from pipelines.erasure.persons import Request, data_paths

#: What the ledger of the restored home says.
BASIS = "erased after the backup that was restored"


def reapply_erasures(home: Path, keys_at: Path, say: Callable[[str], None]) -> int:
    """Erase whoever was erased since; returns the number of ids."""
    settings = Settings(home=home, sources=())
    with open_keys(keys_at) as keys:
        gone = [one for one in _ids(settings) if not one.startswith(PSEUDONYM) and keys.is_destroyed(one)]
    if not gone:
        return 0
    erase(settings, [Request(one, BASIS) for one in gone], {}, say, lambda: NO_MARTS, by="restore")
    return len(gone)


def _ids(settings: Settings) -> list[str]:
    """Every id that a batch names."""
    found: set[str] = set()
    with duckdb.connect() as con:
        for name, entity in ENTITIES.items():
            if not (paths := data_paths(settings, name)):
                continue
            for column in (column for column in entity.names if column.endswith("customer_id")):
                rows = f"read_parquet({path_list(paths)}, union_by_name = true)"
                asked = f"select distinct {column} from {rows} where {column} is not null"
                found.update(one for (one,) in con.execute(asked).fetchall())
    return sorted(found)
