"""A home for runs as of what was known at an earlier moment, apart from that of the nights.

In: the home and a moment. Out: settings of a home below it, `as_known/<moment>/`, which reads the batches of the first
and writes everything else for itself: warehouse, models, ledgers and a published set of its own. Such a run can thus
replace nothing that readers or later nights use. The folder may be deleted at any time.
"""

import os
import re
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from assets.shared.errors import UserError
from assets.shared.settings import Settings, load_settings, prepare_home

#: Set for nights only: a run of the past publishes to its own folder and notifies nobody.
_TARGETS = ("HOLDFAST_PUBLISH_POSTGRES", "HOLDFAST_WEBHOOK_URL")


def prepare_home_of_then(settings: Settings, knowledge_time: str) -> Settings:
    """Make the home for `knowledge_time` (a date, which means its end, or a moment in UTC) and let the environment name
    it. Raises UserError for what is no moment, and inside of such a home."""
    from assets.ingest.defs import known_moment

    moment = known_moment(knowledge_time)
    if moment is None:
        raise UserError("--knowledge-time is empty", "write a date 2024-05-01, or a time in UTC 2024-05-01T06:00:00")
    if settings.raw_home is not None:
        raise UserError(f"{settings.home} belongs to runs as known at an earlier moment", "unset HOLDFAST_RAW_HOME")
    home = settings.home / "as_known" / re.sub(r"[^0-9T.-]", "", moment.isoformat())
    inner = replace(settings, home=home, raw_home=settings.home)
    prepare_home(inner)
    _copy_ledgers(settings.ledgers, inner.ledgers, moment)
    os.environ["HOLDFAST_HOME"] = str(home)
    os.environ["HOLDFAST_RAW_HOME"] = str(settings.home)
    for name in _TARGETS:
        os.environ.pop(name, None)
    return load_settings()


def _copy_ledgers(ledgers: Path, inner: Path, moment: datetime) -> None:
    """The contact plans as they were at `moment`, who was flagged, exported and found to be one person by then, and the
    record of the control group, whose rows carry the date they were recorded for. What was published, and whether
    publishing is on hold, is each home's own."""
    from assets.shared.export_ledger import exports_folder
    from assets.shared.plan_ledger import flagged_folder, identity_folder, ledger_file, plans_known_at

    shutil.rmtree(inner / "plan", ignore_errors=True)
    (inner / "plan").mkdir(parents=True)
    known: dict[date, Path] = plans_known_at(ledgers / "plan", moment)
    for day, path in known.items():
        shutil.copy2(path, ledger_file(inner / "plan", day))
    for folder_of in (exports_folder, flagged_folder, identity_folder):
        shutil.rmtree(folder_of(inner), ignore_errors=True)
        folder_of(inner).mkdir(parents=True)
        for path in folder_of(ledgers).glob("[!.]*.parquet"):
            if datetime.fromtimestamp(path.stat().st_mtime, UTC).replace(tzinfo=None) <= moment:
                shutil.copy2(path, folder_of(inner) / path.name)
    holdout = ledgers / "holdout.parquet"
    if holdout.exists():
        shutil.copy2(holdout, inner / holdout.name)
