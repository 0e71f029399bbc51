"""Secrets of this process: from the environment, or from a file that the environment names.

In: the name of a variable. Out: what `NAME` holds, else what the file holds that `NAME_FILE` names: a store of secrets
(Docker, Kubernetes, systemd credentials) puts them there, where no list of processes and no crash report shows them.
"""

import os
from pathlib import Path

from assets.shared.errors import UserError


def secret(name: str) -> str:
    """The secret called `name`, without blanks around it; empty where there is none. Raises UserError when both
    variables are set, and when the file cannot be read."""
    given = os.environ.get(name, "").strip()
    file = os.environ.get(f"{name}_FILE", "").strip()
    if not file:
        return given
    if given:
        raise UserError(f"{name} and {name}_FILE are both set", "unset one of them: it must be clear which counts")
    try:
        return Path(file).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise UserError(
            f"the file that {name}_FILE names cannot be read: {why}", "name a file that this user can read"
        ) from None
