"""Commands that errors and pages print: each can be pasted into a shell as it stands.

In: the words of a command. Out: one line with the program where this shell would not find it, every word quoted where
it must be, and the home, so that it does the same in any folder.
"""

import os
import shlex
import shutil
import sys
from pathlib import Path


def home_folder() -> Path:
    """The home that the environment names: `HOLDFAST_HOME`, else the folder `data` where the command was started."""
    return Path(os.environ.get("HOLDFAST_HOME") or "data").expanduser().resolve()


def raw_home_folder() -> Path | None:
    """The home whose batches a run as known at an earlier moment reads (`HOLDFAST_RAW_HOME`)."""
    named = os.environ.get("HOLDFAST_RAW_HOME", "").strip()
    return Path(named).expanduser().resolve() if named else None


def command(*words: object, home: Path | None = None) -> str:
    """`holdfast` with `words`, for the home of this process or for another one."""
    home = home or raw_home_folder() or home_folder()
    return shlex.join([*_program(), *(str(word) for word in words), "--home", str(home)])


def release_command(as_of_date: object, run_id: str) -> str:
    """The command that publishes a blocked night all the same; the reason in it is for a person to replace."""
    return command("release", "--as-of", as_of_date, "--run", run_id, "--reason", "why these numbers are right")


def dagster_command(*words: object) -> str:
    """Dagster's own command with `words`, for the home of this process."""
    home = home_folder()
    settings = [f"HOLDFAST_HOME={shlex.quote(str(home))}", f"DAGSTER_HOME={shlex.quote(str(home / 'dagster'))}"]
    return " ".join([*settings, shlex.join([*_found("dagster"), *(str(word) for word in words)])])


def _program() -> list[str]:
    return _found("holdfast", module="pipelines.cli")


def _found(name: str, module: str = "dagster") -> list[str]:
    """How a shell calls a program that is installed with this interpreter."""
    own = Path(sys.executable).with_name(name)
    on_path = shutil.which(name)
    if on_path is not None and Path(on_path).resolve() == own.resolve():
        return [name]
    return [str(own)] if own.exists() else [sys.executable, "-m", module]
