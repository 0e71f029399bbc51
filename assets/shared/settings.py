"""Where things are on this machine, from the environment and `home.yml` only: home folder, sources, limits.

Business parameters do not belong here (`params`).
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assets.shared.commands import command, home_folder, raw_home_folder
from assets.shared.errors import UserError
from assets.shared.home_file import NAME, SCHEDULE_HOUR, read_home_file
from assets.shared.home_layout import require_layout
from assets.shared.secret_values import secret

DEFAULT_SOURCE = "completejourney"

#: The role that may read the published marts in Postgres, and nothing else.
DEFAULT_READER = "holdfast_reader"

#: Names the server on which Dagster keeps its books, where it is not SQLite in the home. Dagster reads it too.
DAGSTER_POSTGRES = "HOLDFAST_DAGSTER_POSTGRES"

#: Engines of the stages that grow with lines.
TARGETS = ("duckdb", "spark")

#: Forms in which contacts are exported.
EXPORT_FORMS = ("csv", "parquet", "postgres")


#: Part of the machine's memory that a run takes where no limit is set: other programs need theirs.
DEFAULT_MEMORY_SHARE = 0.6

#: Most that is kept back from the engine for everything else in the process.
LARGEST_RESERVE = 2 * 2**30

#: Where containers say how much memory they may take: cgroup versions 2 and 1.
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))

_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(i?)B", re.IGNORECASE)


@dataclass(frozen=True)
class Settings:
    """Paths and limits of one home. Everything that a run writes lies under `home`; two homes never touch."""

    home: Path
    sources: tuple[str, ...]
    #: The hour of the night, and its clock where `home.yml` names one; else that of the sources (`business_day`).
    schedule_hour: int = SCHEDULE_HOUR
    time_zone: str | None = None
    #: Memory that a whole run may take, such as `6GB`; None: a share of the machine (`memory_bytes`).
    memory_limit: str | None = None
    #: Threads of the engine; None: one a core.
    threads: int | None = None
    #: Another home whose batches and quarantine this one reads and never writes: that of a run as known earlier.
    raw_home: Path | None = None
    #: Connection URI of the Postgres target; a secret, so it is in no printed form of the settings.
    publish_postgres: str | None = field(default=None, repr=False)
    postgres_reader: str = DEFAULT_READER
    #: How the contacts of a night are exported: `csv` always, and with it `parquet`, `postgres` or both.
    export_as: tuple[str, ...] = ("csv",)
    #: Connection URI of the server for Dagster's books; a secret too. None: SQLite in the home.
    dagster_postgres: str | None = field(default=None, repr=False)
    #: Where the stages that grow with lines are built: `duckdb` or `spark` (decision 50).
    target: str = "duckdb"
    #: What Spark session that is: `local[2]`, `spark://host:port` or `sc://host:port`.
    spark_url: str = "local[*]"
    #: A folder that this machine and those of Spark see under one name; None: in the home.
    spark_folder: Path | None = None
    #: Where notices are sent; a secret too, because whoever knows it may post there.
    webhook_url: str | None = field(default=None, repr=False)

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
    def blocked(self) -> Path:
        return self.home / "blocked"

    @property
    def exports(self) -> Path:
        """What is to be sent, by night and channel."""
        return self.home / "exports"

    @property
    def spill(self) -> Path:
        """Where the engine puts what does not fit into memory."""
        return self.home / "spill"

    @property
    def memory_bytes(self) -> int:
        """Memory that a whole run may take, in bytes: as set, else a share of what this machine gives a process."""
        return parse_bytes(self.memory_limit) if self.memory_limit else int(DEFAULT_MEMORY_SHARE * available_memory())

    @property
    def engine_memory_bytes(self) -> int:
        """The engine's part of it: the interpreter and its libraries need theirs, and so does what the engine holds
        outside its own accounting."""
        return self.memory_bytes - min(self.memory_bytes // 4, LARGEST_RESERVE)

    @property
    def spark_place(self) -> Path:
        """The tables that Spark built, one folder a build."""
        return self.spark_folder or self.home / "spark"

    @property
    def dagster(self) -> Path:
        return self.home / "dagster"

    @property
    def dbt_target(self) -> Path:
        return self.home / "dbt"


def load_settings() -> Settings:
    """Settings of this process, from its environment and the home's `home.yml`.

    `HOLDFAST_HOME` (default `data`), `HOLDFAST_SOURCES` (comma-separated, default those of `home.yml`,
    else the built-in source), `HOLDFAST_MEMORY_LIMIT` (`6GB`; default 60 % of the machine), `HOLDFAST_THREADS` (one a
    core), `HOLDFAST_RAW_HOME` (set by `--knowledge-time` only: the home whose batches are read),
    `HOLDFAST_PUBLISH_POSTGRES` (a connection URI; default off), `HOLDFAST_POSTGRES_READER` (a role; default
    `holdfast_reader`), `HOLDFAST_EXPORT_AS` (comma-separated: csv, parquet, postgres; default csv, which is always
    there), `HOLDFAST_DAGSTER_POSTGRES` (a connection URI; default SQLite) and `HOLDFAST_WEBHOOK_URL` (http
    or https; default off). `HOLDFAST_PUBLISH_POSTGRES` and `HOLDFAST_WEBHOOK_URL` may stand in a file, which the same
    name with `_FILE` at its end names.

    Raises UserError for what cannot be, and for sources other than those that the home belongs to."""
    home, raw_home = home_folder(), raw_home_folder()
    record = read_home_file(raw_home or home)
    given = sources_of_environment()
    if record is not None and given is not None and set(given) != set(record.sources):
        raise another_business(raw_home or home, record.sources, given)
    limit = os.environ.get("HOLDFAST_MEMORY_LIMIT", "").strip()
    if limit and (not _AMOUNT.fullmatch(limit) or parse_bytes(limit) == 0):
        raise UserError(
            f"HOLDFAST_MEMORY_LIMIT {limit!r} is no amount of memory", "write it like 6GB or 700MB, or unset it"
        )
    threads = os.environ.get("HOLDFAST_THREADS", "").strip()
    if threads and not re.fullmatch(r"[1-9]\d{0,3}", threads):
        raise UserError(f"HOLDFAST_THREADS {threads!r} is no number of threads", "write a whole number, or unset it")
    webhook = secret("HOLDFAST_WEBHOOK_URL")
    if webhook and not webhook.startswith(("http://", "https://")):
        raise UserError("HOLDFAST_WEBHOOK_URL is no web address", "write https://…, or unset it")
    postgres = secret("HOLDFAST_PUBLISH_POSTGRES") or None
    return Settings(
        home=home,
        sources=given or (record.sources if record else (DEFAULT_SOURCE,)),
        schedule_hour=record.schedule_hour if record else SCHEDULE_HOUR,
        time_zone=record.time_zone if record else None,
        memory_limit=limit or None,
        threads=int(threads) if threads else None,
        raw_home=raw_home,
        publish_postgres=postgres,
        export_as=_export_as(postgres is not None),
        postgres_reader=os.environ.get("HOLDFAST_POSTGRES_READER", "").strip() or DEFAULT_READER,
        dagster_postgres=os.environ.get(DAGSTER_POSTGRES, "").strip() or None,
        webhook_url=webhook or None,
        target=_target(),
        spark_url=os.environ.get("HOLDFAST_SPARK_URL", "").strip() or f"local[{threads or '*'}]",
        spark_folder=Path(folder).expanduser().resolve()
        if (folder := os.environ.get("HOLDFAST_SPARK_FOLDER"))
        else None,
    )


def _target() -> str:
    """`HOLDFAST_TARGET`. Raises UserError for what is no engine."""
    named = os.environ.get("HOLDFAST_TARGET", "").strip() or "duckdb"
    if named not in TARGETS:
        raise UserError(f"HOLDFAST_TARGET names {named!r}", f"set it to {' or '.join(TARGETS)}, or unset it")
    return named


def _export_as(has_postgres: bool) -> tuple[str, ...]:
    """The forms of `HOLDFAST_EXPORT_AS`, csv first. Raises UserError for what is none, and for Postgres without one."""
    named = [word.strip() for word in os.environ.get("HOLDFAST_EXPORT_AS", "").split(",") if word.strip()]
    unknown = [word for word in named if word not in EXPORT_FORMS]
    if unknown:
        raise UserError(
            f"HOLDFAST_EXPORT_AS names {unknown[0]!r}", f"name some of {', '.join(EXPORT_FORMS)}, or unset it"
        )
    if "postgres" in named and not has_postgres:
        raise UserError(
            "HOLDFAST_EXPORT_AS names postgres, and no server is known",
            "set HOLDFAST_PUBLISH_POSTGRES, or leave it out",
        )
    return tuple(form for form in EXPORT_FORMS if form == "csv" or form in named)


def sources_of_environment() -> tuple[str, ...] | None:
    """The sources of `HOLDFAST_SOURCES`, None where it is not set. Raises UserError when it names none."""
    named = os.environ.get("HOLDFAST_SOURCES")
    if named is None:
        return None
    sources = tuple(absolute_source(source.strip()) for source in named.split(",") if source.strip())
    if not sources:
        raise UserError("HOLDFAST_SOURCES is empty", f"unset it, or set it to {DEFAULT_SOURCE} or to a source YAML")
    return sources


def absolute_source(source: str) -> str:
    """A source as it is recorded: the whole path of a YAML file, or the name of a built-in source."""
    if "," in source:
        raise UserError(f"source {source!r} has a comma in its name", "rename the file")
    path = Path(source).expanduser()
    return str(path.resolve()) if path.suffix.lower() in (".yml", ".yaml") or path.is_file() else source


def another_business(home: Path, recorded: Sequence[str], given: Sequence[str]) -> UserError:
    """What to say of sources that are not those of a home, with the two commands that may have been meant."""
    named = [word for source in given for word in ("--source", source)]
    other = home.with_name(f"{home.name}-{Path(given[0]).stem}")
    return UserError(
        f"the home {home} belongs to {', '.join(recorded)} ({NAME}), not to {', '.join(given)}",
        "leave out --source and HOLDFAST_SOURCES for its own business. Another business has a home of its own:\n"
        f"    {command('run', *named, home=other)}\n"
        "  If these are the sources of the same business from now on:\n"
        f"    {command('init', *named, home=home)}",
    )


def require_home(settings: Settings) -> None:
    """Raise UserError unless the home exists, and bring it to today's layout: for commands that need what is in it."""
    if not settings.home.is_dir():
        raise UserError(
            f"there is no home at {settings.home}",
            f"name one with --home PATH or HOLDFAST_HOME, or start this one: {command('run', home=settings.home)}",
        )
    require_layouts(settings)


