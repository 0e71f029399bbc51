"""What somebody should hear of: a failed run, a blocked release, a stale set, a source unreadable or late.

In: what happened. Out: one line in the log, and a JSON body to the webhook of `HOLDFAST_WEBHOOK_URL`. A notice names
our own tables, steps and dates and never quotes an error: an error may quote a row, and a row is about a person.
Telling never fails a run.
"""

import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

VARIABLE = "HOLDFAST_WEBHOOK_URL"

#: Seconds for one attempt, and pauses before the next ones: a webhook that is down costs a run seven seconds at most.
TIMEOUT_SECONDS = 2.0
PAUSES_SECONDS = (0.5, 1.0)

#: Answers that may be another at the next attempt; any other refusal is final.
_WORTH_ANOTHER_ATTEMPT = {408, 425, 429, 500, 502, 503, 504}

Kind = Literal["run_failed", "release_blocked", "stale", "source_unusable", "source_late"]

_log = logging.getLogger("holdfast.notices")


@dataclass(frozen=True)
class Notice:
    """One thing to report. `what` and `remedy` are sentences of ours; `tables` those whose checks failed."""

    kind: Kind
    what: str
    remedy: str
    job: str | None = None
    as_of_date: str | None = None
    run_id: str | None = None
    step: str | None = None
    tables: tuple[str, ...] = ()

    def body(self) -> dict[str, object]:
        """The JSON body: the fields, the moment in UTC, and `text`, the one line that chat tools show."""
        return {
            "text": f"holdfast: {self.what} {self.remedy}",
            "sent_at": datetime.now(UTC).isoformat(timespec="seconds"),
            **asdict(self),
        }


def notify(
    notice: Notice,
    url: str | None,
    log: Callable[[str], None] = _log.warning,
    pauses: Sequence[float] = PAUSES_SECONDS,
) -> bool:
    """Write the notice to the log and send it to `url`, if there is one. Returns whether it arrived. Never raises."""
    log(f"{notice.kind}: {notice.what} {notice.remedy}")
    if not url:
        return False
    trouble = ""
    for pause in (*pauses, None):
        try:
            _post(url, notice.body())
            return True
        except urllib.error.HTTPError as error:
            trouble = f"it answered {error.code}"
            if error.code not in _WORTH_ANOTHER_ATTEMPT:
                break
        except Exception as error:  # whatever the webhook does, the run goes on
            trouble = type(error).__name__  # its words may hold the url, and the url is a secret
        if pause is not None:
            time.sleep(pause)
    log(f"the webhook of {VARIABLE} did not take the notice: {trouble}")
    return False


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def _post(url: str, body: dict[str, object]) -> None:
    request = urllib.request.Request(
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json", "User-Agent": "holdfast"}
    )
    with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT_SECONDS) as response:
        response.read(1024)
