"""A source written by a test, and a home to land it in."""

from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import yaml

from assets.ingest import raw_views
from assets.ingest.batches import Batch
from assets.ingest.id_changes import write_id_changes
from assets.ingest.sources import FileSource, resolve_source
from assets.shared.settings import Settings

TOYSHOP = Path(__file__).resolve().parents[2] / "toyshop"

COLUMNS = {
    "customer_id": "who",
    "order_id": "order",
    "line_id": "line",
    "occurred_at": "when",
    "amount": "money",
}
HEADER = "who,order,line,when,money"

#: As a public research set is written: runs of blanks, a blank before each row.
CDNOW = " id  date cds  dollars\n 00001 19970101  1   11.77\n 00002 19970112  5   77.00\n"


class Shop:
    """A source with one table of transactions in a folder of its own, and a home to land it in."""

    def __init__(self, folder: Path):
        self.folder = folder / "inbox"
        self.folder.mkdir()
        self.home = folder / "home"
        self.home.mkdir()
        self.settings = Settings(home=self.home, sources=("shop",))
        self.yaml = folder / "shop.yml"
        self.con: duckdb.DuckDBPyConnection | None = None
        self._shown: dict[Path, int] | None = None

    def write(self, content: bytes | str, name: str = "sales.csv") -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def describe(self, table: dict[str, Any] | None = None, top: dict[str, Any] | None = None, **more: Any) -> Path:
        """Write the YAML: `table` over a plain table of transactions, `top` over the top level."""
        transactions = {"files": "*", "columns": COLUMNS, **(table or {})}
        document = {"name": "shop", "folder": "inbox", "tables": {"transactions": transactions, **more}, **(top or {})}
        self.yaml.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        return self.yaml

    def source(self) -> FileSource:
        return resolve_source(str(self.yaml))

    def land(self) -> list[Batch]:
        return self.source().land(self.settings)

    def rebuilt(self) -> duckdb.DuckDBPyConnection:
        """A connection to a database of its own with schema `ingest` made from what is landed."""
        if self.con is None:
            self.con = duckdb.connect()
            self.con.execute("set TimeZone = 'UTC'")
        raw_views.rebuild_raw_views(self.con, self.settings, ["shop"])
        write_id_changes(self.con, date(2100, 1, 1))
        self._shown = None
        return self.con

    def query(self, sql: str) -> list[tuple]:
        """Rows of what is landed by now. Schema `ingest` is made again only where a file of the home has changed."""
        written = {path: path.stat().st_mtime_ns for path in self.home.rglob("*")}
        if self.con is None or written != self._shown:
            self.rebuilt()
        self._shown = written
        assert self.con is not None
        return self.con.execute(sql).fetchall()

    def landed(self, content: bytes | str, shown: str = "*", **table: Any) -> list[tuple]:
        """Write, describe and land one file of transactions; what its view then holds."""
        self.write(content)
        self.describe(table)
        self.land()
        return self.query(f"select {shown} from ingest.transactions order by all")

    def refused(self) -> list[tuple[int, str]]:
        """(line number, rule) of every quarantined row."""
        return self.query("select line_number, rule from personal.quarantined_rows order by entity, line_number")