def gibibytes(n_bytes: float) -> str:
    """In words, two digits at least: `0.011 GiB`, `5.6 GiB`, `115.2 GiB`."""
    return f"{n_bytes / 2**30:.1f} GiB" if n_bytes >= 2**30 else f"{n_bytes / 2**30:.2g} GiB"


def prepare_home(settings: Settings) -> None:
    """Create the home folder, prove that it can be written, and bring it to today's layout, the one whose batches it
    reads included. Raises UserError if not, and for a home of a later version."""
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        probe = settings.home / f".tmp-write-probe-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
        require_layouts(settings)
    except OSError as error:
        raise UserError(
            f"the data folder {settings.home} cannot be written: {error.strerror}",
            "name a folder that this user can write, with --home PATH or HOLDFAST_HOME",
        ) from None


def require_layouts(settings: Settings) -> None:
    """Bring the homes of the settings, where they exist, to today's layout. For commands that only read."""
    for home in (settings.raw_home, settings.home):
        if home is not None and home.is_dir():
            require_layout(home)


def parse_bytes(amount: str) -> int:
    """Bytes of an amount such as `6GB` (thousands) or `6GiB` (1024s). Raises ValueError for anything else."""
    found = _AMOUNT.fullmatch(amount.strip())
    if found is None:
        raise ValueError(f"{amount!r} is no amount of memory")
    number, letter, is_binary = found.groups()
    return int(float(number) * (1024 if is_binary else 1000) ** ("KMGT".index(letter.upper()) + 1))


def available_memory(limits: Sequence[Path] = CGROUP_LIMITS) -> int:
    """Bytes of memory that this machine gives a process: of the machine, or of the container if that has less."""
    found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for path in limits:
        try:
            found.append(int(path.read_text()))
        except (OSError, ValueError):
            continue  # no such version of cgroups, or `max`: no limit
    return min(amount for amount in found if amount > 0)
