"""`holdfast prune`: remove what is older than its period, such as Dagster's books of runs and export files."""

import argparse
import sys

from pipelines.argument_types import add_parser, as_count, home_option


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "prune",
        help="remove what is older than its period",
        description="Events, pictures and logs of runs older than so many days, but the newest successful run of each"
        " job; then what `retention` of home.yml, or its defaults, no longer keeps: `status` shows the periods."
        " Published totals and models stay. Each night does the same.",
        examples=["prune --dry-run", "prune --keep-days 7"],
        parents=[home_option()],
    )
    parser.set_defaults(command=_prune)
    parser.add_argument(
        "--keep-days", type=as_count, metavar="N", help="days of runs that stay (default: runs of `retention`, 30)"
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would go, and remove nothing")


def _prune(arguments: argparse.Namespace) -> int:
    from datetime import UTC, datetime

    import dagster as dg

    from assets.shared.lock import home_lock
    from assets.shared.retention import periods_of
    from assets.shared.settings import load_settings, require_home
    from pipelines.launch import prepare_dagster_home
    from pipelines.prune import KEEP_DAYS, old_runs, prune
    from pipelines.retention import sweep, sweep_day, words_of

    settings = load_settings()
    require_home(settings)
    prepare_dagster_home(settings)
    keep_days = arguments.keep_days or periods_of(settings.home)["runs"].days or KEEP_DAYS
    now = datetime.now(UTC)
    with dg.DagsterInstance.get() as instance:
        if arguments.dry_run:
            print(f"{len(old_runs(instance, now, keep_days))} runs are older than {keep_days} days")
            return 0
        with home_lock(settings, on_wait=lambda words: print(words, file=sys.stderr)):
            removed = prune(instance, settings.dagster, now, keep_days)
            swept = sweep(settings, sweep_day(settings))
    print(f"{len(removed.run_ids)} runs older than {keep_days} days removed, {removed.n_bytes / 1e6:,.1f} MB freed")
    print(f"older than its period, removed: {words_of(swept)}" if swept else "nothing else is older than its period")
    return 0
