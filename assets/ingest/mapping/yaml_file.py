"""The YAML file of a source: read, and every mistake in it said in words.

In: the path of a file. Out: a `SourceMapping`, or a UserError that names the file, the key and the remedy. What the
keys mean does not belong here. The reference for users is docs/connecting-a-source.md.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from assets.ingest.mapping.language import GUIDE, Mistake, UnknownKey, closest
from assets.ingest.mapping.presets import with_preset
from assets.ingest.mapping.source import SourceMapping
from assets.shared.errors import UserError


def load_mapping(path: Path) -> SourceMapping:
    """The mapping in the YAML file at `path`, checked.

    Raises UserError for a missing file, YAML that cannot be parsed, an unknown or missing key or canonical column,
    a value that cannot be used, or a folder that does not exist.
    """
    document = with_preset(path, _read_yaml(path))
    try:
        mapping = SourceMapping.model_validate(document, context={"path": path})
    except ValidationError as error:
        raise _explained(path, document, error) from None
    if not mapping.folder.is_dir():
        raise UserError(
            f"{path}: folder {mapping.folder} does not exist",
            "create it, or set `folder` to the place of the files, relative to this YAML file",
        )
    return mapping


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"source file {path} does not exist", "check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"source file {path} cannot be read: {error}", "it must be a YAML file in UTF-8") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" (line {mark.line + 1}, column {mark.column + 1})" if mark else ""
        raise UserError(
            f"{path} is not valid YAML{where}: {getattr(error, 'problem', None) or error}",
            "correct that line; a value that holds one of : # | , [ ] { } % & * ! ? @ or starts with - needs quotes",
        ) from None
    if not isinstance(document, dict):
        raise UserError(f"{path} holds no mapping", f"start from the example in {GUIDE}")
    return document


def _explained(path: Path, document: Mapping[str, Any], error: ValidationError) -> UserError:
    """The first mistake of the file, in words. One at a time: a later one is often caused by it."""
    found = _most_telling(error.errors())
    where, kind = ".".join(_place(document, found["loc"], found["type"])), found["type"]
    mistake = found.get("ctx", {}).get("error")
    if isinstance(mistake, UnknownKey):
        return UserError(f"{path}: unknown key {where + '.' if where else ''}{mistake.name}", mistake.remedy)
    if isinstance(mistake, Mistake):
        return UserError(f"{path}: {where}: {mistake}" if where else f"{path}: {mistake}", mistake.remedy)
    if kind == "missing":
        return UserError(f"{path}: {where} is missing", f"add it; see {GUIDE}")
    what = f"{path}: {where}: {found['msg']} (got {found['input']!r})"
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", found["ctx"]["expected"])
        return UserError(what, f"{closest(str(found['input']), words)}see {GUIDE}")
    return UserError(what, f"see {GUIDE}")


def _most_telling(errors: Sequence[Any]) -> Any:
    """A key that is a word or holds keys: given keys, the word's error says nothing."""
    first = errors[0]
    if first["type"] == "literal_error" and isinstance(first["input"], dict) and len(errors) > 1:
        return errors[1]
    return first


def _place(document: Any, loc: Sequence[int | str], kind: str) -> list[str]:
    """The keys of the file that lead to a mistake: between them the validation names the alternatives that it tried. A
    table's key that it does not have itself comes from the defaults."""
    if loc[:1] == ("tables",) and len(loc) > 2:
        own = document["tables"][loc[1]]
        if loc[2] not in own and loc[2] in (document.get("defaults") or {}):
            loc = ("defaults", *loc[2:])
    place: list[str] = []
    here = document
    for position, part in enumerate(loc):
        if isinstance(here, dict) and part in here:
            place, here = [*place, str(part)], here[part]
        elif kind == "missing" and position == len(loc) - 1:
            place.append(str(part))
    return place
