"""Presets: whole mappings of known exports, which a source's own keys refine.

In: the document of a source's YAML. Out: the same document over that of its preset. A preset is a YAML file in
`assets/ingest/presets`, a mapping like any other with two more keys: `about`, what it reads, and `follows`, the
documentation whose layout it has; `business` is what kind of business has such files,
where only one has. `recognisable: false` says that the names of its columns tell it from nothing else.
Which preset fits a file does not belong here (`connect`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from assets.ingest.mapping.language import did_you_mean
from assets.shared.business import Business
from assets.shared.errors import UserError

FOLDER = Path(__file__).resolve().parents[1] / "presets"


@dataclass(frozen=True)
class Preset:
    """`document`: a source's document without `name`, which is the user's, and without `business`, which stands in the
    YAML of the user too: it is read there before any preset is (`assets.shared.business`)."""

    name: str
    about: str
    follows: str
    document: Mapping[str, Any]
    is_recognisable: bool = True
    business: Business | None = None


@cache
def presets() -> Mapping[str, Preset]:
    """All presets by name."""
    found = {}
    for path in sorted(FOLDER.glob("*.yml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        about, follows = document.pop("about"), document.pop("follows")
        is_recognisable = document.pop("recognisable", True)
        business = document.pop("business", None)
        found[path.stem] = Preset(path.stem, about, follows, document, is_recognisable, business)
    return found


def with_preset(path: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """The document over that of the preset it names. Sections are merged key by key, everything else is replaced; a
    column is replaced as a whole, and `null` removes what the preset says. Raises UserError for an unknown name."""
    name = document.get("preset")
    if name is None:
        return dict(document)
    if not isinstance(name, str) or name not in presets():
        raise UserError(f"{path}: preset {name!r} is not known", did_you_mean(str(name), presets()))
    return _over(presets()[name].document, document, depth=3)


def _over(below: Mapping[str, Any], above: Mapping[str, Any], depth: int) -> dict[str, Any]:
    """`above` over `below`: down to the columns of a table, whose keys belong together."""
    merged = {**below}
    for key, value in above.items():
        other = merged.get(key)
        if depth and isinstance(value, Mapping) and isinstance(other, Mapping):
            merged[key] = _over(other, value, depth - 1)
        elif value is None:
            merged.pop(key, None)
        else:
            merged[key] = value
    return merged
