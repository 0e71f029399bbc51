"""The page that the campaign leaves: what was done to the job, and what was found.

In: the journals of a campaign's folder. Out: Markdown, and the number of violations.
"""

import json
import re
from collections import Counter
from pathlib import Path


def render(folder: Path) -> tuple[str, int]:
    """(text of `docs/chaos.md`, number of violations, errors of readers included)."""
    kills = [_entries(part) for part in sorted(folder.glob("kills-*"))]
    faults = _entries(folder / "faults")
    readers = {
        name: [r for part in sorted(folder.glob(f"{name}*")) for r in _readers(part)] for name in ("kills", "faults")
    }
    violations = [e for entries in (*kills, faults) for e in entries if e["event"] == "violation"]
    n_reader_errors = sum(r["n_errors"] for found in readers.values() for r in found)
    parts = [
        "# Chaos: what happens when the machine dies\n",
        "Made by `make chaos`; do not edit. The job is the whole nightly job of a small shop, which gets a delivery\n"
        "each night: late lines, corrected files and unreadable rows among them.\n",
    ]
    if kills:
        parts.append(_kills(kills))
    if faults:
        parts.append(_faults(faults))
    parts.append(_reader_table(readers))
    parts.append(_violations(violations, readers))
    return "\n".join(parts), len(violations) + n_reader_errors


def _entries(folder: Path) -> list[dict]:
    path = folder / "journal.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def _readers(folder: Path) -> list[dict]:
    return [
        {"name": path.stem.rsplit("-", 1)[1], **json.loads(path.read_text())}
        for path in sorted(folder.rglob("reader-*.json"))
    ]


def _kills(campaigns: list[list[dict]]) -> str:
    entries = [entry for campaign in campaigns for entry in campaign]
    seeds = ", ".join(str(campaign[0]["seed"]) for campaign in campaigns)
    how = f"seed {seeds}" if len(campaigns) == 1 else f"{len(campaigns)} campaigns side by side, seeds {seeds}"
    killed = [e for e in entries if e["event"] == "killed"]
    recovered = [e for e in entries if e["event"] == "recovered"]
    compared = [e for e in entries if e["event"] == "compared"]
    places = list(dict.fromkeys(e["where"] for e in killed))
    kinds = ["boundary", "moment", "file operation", "fresh start"]
    counts = Counter((e["where"], e["kind"]) for e in killed)
    n_nights = sum(len({e["night"] for e in campaign if e["event"] == "killed"}) for campaign in campaigns)
    n_again = sum(map(_killed_again, campaigns))
    lines = [
        "## Kills\n",
        f"SIGKILL to the process group of the job, {len(killed)} times over {n_nights} nights "
        f"({how}). Each kill was followed by a look at the published set, and by a run that nobody "
        f"helped: {len(recovered)} such runs ended, and {n_again} were killed on their way too, to see whether the one "
        "after them repairs both.\n",
        "| where the job was | at a boundary | at a random moment | before a file operation | in a fresh process |"
        " all |",
        "|---|---|---|---|---|---|",
    ]
    for place in sorted(places, key=_order):
        cells = [counts[place, kind] for kind in kinds]
        lines.append(f"| {place} | {' | '.join(str(n) if n else '' for n in cells)} | {sum(cells)} |")
    totals = [sum(counts[place, kind] for place in places) for kind in kinds]
    lines.append(f"| **all** | {' | '.join(map(str, totals))} | {len(killed)} |")
    lines += [
        "",
        f"* runs after a kill that were let be: {len(killed) - n_again}; succeeded by themselves: {len(recovered)}",
        "* of these, with a published set, raw batches, quarantine, ledgers, models and `customer_day` equal to those "
        f"of a home that nothing disturbed: {sum(e['differences'] == 0 for e in recovered)}",
        f"* of these, beginning with the state of the night before (so that all work was to be done): "
        f"{sum(e['restored'] for e in recovered)}; the first kill of a night always meets a new night",
    ]
    if compared:
        n_tables, n_rows = (sum(e[key] for e in compared) for key in ("tables", "rows"))
        lines.append(f"* compared row by row at the end, both ways: {n_tables} tables, {n_rows:,} rows")
    return "\n".join(lines) + "\n"


def _killed_again(entries: list[dict]) -> int:
    """Kills of a run that was to repair the kill before it."""
    deeds = [e["event"] for e in entries if e["event"] in ("killed", "recovered", "ended first")]
    return sum(pair == ("killed", "killed") for pair in zip(deeds, deeds[1:], strict=False))


def _order(place: str) -> tuple:
    steps = [
        "start-up",
        "ingest",
        "features_and_segments",
        "movements",
        "train",
        "score",
        "ledgers",
        "candidates",
        "actions",
        "measures_and_marts",
        "validate",
        "publish",
        "wind-down",
    ]
    name = place.removeprefix("after ")
    return (steps.index(name) if name in steps else len(steps), place.startswith("after "))


def _faults(entries: list[dict]) -> str:
    lines = ["## Faults\n", "| fault | how it was made | what the run did | afterwards |", "|---|---|---|---|"]
    for entry in entries:
        if entry["event"] == "fault":
            # Where the campaign lay is nobody's business.
            outcome = re.sub(r"/\S*/(home|postgres)\b", lambda path: path[1].upper(), entry["outcome"])
            lines.append(f"| {entry['name']} | {entry['how']} | {outcome} | {entry['after']} |")
    return "\n".join(lines) + "\n"


def _reader_table(readers: dict[str, list[dict]]) -> str:
    lines = [
        "## Readers\n",
        "Two processes read all tables of the published set without pause: one opens it for each look, one holds\n"
        "its connection over a publish. A look asks every table for its date and run.\n",
        "| campaign | reader | queries | connections | sets seen | errors or mixed sets |",
        "|---|---|---|---|---|---|",
    ]
    for campaign, found in readers.items():
        for name in dict.fromkeys(r["name"] for r in found):
            own = [r for r in found if r["name"] == name]
            total = [sum(r[key] for r in own) for key in ("queries", "opens", "sets", "n_errors")]
            lines.append(f"| {campaign} | {name} | " + " | ".join(f"{n:,}" for n in total) + " |")
    return "\n".join(lines) + "\n"


def _violations(violations: list[dict], readers: dict[str, list[dict]]) -> str:
    errors = [error for found in readers.values() for r in found for error in r["errors"]]
    if not violations and not errors:
        return "## Violations\n\nNone.\n"
    lines = [f"* {e.get('night', e.get('name', ''))}: {e['words'][:600]}" for e in violations]
    return "## Violations\n\n" + "\n".join([*lines, *(f"* reader: {error}" for error in errors[:20])]) + "\n"
