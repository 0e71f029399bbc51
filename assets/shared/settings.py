"""Where things are on this machine, from the environment only: home folder, sources, limits.

Business parameters do not belong here (`params`).
"""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from assets.shared.errors import UserError

DEFAULT_SOURCE = "completejourney"

#: The role that may read the published marts in Postgres, and nothing else.
DEFAULT_READER = "holdfast_reader"


@dataclass(frozen=True)
class Settings:
    """Paths and limits of one home. Everything that a run writes lies under `home`; two homes never touch."""

    home: Path
    sources: tuple[str, ...]
    memory_limit: str | None = None
    #: Another home whose batches and quarantine this one reads and never writes: that of a run as known earlier.
    raw_home: Path | None = None
    #: Connection URI of the Postgres target; a secret, so it is in no printed form of the settings.
    publish_postgres: str | None = field(default=None, repr=False)
    postgres_reader: str = DEFAULT_READER

    @property
    def source_names(self) -> tuple[str, ...]:
        """What each source is called here: the built-in name, or the file name of its YAML without ending."""
        return tuple(Path(source).stem for source in self.sources)

    @property
    def raw(self) -> Path:
        return (self.raw_home or self.home) / "raw"

    @property
    def quarantine(self) -> Path:
        return (self.raw_home or self.home) / "quarantine"

    @property
    def warehouse(self) -> Path:
        return self.home / "warehouse.duckdb"

    @property
    def models(self) -> Path:
        return self.home / "models"

    @property
    def ledgers(self) -> Path:
        return self.home / "ledgers"

    @property
    def published(self) -> Path:
        return self.home / "published"

    @property
    def published_db(self) -> Path:
        return self.published / "holdfast.duckdb"

    @property
    def candidates(self) -> Path:
        return self.home / "candidates"

    @property
    def dagster(self) -> Path:
        return self.home / "dagster"

    @property
    def dbt_target(self) -> Path:
        return self.home / "dbt"


def load_settings() -> Settings:
    """Settings from `HOLDFAST_HOME` (default `data`), `HOLDFAST_SOURCES` (comma-separated, default the built-in
    source), `HOLDFAST_MEMORY_LIMIT` (for example `6GB`; default DuckDB's own, 80 % of the machine),
    `HOLDFAST_RAW_HOME` (set by `--known-at` only: the home whose batches are read), `HOLDFAST_PUBLISH_POSTGRES`
    (a connection URI; default off) and `HOLDFAST_POSTGRES_READER` (a role; default `holdfast_reader`)."""
    sources = tuple(s.strip() for s in os.environ.get("HOLDFAST_SOURCES", DEFAULT_SOURCE).split(",") if s.strip())
    if not sources:
        raise UserError("HOLDFAST_SOURCES is empty", f"unset it, or set it to {DEFAULT_SOURCE} or to a source YAML")
    home = Path(os.environ.get("HOLDFAST_HOME") or "data").expanduser().resolve()
    raw_home = os.environ.get("HOLDFAST_RAW_HOME", "").strip()
    limit = os.environ.get("HOLDFAST_MEMORY_LIMIT", "").strip()
    if limit and not re.fullmatch(r"\d+(\.\d+)?\s*([KMGT]i?B)", limit, re.IGNORECASE):
        raise UserError(
            f"HOLDFAST_MEMORY_LIMIT {limit!r} is no amount of memory", "write it like 6GB or 700MB, or unset it"
        )
    return Settings(
        home=home,
        sources=sources,
        memory_limit=limit or None,
        raw_home=Path(raw_home).expanduser().resolve() if raw_home else None,
        publish_postgres=os.environ.get("HOLDFAST_PUBLISH_POSTGRES", "").strip() or None,
        postgres_reader=os.environ.get("HOLDFAST_POSTGRES_READER", "").strip() or DEFAULT_READER,
    )


def prepare_home(settings: Settings) -> None:
    """Create the home folder and prove that it can be written. Raises UserError if not."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        probe = settings.home / f".write-probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise UserError(
            f"the data folder {settings.home} cannot be written: {error.strerror}",
            "set HOLDFAST_HOME to a folder that this user can write",
        ) from None
