"""The command line: what every command shares. Each is a module of `pipelines.commands`.

In: arguments. Out: the exit code, one of `EXIT_CODES`. Heavy libraries are imported only by the command that needs
them.
"""

import argparse
import atexit
import os
import sys
import textwrap
from collections.abc import Sequence

from assets.shared.commands import home_folder
from assets.shared.errors import UserError
from pipelines.argument_types import WIDTH, add_home
from pipelines.commands import (
    backup,
    check_source,
    connect,
    customer,
    doctor,
    erase,
    evaluate_campaign,
    explain_decision,
    init,
    metrics,
    plan,
    prune,
    quarantine,
    release,
    rollback,
    run,
    simulate,
    status,
    ui,
)
from pipelines.log_lines import say, set_style
from pipelines.supervisor import run_supervised

#: Modules of `pipelines.commands` in the order of use: before the first night, every night and morning, when a night
#: went wrong, now and then.
COMMANDS = (
    connect,
    check_source,
    init,
    run,
    status,
    customer,
    explain_decision,
    metrics,
    plan,
    ui,
    doctor,
    quarantine,
    release,
    rollback,
    evaluate_campaign,
    simulate,
    backup,
    prune,
    erase,
)

#: What each exit code says.
EXIT_CODES = {
    0: "done",
    1: "not as it should be: a run failed or its night was blocked, or a check found something",
    2: "something that you can correct, said with its remedy; nothing was changed",
    130: "interrupted with Ctrl-C; what is published is as it was",
    137: "killed from outside, most likely for memory; what is published is as it was",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Prints one clear error for what a user can cause, never a traceback."""
    return _perform(_parser().parse_args(argv))


def _perform(arguments: argparse.Namespace) -> int:
    try:
        _name_home(arguments)
        return arguments.command(arguments)
    except UserError as error:
        say(f"error: {error}", "error", what=error.what, remedy=error.remedy)
        return 2
    except KeyboardInterrupt:
        say("interrupted; the published tables are as they were, run again to repair", "error")
        return 130


def _name_home(arguments: argparse.Namespace) -> None:
    """Let every later step find the home of the command, and say which it is and why."""
    if not getattr(arguments, "uses_home", False):
        if arguments.home is not None:
            raise UserError("this command works on files and no home", "leave --home out")
        return
    why = "HOLDFAST_HOME" if os.environ.get("HOLDFAST_HOME") else "the folder data where you are; --home names another"
    if arguments.home is not None:
        os.environ["HOLDFAST_HOME"], why = str(arguments.home.expanduser().resolve()), "--home"
    say(f"holdfast: home {home_folder()} ({why})", home=str(home_folder()))


def console() -> None:
    """The `holdfast` command: `main`, the libraries' exit functions, then out at once: in the interpreter's own
    tear-down DuckDB's bindings print a page about their leaks below the summary. What computes is watched."""
    arguments = _parser().parse_args()
    if hasattr(arguments, "quiet"):
        set_style("json" if getattr(arguments, "json", False) else "quiet" if arguments.quiet else "text")
    code = run_supervised(lambda: _perform(arguments)) if hasattr(arguments, "verbose") else _perform(arguments)
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _parser() -> argparse.ArgumentParser:
    codes = "\n".join(
        textwrap.fill(words, WIDTH, initial_indent=f"  {code:<5}", subsequent_indent=" " * 7)
        for code, words in EXIT_CODES.items()
    )
    parser = argparse.ArgumentParser(
        prog="holdfast",
        description="Nightly customer retention pipeline. Commands in the order of use; each has --help.",
        epilog=f"example:\n  %(prog)s run --home shop\n\nexit codes:\n{codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_home(parser, None)
    parser.add_argument("--version", action="version", version=f"holdfast {_version()}")
    commands = parser.add_subparsers(required=True, metavar="command")
    for module in COMMANDS:
        module.add_command(commands)
    return parser


def _version() -> str:
    """The version of the installed package."""
    from importlib.metadata import version

    return version("holdfast")


if __name__ == "__main__":
    console()
