"""`holdfast prune`: remove what Dagster wrote about runs of long ago."""

import argparse
import sys

from pipelines.argument_types import add_parser, as_count, home_option


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "prune",
        help="remove what Dagster wrote about runs of long ago",
        description="Events, pictures and logs of runs older than so many days, but the newest successful run of each"
        " job. Tables, history, models and ledgers stay. Each night does it for 30 days.",
        examples=["prune --dry-run", "prune --keep-days 7"],
        parents=[home_option()],
    )
    parser.set_defaults(command=_prune)
    parser.add_argument("--keep-days", type=as_count, metavar="N", help="days of runs that stay (default 30)")
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")


def _prune(arguments: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    import dagster as dg

    from assets.shared.lock import home_lock
    from assets.shared.settings import load_settings, require_home
    from pipelines.launch import prepare_dagster_home
    from pipelines.prune import KEEP_DAYS, old_runs, prune

    settings = load_settings()
    require_home(settings)
    prepare_dagster_home(settings)
    keep_days, now = arguments.keep_days or KEEP_DAYS, datetime.now(UTC)
    with dg.DagsterInstance.get() as instance:
        if arguments.dry_run:
            print(f"{len(old_runs(instance, now, keep_days))} runs are older than {keep_days} days")
            return 0
        with home_lock(settings, on_wait=lambda words: print(words, file=sys.stderr)):
            removed = prune(instance, settings.dagster, now, keep_days)
    print(f"{len(removed.run_ids)} runs older than {keep_days} days removed, {removed.n_bytes / 1e6:,.1f} MB freed")
    return 0
