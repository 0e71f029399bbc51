"""`holdfast ui`: Dagster's web server and daemon, for this machine alone."""

import argparse
import os
import shutil
import sys
from pathlib import Path

from pipelines.argument_types import add_parser, home_option
from pipelines.commands.run import add_source_option, settings_of

ROOT = Path(__file__).resolve().parents[2]


def add_command(commands) -> None:
    """Declare the command."""
    parser = add_parser(
        commands,
        "ui",
        help="start Dagster (webserver and daemon) on 127.0.0.1",
        description="Assets, runs, checks and plots in a browser; schedules and sensors run while it is up. Ends with"
        " Ctrl-C. To keep it up, see docs/running.md.",
        examples=["ui", "ui --home shop --port 3001"],
        parents=[home_option()],
    )
    parser.set_defaults(command=_ui)
    parser.add_argument("--port", type=int, default=3000, help="default 3000")
    add_source_option(parser)


def _ui(arguments: argparse.Namespace) -> int:
    from pipelines.launch import prepare_dagster_home

    settings = settings_of(arguments)
    prepare_dagster_home(settings)
    os.environ["HOLDFAST_HOME"] = str(settings.home)
    dagster = Path(sys.executable).with_name("dagster")
    program = str(dagster) if dagster.exists() else shutil.which("dagster") or "dagster"
    print(f"holdfast: Dagster on http://127.0.0.1:{arguments.port}; stop with Ctrl-C", file=sys.stderr)
    os.chdir(ROOT)
    workspace = ["--workspace", str(ROOT / "workspace.yaml")]
    os.execv(program, [program, "dev", *workspace, "--host", "127.0.0.1", "--port", str(arguments.port)])
    return 0
