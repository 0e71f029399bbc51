"""`holdfast ui`: Dagster's web server and daemon, for this machine alone."""

import argparse
import os
import shutil
import signal
import sys
from pathlib import Path

from pipelines.argument_types import add_parser, home_option
from pipelines.commands.run import add_source_option, settings_of

#: What Dagster loads.
CODE = ("--workspace", str(Path(__file__).resolve().parents[1] / "workspace.yaml"))


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "ui",
        help="start Dagster (webserver and daemon) on 127.0.0.1",
        description="Assets, runs, checks and plots in a browser; schedules and sensors run while it is up. Ends with"
        " Ctrl-C. A supervisor such as systemd starts the two parts alone, with --only; docs/running.md has its files.",
        examples=["ui", "ui --home shop --port 3001", "ui --home shop --only daemon"],
        parents=[home_option()],
    )
    parser.set_defaults(command=_ui)
    parser.add_argument("--port", type=int, default=3000, help="of the web server, default 3000")
    parser.add_argument("--only", choices=("webserver", "daemon"), help="one of the two instead of both")
    parser.add_argument(
        "--host", default="127.0.0.1", help="default 127.0.0.1; the UI has no login: elsewhere only inside a container"
    )
    add_source_option(parser)


def _ui(arguments: argparse.Namespace) -> int:
    from pipelines.launch import prepare_dagster_home

    settings = settings_of(arguments)
    prepare_dagster_home(settings)
    os.environ["HOLDFAST_HOME"] = str(settings.home)
    where = ["--host", arguments.host, "--port", str(arguments.port)]
    name, *words = {
        "webserver": ["dagster-webserver", *CODE, *where],
        "daemon": ["dagster-daemon", "run", *CODE],
        None: ["dagster", "dev", *CODE, *where],
    }[arguments.only]
    if arguments.only != "daemon":
        print(f"holdfast: Dagster on http://{arguments.host}:{arguments.port}; stop with Ctrl-C", file=sys.stderr)
    own = Path(sys.executable).with_name(name)
    program = str(own) if own.exists() else shutil.which(name) or name
    # Dagster ends at SIGTERM as it does at SIGINT, and a shell starts what is in the background with SIGINT ignored.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(program, [program, *words])
    return 0
