"""The guess as a YAML that a person can read, check and change.

In: what was found and guessed. Out: text, with a comment at everything that was guessed. It is valid YAML of a source
where nothing is missing; what is missing is said in place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from assets.ingest.connect.column_guesses import GuessedTable
from assets.ingest.connect.found_files import FoundTable
from assets.ingest.mapping.language import GUIDE


@dataclass(frozen=True)
class ConnectedTable:
    """One canonical table: its files as a pattern or one by one, and what was guessed of it (None of a preset)."""

    entity: str
    files: str | list[str]
    found: FoundTable
    guess: GuessedTable | None


def source_text(
    name: str,
    folder: str,
    preset: str | None,
    time_zone: str | None,
    currency: str | None,
    business: str | None,
    tables: Sequence[ConnectedTable],
) -> str:
    """The YAML of the source."""
    lines = [
        f"# Written by `holdfast connect`. Nobody said what is marked `guessed`: check it. Keys: {GUIDE}",
        f"name: {_flow(name)}                  # names folders; never change it later",
        f"folder: {_flow(folder)}",
    ]
    if preset is not None:
        lines.append(f"preset: {preset}       # guessed: the files have all of its columns")
    if time_zone is not None:
        lines.append(f"time_zone: {time_zone}       # guessed from the offsets of its times")
    else:
        lines.append("# time_zone: Europe/Berlin   # name the clock on the wall of the business")
    if currency is not None:
        lines.append(f"currency: {currency}       # guessed from marks at its amounts")
    else:
        lines.append("# currency: EUR              # code of all amounts, where no column holds it")
    if business is not None:
        why = "a statement of accounts" if preset is None else f"whoever has files of {preset}"
        lines.append(f"business: {business}       # guessed: {why}; words and the margin follow it")
    else:
        lines.append("# business: shop             # or bank, telecom, airline: words and the margin follow it")
    lines += ["", "tables:"]
    for table in tables:
        one_by_one = "       # other files of the folder would match a pattern" if isinstance(table.files, list) else ""
        lines += [f"  {table.entity}:", f"    files: {_flow(table.files)}{one_by_one}"]
        if table.guess is not None:
            lines += _layout_lines(table.found) + _guess_lines(table.guess, table.found)
    return "\n".join(lines) + "\n"


def _layout_lines(found: FoundTable) -> list[str]:
    lines = []
    if found.delimiter not in (None, ","):
        shown = "tab" if found.delimiter == "\t" else found.delimiter
        lines.append(f"    delimiter: {_flow(shown)}       # guessed: it splits the lines into columns of one number")
    if len(found.encodings) > 1:
        lines.append(f"    encoding: {_flow(list(found.encodings))}       # guessed: the files differ")
    elif found.encodings and found.encodings != ("utf-8",):
        lines.append(f"    encoding: {found.encodings[0]}       # guessed: the file is no UTF-8")
    if not found.has_header:
        names = _flow(list(found.header))
        lines.append(f"    column_names: {names}       # guessed: no line names the columns; call them as you like")
    elif found.header_line not in (None, 1):
        where = f"in line {found.header_line}" if found.header_line else "in different lines of the files"
        lines.append(f"    header: find       # guessed: it stands {where}")
    return lines


def _guess_lines(guess: GuessedTable, found: FoundTable) -> list[str]:
    lines = [f"    {key}: {_flow(value)}       # guessed: {guess.notes[key]}" for key, value in guess.keys.items()]
    lines.append("    columns:")
    for name, value in guess.columns.items():
        why = guess.notes.get(name, "from its values")
        lines.append(f"      {name}: {_flow(value)}       # guessed: {why}")
    for name in guess.missing:
        lines.append(f"      # {name}: NOT FOUND. Name the column of the file: {', '.join(found.header)}")
    used = {text for value in guess.columns.values() for text in _names_in(value)}
    others = [column for column in found.header if column not in used]
    if others:
        lines.append(f"      # not used: {', '.join(others)}")
    return lines


def _names_in(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        return [text for part in value.values() for text in _names_in(part)]
    if isinstance(value, list):
        return [text for part in value for text in _names_in(part)]
    return [value] if isinstance(value, str) else []


def _flow(value: Any) -> str:
    """A value on one line, quoted where YAML needs it."""
    dumped = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**6, sort_keys=False)
    return dumped.removesuffix("...\n").strip()
