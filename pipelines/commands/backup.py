"""`holdfast backup FILE` and `holdfast restore FILE`: a home as one file, and back."""

import argparse
from pathlib import Path

from pipelines.argument_types import add_parser, home_option
from pipelines.log_lines import say


def add_command(commands) -> None:
    """Declare both commands."""
    backup = add_parser(
        commands,
        "backup",
        help="write the whole home into one file",
        description="Waits for a run that holds the home. The file holds personal data as the home does: only you can"
        " read it.",
        examples=["backup /mnt/safe/shop.tar.gz", "backup --quiet shop.tar.gz     # for cron"],
        parents=[home_option()],
    )
    backup.set_defaults(command=_back_up)
    backup.add_argument("--quiet", action="store_true", help="say only what needs a person: warnings and errors")
    backup.add_argument("file", type=Path, metavar="FILE", help="the archive, such as shop.tar.gz; replaced if there")
    restore = add_parser(
        commands,
        "restore",
        help="make a home of what backup wrote",
        description="The home must not be there yet. Every file is compared with its checksum first.",
        examples=["restore /mnt/safe/shop.tar.gz --home shop"],
        parents=[home_option()],
    )
    restore.set_defaults(command=_restore)
    restore.add_argument("file", type=Path, metavar="FILE", help="what backup wrote")


def _back_up(arguments: argparse.Namespace) -> int:
    from assets.shared.lock import home_lock
    from assets.shared.settings import load_settings, require_home
    from pipelines.home_archive import back_up

    settings = load_settings()
    require_home(settings)
    archive = arguments.file.expanduser().absolute()
    with home_lock(settings, on_wait=say):
        made = back_up(settings.home, archive, say=lambda words: say(f"  {words}"))
    if not arguments.quiet:
        print(
            f"{archive}: {made.n_files} files, {archive.stat().st_size / 1e6:,.1f} MB for {made.n_bytes / 1e6:,.1f} MB"
        )
    return 0


def _restore(arguments: argparse.Namespace) -> int:
    from assets.shared.commands import command, home_folder
    from pipelines.home_archive import restore

    home = home_folder()
    made = restore(arguments.file.expanduser().absolute(), home)
    print(f"{home}: {made.n_files} files, {made.n_bytes / 1e6:,.1f} MB. To see it: {command('status')}")
    return 0
