"""`holdfast quarantine list | show | redrive`: rows and files that were refused, and the way back in.

In: the quarantine of the home (no database is opened). Out: counts, rows with their raw text, re-driven rows. Raw text
may hold personal data: it goes to this terminal only, never to a log.
"""

import argparse
from collections.abc import Iterable

from assets.shared.commands import command
from assets.shared.errors import UserError
from assets.shared.settings import Settings, absolute_source, load_settings, require_home
from pipelines.argument_types import add_parser, as_count, home_option

_WIDTH = 160


def add_command(commands) -> None:
    """Declare the command."""
    quarantine = add_parser(
        commands,
        "quarantine",
        help="list, show and re-drive rows and files that were refused while landing",
        description="Raw text may hold personal data: it goes to this terminal alone.",
        examples=["quarantine list", "quarantine show --rule bad_date", "quarantine redrive --source my_shop.yml"],
    )
    actions = quarantine.add_subparsers(required=True, metavar="action")
    own = [home_option()]
    listed = add_parser(
        actions,
        "list",
        help="count quarantined rows by batch and rule, and name refused files",
        description="Reads the quarantine and opens no database.",
        examples=["quarantine list", "quarantine list --source till"],
        parents=own,
    )
    listed.set_defaults(command=_list)
    show = add_parser(
        actions,
        "show",
        help="show quarantined rows with line number, reason and raw text",
        description="Raw text may hold personal data: it goes to this terminal alone.",
        examples=["quarantine show --limit 5", "quarantine show --entity transactions"],
        parents=own,
    )
    show.set_defaults(command=_show)
    show.add_argument("--limit", type=as_count, default=20, metavar="N", help="rows to show (default 20)")
    again = add_parser(
        actions,
        "redrive",
        help="read quarantined rows again by today's mapping; rows that now parse are accepted once",
        description="For rows that were refused because the mapping was wrong: correct the YAML, then re-drive.",
        examples=["quarantine redrive", "quarantine redrive --source my_shop.yml"],
        parents=own,
    )
    again.set_defaults(command=_redrive)
    again.add_argument(
        "--source",
        action="append",
        metavar="NAME_OR_YAML",
        help="the source with its corrected mapping (default: those of the home)",
    )
    for action in (listed, show):
        action.add_argument("--source", metavar="NAME", help="only this source, by its name")
    for action in (listed, show, again):
        action.add_argument("--entity", metavar="TABLE", type=_entity, help="only this table, such as transactions")
        action.add_argument("--batch", metavar="ID", help="only this batch, by its id or the beginning of it")
        action.add_argument("--rule", metavar="RULE", help="only rows that broke this rule")


def _list(arguments: argparse.Namespace) -> int:
    from assets.ingest.refusals import read_refusals

    settings = load_settings()
    require_home(settings)
    batches = _batches(settings, arguments)
    counts = _counts(settings, batches, arguments.rule)
    print("Quarantined rows")
    for batch in batches:
        for rule, n in counts.get(batch.batch_id, {}).items():
            print(f"  {n:>9,}  {batch.source} {batch.entity} {batch.batch_id}  {rule}  ({batch.file})")
    rows_in, accepted = sum(b.rows_in for b in batches), sum(b.rows_accepted for b in batches)
    left_out = sum(b.rows_left_out for b in batches)
    redriven = sum(part.rows_accepted for b in batches for part in b.parts)
    print(
        f"  {len(batches)} batches: {rows_in:,} rows in = {accepted:,} accepted ({redriven:,} of them re-driven) + "
        f"{rows_in - accepted - left_out:,} quarantined" + (f" + {left_out:,} left out" if left_out else "")
    )
    if arguments.rule is None and arguments.batch is None:
        open_ones = [
            r
            for r in read_refusals(settings, _sources(settings, arguments.source))
            if r.is_open and arguments.entity in (None, r.entity)
        ]
        print("Refused files")
        for r in open_ones:
            print(f"  {r.source} {r.entity} {r.file}  {r.rule} since {r.refused_at:%Y-%m-%d %H:%M}")
            print(f"             {r.reason}")
            print(f"             remedy: {r.remedy}")
        print(f"  {len(open_ones)} files" + ("" if open_ones else " refused at the last landing"))
    return 0


def _show(arguments: argparse.Namespace) -> int:
    settings = load_settings()
    require_home(settings)
    batches = [b for b in _batches(settings, arguments) if b.rows_quarantined]
    rows, total = _rows(settings, batches, arguments.rule, arguments.limit)
    for file, line_number, batch_id, rule, reason, raw_text in rows:
        print(f"{file} line {line_number} (batch {batch_id}, {rule}): {reason}")
        print("    " + _one_line(raw_text))
    print(f"{len(rows):,} of {total:,} quarantined rows shown")
    return 0


