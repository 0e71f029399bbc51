"""Who gives a command, and what a command that publishes must know of the marts."""

import getpass
import os

from assets.shared.settings import Settings


def current_user() -> str:
    """The user of the operating system, with the one behind `sudo` named first."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        user = f"user {os.getuid()}"
    behind = os.environ.get("SUDO_USER", "")
    return f"{behind} as {user}" if behind and behind != user else user


def parsed_project(settings: Settings):
    """The dbt project, parsed; it declares keys and descriptions of the marts."""
    from assets.dbt.manifest import parse_project

    return parse_project(settings)
