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
        description="Waits for a run that holds the home. Names, addresses and numbers of persons are encrypted with"
        " keys in HOME/backup.keys (HOLDFAST_BACKUP_KEYS names another file), which no backup holds: keep a copy of"
        " that file elsewhere. The warehouse is left out: the next run makes it again.",
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
        description="The home must not be there yet. Every file is compared with its checksum first. With the keys"
        " names and addresses come back, and who was erased after the backup is erased before the home is there.",
        examples=["restore /mnt/safe/shop.tar.gz --home shop --keys /mnt/other/backup.keys"],
        parents=[home_option()],
    )
    restore.set_defaults(command=_restore)
    restore.add_argument("file", type=Path, metavar="FILE", help="what backup wrote")
    restore.add_argument("--keys", type=Path, metavar="FILE", help="the keys: a copy of backup.keys of the old home")


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
    import os
    import shutil

    from assets.shared.commands import command, home_folder
    from assets.shared.errors import UserError
    from pipelines.backup_keys import NAME, keys_file
    from pipelines.erasure.reapplied import reapply_erasures
    from pipelines.home_archive import restore

    home = home_folder()
    keys = arguments.keys.expanduser().absolute() if arguments.keys else None
    if keys is None and os.environ.get("HOLDFAST_BACKUP_KEYS"):
        keys = keys_file(home)
    if keys is not None and not keys.exists():
        raise UserError(f"{keys} is not there", "name a copy of backup.keys of the old home, or leave --keys out")
    erased = 0

    def settle(folder: Path) -> None:
        nonlocal erased
        if keys is None:
            return
        if not os.environ.get("HOLDFAST_BACKUP_KEYS"):
            shutil.copyfile(keys, folder / NAME)
            (folder / NAME).chmod(0o600)
        erased = reapply_erasures(folder, keys, lambda words: say(f"  {words}"))

    made = restore(arguments.file.expanduser().absolute(), home, keys, settle)
    if keys is None:
        say(
            "warning: restored without keys: names, addresses, numbers and refused rows are empty, nobody erased anew\n"
            f"  remedy: if there is a copy of backup.keys, remove {home} and restore it with --keys",
            "warning",
        )
    if made.n_unreadable:
        say(f"  {made.n_unreadable} files of refused rows or exports have no key any more and are empty or gone")
    if erased:
        print(f"{erased} ids that were erased after the backup were erased again")
    print(f"{home}: {made.n_files} files, {made.n_bytes / 1e6:,.1f} MB. To see it: {command('status')}")
    return 0
