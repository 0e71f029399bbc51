"""What kind of business a home is of, as its sources say: shop, bank, telecom or airline.

In: the sources of a home. Out: the kind, and the parameters that follow it. How the kind changes words does not belong
here (`business_words`).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import yaml

from assets.shared.errors import UserError

Business = Literal["shop", "bank", "telecom", "airline"]
BUSINESSES: tuple[str, ...] = get_args(Business)
DEFAULT: Business = "shop"


def business_of(sources: Sequence[str]) -> str:
    """The kind of business that the sources (YAML files, or names of built-in ones) say they are; a shop where none
    says anything. Only the key `business` is read: what is wrong with a YAML is said where it is loaded.

    Raises UserError when two sources of one home say different things."""
    said = {source: kind for source in sources if (kind := _said(source)) is not None}
    if len(set(said.values())) > 1:
        raise UserError(
            "the sources of one home say different things of its `business`: "
            + ", ".join(f"{Path(source).name} {kind}" for source, kind in said.items()),
            "give all of them the same `business`, or each business a home of its own",
        )
    return next(iter(said.values()), DEFAULT)


def _said(source: str) -> str | None:
    path = Path(source)
    if path.suffix.lower() not in (".yml", ".yaml"):
        return None
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None
    kind = document.get("business") if isinstance(document, dict) else None
    return kind if kind in BUSINESSES else None


def following(business: str, values: dict[str, Any]) -> dict[str, Any]:
    """Parameters that follow the kind of business, where nobody sets them: a bank earns little of what customers pay
    with its cards, and the rest on balances."""
    return {"value_margin_share": values["value_bank_margin_share"]} if business == "bank" else {}
