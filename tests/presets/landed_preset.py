"""A preset, a file, and a home to land it in."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import yaml

from assets.ingest import raw_views
from assets.ingest.mapping.presets import presets
from assets.ingest.sources import resolve_source
from assets.shared.settings import Settings

FILES = Path(__file__).with_name("files")
#: An example key; the ids that it gives are in no expectation.
KEY = "a key of at least 16 characters"


@dataclass(frozen=True)
class Landed:
    """What a file has become. `con` holds the schemas `ingest` and `personal`."""

    con: duckdb.DuckDBPyConnection

    def query(self, sql: str) -> list[tuple]:
        return self.con.execute(sql).fetchall()

    @property
    def rows(self) -> tuple[int, int, int, int]:
        """(in, accepted, left out, quarantined) of transactions."""
        (found,) = self.query(
            "select sum(rows_in)::int, sum(rows_accepted)::int, sum(rows_left_out)::int, sum(rows_quarantined)::int "
            "from ingest.batches where entity = 'transactions'"
        )
        return found

    @property
    def sales(self) -> tuple[Decimal, int, int, int]:
        """(net sales, orders, customers, rows that are returns)."""
        (found,) = self.query(
            "with lines as (select *, coalesce(is_return, amount < 0 or coalesce(quantity, 0) < 0) as is_back from "
            "ingest.transactions) select sum(case when is_back then -abs(amount) else amount end), "
            "count(distinct order_id), count(distinct customer_id), count(*) filter (is_back) from lines"
        )
        return found

    @property
    def moments(self) -> tuple[datetime, datetime]:
        """(First, last) moment of a sale, on the clock of the business."""
        (found,) = self.query("select min(occurred_at), max(occurred_at) from ingest.transactions")
        return found

    def texts(self) -> str:
        """Everything that schema `ingest` holds, as one text."""
        names = self.query("select table_name from information_schema.tables where table_schema = 'ingest'")
        return "\n".join(str(self.query(f'select * from ingest."{name}"')) for (name,) in names)


def file_name(preset: str) -> str:
    """A name that the preset's own pattern takes."""
    pattern = presets()[preset].document["tables"]["transactions"]["files"]
    return (pattern if isinstance(pattern, str) else pattern[0]).replace("*", "1")


class Home:
    """A folder for one file of a preset, and a home to land it in. The key of ids must be in the environment."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.inbox = folder / "inbox"
        self.inbox.mkdir()
        self.settings = Settings(home=folder / "home", sources=("shop",))
        self.settings.home.mkdir()

    def land(self, preset: str, zone: str = "UTC", content: bytes | None = None, **keys: Any) -> Landed:
        """Land the preset's test file, or one with other content, with `keys` over those of the preset."""
        data = (FILES / f"{preset}.csv").read_bytes() if content is None else content
        (self.inbox / file_name(preset)).write_bytes(data)
        path = self.folder / "shop.yml"
        document = {"name": "shop", "preset": preset, "time_zone": zone, "folder": "inbox", **keys}
        path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        resolve_source(str(path)).land(self.settings)
        con = duckdb.connect()
        con.execute("set TimeZone = 'UTC'")
        raw_views.rebuild_raw_views(con, self.settings, ["shop"])
        return Landed(con)
