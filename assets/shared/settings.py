"""Where things are on this machine, from the environment only: home folder, sources, limits.

Business parameters do not belong here (`params`).
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from assets.shared.errors import UserError

DEFAULT_SOURCE = "completejourney"


@dataclass(frozen=True)
class Settings:
    """Paths and limits of one home. Everything that a run writes lies under `home`; two homes never touch."""

    home: Path
    sources: tuple[str, ...]
    memory_limit: str | None = None

    @property
    def source_names(self) -> tuple[str, ...]:
        """What each source is called here: the built-in name, or the file name of its YAML without ending."""
        return tuple(Path(source).stem for source in self.sources)

    @property
    def raw(self) -> Path:
        return self.home / "raw"

    @property
    def quarantine(self) -> Path:
        return self.home / "quarantine"

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
    def dagster(self) -> Path:
        return self.home / "dagster"

    @property
    def dbt_target(self) -> Path:
        return self.home / "dbt"


def load_settings() -> Settings:
    """Settings from `HOLDFAST_HOME` (default `data`), `HOLDFAST_SOURCES` (comma-separated, default the built-in
    source) and `HOLDFAST_MEMORY_LIMIT` (for example `6GB`; default DuckDB's own, 80 % of the machine)."""
    sources = tuple(s.strip() for s in os.environ.get("HOLDFAST_SOURCES", DEFAULT_SOURCE).split(",") if s.strip())
    if not sources:
        raise UserError("HOLDFAST_SOURCES is empty", f"unset it, or set it to {DEFAULT_SOURCE} or to a source YAML")
    home = Path(os.environ.get("HOLDFAST_HOME") or "data").expanduser().resolve()
    limit = os.environ.get("HOLDFAST_MEMORY_LIMIT", "").strip()
    if limit and not re.fullmatch(r"\d+(\.\d+)?\s*([KMGT]i?B)", limit, re.IGNORECASE):
        raise UserError(
            f"HOLDFAST_MEMORY_LIMIT {limit!r} is no amount of memory", "write it like 6GB or 700MB, or unset it"
        )
    return Settings(home=home, sources=sources, memory_limit=limit or None)


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
