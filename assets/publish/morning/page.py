"""The morning page: one HTML file without anything from the network, in English and Chinese.

In: a connection to a complete set. Out: the page's text. Every word of the page stands in `words.yml`, in both
languages; the template has none. The reader switches the language on the page, by a style sheet alone. What is on the
page is decided in `facts`.
"""

import base64
from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import yaml

from assets.publish.morning.facts import Morning, read_morning
from assets.shared.business_words import words_of
from assets.shared.plots import BLUE, GREY, canvas

#: The page in the folder of a set, and the link to the newest next to the published database.
PAGE = "morning.html"

_FOLDER = Path(__file__).parent


def morning_page(con: duckdb.DuckDBPyConnection) -> str:
    """The page of the set that `con` is connected to."""
    return render(read_morning(con))


def render(morning: Morning) -> str:
    """The page that says these facts."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(whole=whole, money=money, percent=percent, points=points)
    picture = base64.b64encode(draw_days(morning)).decode() if morning.days else ""
    return environment.get_template("morning.html.j2").render(
        m=morning, words=spoken(morning.business), picture=picture
    )


@cache
def words() -> Mapping[str, Mapping[str, str]]:
    """The catalogue: key, language, text. A text may hold {names} that the template fills."""
    return yaml.safe_load((_FOLDER / "words.yml").read_text(encoding="utf-8"))


def spoken(business: str) -> Mapping[str, Mapping[str, str]]:
    """The catalogue in the words of a business."""
    return {
        key: {language: words_of(business, language, text) for language, text in texts.items()}
        for key, texts in words().items()
    }


def whole(value: Any) -> str:
    """A number without decimals, - where there is none."""
    return "-" if value is None else f"{value:,.0f}"


def money(value: Decimal | float | None, currency: str | None) -> str:
    """An amount, cents only where it is small."""
    if value is None:
        return "-"
    size = abs(float(value))
    amount = f"{size:,.0f}" if size >= 100 else f"{size:,.2f}"
    return f"{'-' if value < 0 else ''}{currency or ''} {amount}".replace("- ", "-").strip()


def percent(share: float | None) -> str:
    """A share from 0 to 1."""
    return "-" if share is None else f"{share:.0%}"


def points(difference: float | None) -> str:
    """A difference of two shares, in percentage points."""
    return "-" if difference is None else f"{100 * difference:+.1f}"


def draw_days(morning: Morning) -> bytes:
    """Net sales a day as bars and customers who are active as a line, without words: the page has them."""
    import numpy as np

    days = np.array([day for day, _, _ in morning.days], dtype="datetime64[D]")
    with canvas(7.0, 2.2) as drawn:
        left = drawn.figure.subplots()
        left.bar(days, [sales for _, sales, _ in morning.days], color=GREY)
        left.tick_params(labelsize=7)
        # Counted from the newest day: ticks of the calendar crowd where a month has 31 days.
        left.set_xticks(days[::-5])
        left.set_xticklabels([str(day) for day in days[::-5]])
        right = left.twinx()
        right.plot(days, [active for _, _, active in morning.days], color=BLUE, linewidth=2)
        right.tick_params(labelsize=7, colors=BLUE)
        right.set_ylim(0, 1.1 * max(max(active for _, _, active in morning.days), 1))
    return drawn.png
