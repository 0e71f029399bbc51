"""A home for runs as of what was known at an earlier moment, apart from that of the nights.

In: the home and a moment. Out: settings of a home below it, `as_known/<moment>/`, which reads the batches of the first
and writes everything else for itself: warehouse, models, ledgers and a published set of its own. Such a run can thus
replace nothing that readers or later nights use. The folder may be deleted at any time.
"""

import os
import shutil
from dataclasses import replace
from datetime import datetime

from assets.shared.errors import UserError
from assets.shared.settings import Settings, prepare_home

#: Set for nights only: a run of the past must not reach these.
_TARGETS = ("HOLDFAST_PUBLISH_POSTGRES",)


def enter(settings: Settings, known_at: str) -> Settings:
    """Make the home for `known_at` (a date or a moment in UTC) and let the environment name it. Contacts planned on
    earlier nights are known there too: the ledgers are copied. Raises UserError for what is no moment."""
    try:
        moment = datetime.fromisoformat(known_at)
    except ValueError:
        raise UserError(
            f"--known-at {known_at!r} is no moment", "write a date 2024-05-01, or a time in UTC 2024-05-01T06:00:00"
        ) from None
    name = known_at if len(known_at) == 10 else moment.isoformat().replace(":", "").replace("+", "_")
    home = settings.home / "as_known" / name
    inner = replace(settings, home=home, raw_home=settings.home)
    prepare_home(inner)
    if settings.ledgers.is_dir():
        shutil.rmtree(inner.ledgers, ignore_errors=True)
        # What was published, and whether publishing is on hold, is each home's own.
        shutil.copytree(settings.ledgers, inner.ledgers, ignore=shutil.ignore_patterns("releases.jsonl"))
    os.environ["HOLDFAST_HOME"] = str(home)
    os.environ["HOLDFAST_RAW_HOME"] = str(settings.home)
    for name in _TARGETS:
        os.environ.pop(name, None)
    from assets.shared.settings import load_settings

    return load_settings()