def _one_line(text: str | None) -> str:
    """The raw text with what would move the terminal's cursor made visible."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text or "")
    return shown if len(shown) <= _WIDTH else shown[: _WIDTH - 1] + "…"


def _redrive(arguments: argparse.Namespace) -> int:
    import os

    from assets.ingest.batches import read_batches
    from assets.ingest.redrive import redrive_batch
    from assets.ingest.sources import resolve_sources
    from assets.shared.lock import home_lock

    if arguments.source:
        os.environ["HOLDFAST_SOURCES"] = ",".join(absolute_source(source) for source in arguments.source)
    settings = load_settings()
    require_home(settings)
    sources = {source.name: source for source in resolve_sources(settings.sources)}
    accepted = left = n_batches = 0
    with home_lock(settings, on_wait=print):
        batches = [b for b in read_batches(settings, sources, arguments.entity) if _is_meant(b, arguments.batch)]
        if arguments.batch and not batches:
            raise UserError(f"no batch {arguments.batch} active in this home", f"see `{command('quarantine', 'list')}`")
        for batch in batches:
            if batch.rows_quarantined and batch.entity in sources[batch.source].entities:
                done = redrive_batch(settings, batch, sources[batch.source].template(batch.entity), arguments.rule)
                accepted, left, n_batches = accepted + done.n_accepted, left + done.n_quarantined, n_batches + 1
                print(
                    f"{batch.source} {batch.entity} {batch.batch_id} ({batch.file}): {done.n_tried:,} rows tried, "
                    f"{done.n_accepted:,} accepted, {done.n_quarantined:,} stay in quarantine"
                )
    print(f"{accepted:,} rows accepted, {left:,} stay in quarantine in {n_batches} batches")
    if accepted:
        print(f"run the dates that they touch again: {command('run')}")
    return 0


def _entity(name: str) -> str:
    """A canonical table's name: it becomes a part of a path."""
    from assets.ingest.canonical import ENTITIES

    if name not in ENTITIES:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(ENTITIES)}")
    return name


def _is_meant(batch, beginning: str | None) -> bool:
    return beginning is None or batch.batch_id.startswith(beginning)


def _sources(settings: Settings, name: str | None) -> list[str]:
    """Names of the sources that this home holds anything of. Raises UserError for a name that it does not."""
    folders = [f for root in (settings.raw, settings.quarantine) if root.is_dir() for f in root.iterdir()]
    found = sorted({f.name for f in folders if f.is_dir() and not f.name.startswith(".")})
    if name is None:
        return found
    if name not in found:
        known = ", ".join(found) or "no source yet"
        raise UserError(f"this home holds nothing of a source {name!r}", f"it has: {known}")
    return [name]


def _batches(settings: Settings, arguments: argparse.Namespace) -> list:
    from assets.ingest.batches import read_batches

    found = read_batches(settings, _sources(settings, arguments.source), arguments.entity)
    chosen = [b for b in found if _is_meant(b, arguments.batch)]
    if arguments.batch and not chosen:
        raise UserError(f"no batch {arguments.batch} active in this home", f"see `{command('quarantine', 'list')}`")
    return chosen


def _counts(settings: Settings, batches: Iterable, rule: str | None) -> dict[str, dict[str, int]]:
    """Rows by batch and rule, the most frequent rule first."""
    counted: dict[str, dict[str, int]] = {}
    rows = _read(
        settings,
        batches,
        "select batch_id, rule, count(*) from {rows} where rule = coalesce($rule, rule) group by all "
        "order by batch_id, 3 desc, rule",
        {"rule": rule},
    )
    for batch_id, name, n in rows:
        counted.setdefault(batch_id, {})[name] = n
    return counted


def _rows(settings: Settings, batches: Iterable, rule: str | None, limit: int) -> tuple[list[tuple], int]:
    wanted = "from {rows} where rule = coalesce($rule, rule)"
    batches = list(batches)
    total = _read(settings, batches, f"select count(*) {wanted}", {"rule": rule})
    rows = _read(
        settings,
        batches,
        f"select file, line_number, batch_id, rule, reason, raw_text {wanted} "
        "order by file, batch_id, line_number limit $n",
        {"rule": rule, "n": limit},
    )
    return rows, total[0][0] if total else 0


def _read(settings: Settings, batches: Iterable, sql: str, values: dict) -> list[tuple]:
    import duckdb

    from assets.ingest.batches import current_quarantine_file
    from assets.shared.quoting import path_list

    files = [current_quarantine_file(settings, b) for b in batches if b.rows_quarantined]
    if not files:
        return []
    with duckdb.connect() as con:
        return con.execute(sql.format(rows=f"read_parquet({path_list(files)})"), values).fetchall()
