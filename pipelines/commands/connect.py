"""`holdfast connect`: from exported files to a source YAML, with what comes of it. Nothing of the home is touched."""

import argparse
import os
import secrets
import sys
from pathlib import Path

from assets.shared.commands import command
from assets.shared.errors import UserError
from pipelines.argument_types import add_parser


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "connect",
        help="write the YAML of a source from exported files, with what comes of it",
        description="Looks at exported files, writes one YAML that marks what was guessed, and prints the first rows"
        " and net sales by month as understood, to be compared with your own books. Nothing of a home is touched.",
        examples=["connect exports/ --out my_shop.yml", "connect till.csv --out till.yml --name till"],
    )
    parser.set_defaults(command=_connect)
    parser.add_argument("path", type=Path, metavar="PATH", help="an exported file, or the folder in which files are")
    parser.add_argument("--out", type=Path, default=Path("source.yml"), metavar="YAML", help="default: source.yml")
    parser.add_argument("--name", help="name of the source; default: that of the file or folder")
    parser.add_argument("--force", action="store_true", help="replace a YAML that is already there")


def _connect(arguments: argparse.Namespace) -> int:
    from assets.ingest.check import check_source
    from assets.ingest.connect.connected import connect_files, require_found
    from assets.ingest.connect.totals import understood
    from assets.ingest.mapping.yaml_file import load_mapping
    from assets.ingest.sources import mapped_source

    out = arguments.out
    if out.exists() and not arguments.force:
        raise UserError(f"{out} is already there", "name another file with --out, or replace it with --force")
    if not out.resolve().parent.is_dir():
        raise UserError(f"the folder of {out} does not exist", "make it, or name a file in another folder with --out")
    connected = connect_files(arguments.path, out, arguments.name)
    out.write_text(connected.text, encoding="utf-8")
    print(connected.text)
    print(f"written to {out}" + (f"; recognised as {connected.preset}" if connected.preset else ""))
    for file in connected.ignored:
        print(f"not used: {file}, which has other columns or other delimiters; sales need a YAML of their own then")
    require_found(connected, out)
    has_own_key = bool(os.environ.get("HOLDFAST_ID_KEY"))
    if not has_own_key:
        # For this look only: ids are hashed, and nothing of them stays.
        os.environ["HOLDFAST_ID_KEY"] = secrets.token_hex(32)
    mapping = load_mapping(out)
    print(understood(mapped_source(mapping), lambda words: print(words, file=sys.stderr)))
    report = check_source(out)
    print("\n" + report.render())
    tables = mapping.tables.values()
    if not has_own_key and any(column.hash.is_used() for table in tables for column in table.columns.values()):
        print('first set a key for the ids, once, and keep it: export HOLDFAST_ID_KEY="$(openssl rand -hex 32)"')
    out = out.resolve()
    run_it = command("run", "--source", out, home=out.with_name(f"{mapping.name}-data"))
    print(f"compare the totals with your own books, correct {out} where they differ, then: {run_it}")
    return 0 if report.ok else 1
