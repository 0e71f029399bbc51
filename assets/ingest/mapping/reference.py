"""The tables of keys in docs/connecting-a-source.md, made from the declarations.

In: the classes of keys. Out: Markdown, between the two marks that the guide has for each table. `python -m
assets.ingest.mapping.reference` writes them; a test compares.
"""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from assets.ingest.extract_guard import Expectation
from assets.ingest.mapping.accounts import Accounts
from assets.ingest.mapping.columns import ColumnMapping
from assets.ingest.mapping.language import GUIDE, Key, Keys
from assets.ingest.mapping.moments import NAMED_FORMATS
from assets.ingest.mapping.postgres import PostgresServer, PostgresTable
from assets.ingest.mapping.presets import presets
from assets.ingest.mapping.source import SourceMapping, TableMapping
from assets.ingest.mapping.text_steps import NORMALISATIONS

_GUIDE = Path(__file__).resolve().parents[3] / GUIDE
_BLOCK = re.compile(r"(<!-- keys: (\w+) -->\n).*?(<!-- end of keys -->)", re.DOTALL)


def with_key_tables(text: str) -> str:
    """The guide with today's tables between their marks. Raises KeyError for a mark of no table."""
    return _BLOCK.sub(lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}", text)


def _keys(model: type[Keys], wanted: Callable[[Key], bool] = lambda key: True) -> Callable[[], str]:
    def rows() -> str:
        shown = {name: key for name, key in model.declared().items() if wanted(key)}
        lines = [
            f"| `{name}` | {_default(model, name, key)} | {_cell(key.doc)} | {_example(key)} |"
            for name, key in shown.items()
        ]
        return "\n".join(["| key | default | meaning | example |", "|---|---|---|---|", *lines])

    return rows


def _example(key: Key) -> str:
    return _cell(f"`{key.example}`") if key.example else ""


def _cell(words: str) -> str:
    return words.replace("|", "\\|")


def _default(model: type[Keys], name: str, key: Key) -> str:
    if key.default:
        return key.default
    value: Any = model.model_fields[name].get_default()
    value = getattr(value, "root", value)
    if value is None or value in ((), {}):
        return "none"
    plain = isinstance(value, str) and re.fullmatch(r"[\w.-]*\w", value)
    return f"`{value if plain else json.dumps(value, ensure_ascii=False)}`"


def _words(meanings: dict[str, str]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| `{word}` | {meaning} |" for word, meaning in meanings.items())])


TABLES: dict[str, Callable[[], str]] = {
    "source": _keys(SourceMapping),
    "table": _keys(TableMapping, lambda key: key.table is None),
    "transactions": _keys(TableMapping, lambda key: key.table == "transactions"),
    "column": _keys(ColumnMapping),
    "normalise": lambda: _words({name: way.doc for name, way in NORMALISATIONS.items()}),
    "date_format": lambda: _words({name: named.doc for name, named in NAMED_FORMATS.items()}),
    "expects": _keys(Expectation),
    "accounts": _keys(Accounts),
    "postgres_server": _keys(PostgresServer),
    "postgres_table": _keys(PostgresTable),
    "presets": lambda: "\n".join(
        [
            "| preset | reads | layout as documented by |",
            "|---|---|---|",
            *(f"| `{preset.name}` | {preset.about} | {preset.follows} |" for preset in presets().values()),
        ]
    ),
}


def write_guide() -> None:
    """Bring the guide in line with the declarations."""
    _GUIDE.write_text(with_key_tables(_GUIDE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    write_guide()
