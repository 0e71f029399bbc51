"""The whole way from files to a YAML: found, recognised or guessed, written.

In: a file or folder, and where the YAML shall stand. Out: its text, and whether something that is needed is missing.
"""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from assets.ingest.canonical import ENTITIES
from assets.ingest.connect.column_guesses import (
    NAMES,
    GuessedTable,
    guess_balances,
    guess_surveys,
    guess_transactions,
    plain,
    zone_of,
)
from assets.ingest.connect.found_files import FoundTable, common_pattern, find_tables
from assets.ingest.connect.written import ConnectedTable, source_text
from assets.ingest.mapping.presets import Preset, presets
from assets.ingest.mapping.source import TableMapping
from assets.shared.commands import command
from assets.shared.errors import UserError


@dataclass(frozen=True)
class Connected:
    """`text`: the YAML. `missing`: required columns that were not found. `ignored`: files of other tables."""

    text: str
    preset: str | None
    missing: tuple[str, ...]
    ignored: tuple[Path, ...]


def connect_files(path: Path, out: Path, name: str | None = None) -> Connected:
    """Describe the files at `path` by a YAML that will stand at `out`. Raises UserError where no table can be read."""
    folder = path if path.is_dir() else path.parent
    found = find_tables(path)
    surveys = [(table, guess) for table in found if (guess := guess_surveys(table)) is not None]
    answers = [table for table, _ in surveys]
    preset, sales = _recognised(found)
    if preset is not None and sales is not None:
        # The preset knows the rest.
        guess = GuessedTable(time_zone=zone_of(sales))
        files = common_pattern(sales.files, folder)
        # Tables of one preset are read from the same files.
        tables = [ConnectedTable(entity, files, sales, None) for entity in preset.document["tables"]]
    else:
        # Answers of a survey are numbers with a customer and a day too: they are sales of nobody.
        guesses = [(table, guess_transactions(table)) for table in found if table not in answers] or [
            (table, guess_transactions(table)) for table in found
        ]
        sales, guess = min(guesses, key=lambda pair: len(pair[1].missing))
        tables = [ConnectedTable("transactions", common_pattern(sales.files, folder), sales, guess)]
        if (balances := guess_balances(sales, guess)) is not None:
            tables.append(ConnectedTable("balances", tables[0].files, sales, balances))
    others = [table for table in found if table is not sales and table not in answers]
    people = next(((table, g) for table in others if (g := _customers(table)) is not None), None)
    if people is not None and preset is None:
        tables.append(ConnectedTable("customers", common_pattern(people[0].files, folder), *people))
    said = next(((table, guess) for table, guess in surveys if table is not sales), None)
    if said is not None and preset is None:
        tables.append(ConnectedTable("surveys", common_pattern(said[0].files, folder), *said))
    text = source_text(
        _name(name or path.resolve().stem),
        os.path.relpath(folder.resolve(), out.resolve().parent),
        preset.name if preset else None,
        guess.time_zone,
        guess.currency,
        preset.business if preset else "bank" if any(table.entity == "balances" for table in tables) else None,
        tables,
    )
    used = [table.found for table in tables]
    ignored = tuple(file for table in found if table not in used for file in table.files)
    return Connected(text, preset.name if preset else None, () if preset else tuple(guess.missing), ignored)


def _recognised(found: Sequence[FoundTable]) -> tuple[Preset | None, FoundTable | None]:
    """The preset of which a table has every named column, the one with most of them, and that table."""
    fitting = []
    for preset in presets().values():
        if not preset.is_recognisable:
            continue
        wanted = _names_of(preset.name)
        for table in found:
            header = {name.casefold() for name in table.header}
            if wanted and wanted <= header:
                fitting.append((len(wanted), preset, table))
    if not fitting:
        return None, None
    _, preset, table = max(fitting, key=lambda each: each[0])
    return preset, table


@cache
def _names_of(name: str) -> set[str]:
    """The columns that files of the preset must have, by name."""
    document = presets()[name].document
    own = {**document.get("defaults", {}), **document["tables"]["transactions"]}
    # The key's value is the user's; which columns are named does not depend on it.
    columns = {
        n: {k: v for k, v in c.items() if k != "hash"} if isinstance(c, dict) else c for n, c in own["columns"].items()
    }
    mapping = TableMapping.model_validate({**own, "columns": columns})
    return (
        {
            ref.strip().casefold()
            for ref, is_optional in mapping.mapped_columns().items()
            if isinstance(ref, str) and not is_optional
        }
        if mapping.column_names is None
        else set()
    )


def _customers(table: FoundTable) -> GuessedTable | None:
    """The mapping of a list of customers, one a row; None where the table is none."""
    by_name = {plain(name): name for name in table.header}
    id_column = next((by_name[known] for known in NAMES["customer_id"] if known in by_name), None)
    if id_column is None or len(set(table.columns[id_column])) < len(table.columns[id_column]):
        return None
    guess = GuessedTable(columns={"customer_id": id_column}, notes={"customer_id": "by its name; each value once"})
    for column in ENTITIES["customers"].columns:
        own = by_name.get(plain(column.name))
        # A national id is mapped by somebody who gives the key of its hash.
        if own is not None and own != id_column and column.name != "national_id":
            guess.columns[column.name], guess.notes[column.name] = own, "by its name"
    return guess


def _name(text: str) -> str:
    """A name for folders, made of a file's."""
    bare = re.sub(r"[^a-z0-9_]+", "_", text.lower()).strip("_") or "shop"
    return bare[:63] if bare[0].isalpha() else f"source_{bare}"[:63]


def require_found(connected: Connected, out: Path) -> None:
    """Raise UserError where the YAML lacks what it needs."""
    if connected.missing:
        raise UserError(
            f"{out}: no column was found for {', '.join(connected.missing)}",
            f"name the columns in {out}, where each is marked NOT FOUND, then run: "
            + command("check-source", out.resolve()),
        )
