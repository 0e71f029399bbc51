"""Whose home it is: `home.yml`, the sources, the clock and the hour of the business that a home belongs to.

In: a home folder. Out: a `HomeFile`, or None before anything was recorded. A person may edit the file. Which layout the
files of a home have does not belong here (`home_layout`).
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from assets.shared.errors import UserError
from assets.shared.files import write_whole
from assets.shared.retention_stores import STORES

NAME = "home.yml"

#: Local hour at which the night of a business starts where nobody says another.
SCHEDULE_HOUR = 5

_HEAD = """# The business that this home belongs to, written by holdfast. Commands use these sources without --source;
# those of another business are refused. `holdfast init` replaces `sources`.
"""

_LATER = """# schedule_hour: 5               # hour of the night on the clock of the business, 0 to 23
# time_zone: Europe/Berlin       # that clock; default: time_zone of the first source that has one, else UTC
# retention: {exports: 30}       # days that a store is kept instead of its default; see docs/erasure.md
"""


def _known_stores(said: Mapping[str, int | None]) -> Mapping[str, int | None]:
    for name, days in said.items():
        if name not in STORES:
            raise ValueError(f"{name!r} is no store; there are {', '.join(STORES)}")
        if days is not None and days < STORES[name].least:
            raise ValueError(f"{name}: at least {STORES[name].least} days, or null for ever")
    return said


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = get_close_matches(name, available_timezones(), n=1, cutoff=0.5)
        raise ValueError(
            f"{name!r} is no time zone" + (f", did you mean {near[0]}?" if near else "; write it like Europe/Berlin")
        ) from None
    return name


class HomeFile(BaseModel):
    """What `home.yml` says. sources: absolute paths of YAML files, and names of built-in sources."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: Annotated[tuple[str, ...], Field(min_length=1)]
    schedule_hour: Annotated[int, Field(ge=0, le=23)] = SCHEDULE_HOUR
    time_zone: Annotated[str, AfterValidator(_known_zone)] | None = None
    retention: Annotated[Mapping[str, int | None], AfterValidator(_known_stores)] = {}


def read_home_file(home: Path) -> HomeFile | None:
    """What is recorded, None where nothing is. Raises UserError for a file that cannot be understood."""
    path = home / NAME
    try:
        return HomeFile.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        wrong = " ".join(str(error).split())
    raise UserError(
        f"{path}: {wrong}", f"its keys are {', '.join(HomeFile.model_fields)}; correct the file, it is small"
    )


def write_home_file(home: Path, sources: Sequence[str], schedule_hour: int | None, time_zone: str | None) -> HomeFile:
    """Record what a home belongs to. None: left to the default. Raises UserError for a value that cannot be."""
    before = read_home_file(home)
    kept = None if before is None or not before.retention else dict(before.retention)
    said = {"schedule_hour": schedule_hour, "time_zone": time_zone, "retention": kept}
    values = {"sources": list(sources)} | {key: value for key, value in said.items() if value is not None}
    try:
        record = HomeFile.model_validate(values)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise UserError(f"{home / NAME} cannot be written: {wrong}", "correct the value") from None
    later = "".join(
        line for line in _LATER.splitlines(keepends=True) if line.removeprefix("# ").split(":")[0] not in values
    )
    write_whole(home / NAME, _HEAD + yaml.safe_dump(values, sort_keys=False, allow_unicode=True) + later)
    return record
