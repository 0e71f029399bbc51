"""Notices: what arrives at a real web server, what happens when it does not answer, and what they never hold."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import dagster as dg
import pytest

from pipelines.failed_runs import failure_notice
from pipelines.freshness import staleness_notice
from pipelines.notices import Notice, notify

NOTICE = Notice("run_failed", "The run failed.", "Run it again.", job="nightly", as_of_date="2024-08-01", run_id="r1")


class Webhook:
    """A web server on this machine that answers with `codes` in turn (the last one for ever) and keeps the bodies."""

    def __init__(self, *codes: int, delay: float = 0):
        self.bodies: list[dict] = []
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                webhook.bodies.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                time.sleep(delay)
                self.send_response(codes[min(len(webhook.bodies), len(codes)) - 1])
                self.send_header("Location", "http://127.0.0.1:9/elsewhere")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?token=very-secret"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def test_a_notice_arrives_with_its_facts():
    with Webhook(200) as webhook:
        assert notify(NOTICE, webhook.url, log=lambda _: None)
    (body,) = webhook.bodies
    assert body["text"] == "holdfast: The run failed. Run it again."
    assert (body["kind"], body["job"], body["as_of_date"], body["run_id"]) == (
        "run_failed",
        "nightly",
        "2024-08-01",
        "r1",
    )
    assert body["sent_at"].endswith("+00:00")


def test_a_server_in_trouble_is_asked_again_and_one_that_refuses_is_not():
    with Webhook(503, 500, 200) as webhook:
        assert notify(NOTICE, webhook.url, log=lambda _: None, pauses=(0, 0))
        assert len(webhook.bodies) == 3
    with Webhook(403) as webhook:
        assert not notify(NOTICE, webhook.url, log=lambda _: None, pauses=(0, 0))
        assert len(webhook.bodies) == 1


@pytest.mark.parametrize("code", [301, 307, 404, 503])
def test_no_answer_of_a_webhook_raises_and_no_redirect_is_followed(code):
    with Webhook(code) as webhook:
        assert not notify(NOTICE, webhook.url, log=lambda _: None, pauses=(0,))


def test_a_webhook_that_hangs_or_is_not_there_costs_a_moment_and_its_url_is_never_logged(monkeypatch):
    said: list[str] = []
    monkeypatch.setattr("pipelines.notices.TIMEOUT_SECONDS", 0.1)
    with Webhook(200, delay=0.5) as webhook:
        assert not notify(NOTICE, webhook.url, log=said.append, pauses=())
    gone = webhook.url
    assert not notify(NOTICE, gone, log=said.append, pauses=())
    assert not notify(NOTICE, "http://[not-a-host/very-secret", log=said.append, pauses=())
    assert len(said) == 6 and not [words for words in said if "very-secret" in words]


def test_without_a_webhook_the_log_still_has_it():
    said: list[str] = []
    assert not notify(NOTICE, None, log=said.append)
    assert said == ["run_failed: The run failed. Run it again."]


@dg.asset
def breaks():
    raise dg.Failure(description="the row of Erika Mustermann, erika@example.com, is bad")


@dg.asset(check_specs=[dg.AssetCheckSpec("expectations", asset="judged")], key="judged")
def judged():
    yield dg.MaterializeResult(
        check_results=[dg.AssetCheckResult(passed=False, check_name="expectations", description="Erika")]
    )


@pytest.mark.parametrize(
    ("assets", "kind", "step", "tables"),
    [([breaks], "run_failed", "breaks", ()), ([judged, breaks], "release_blocked", "breaks", ("judged",))],
)
def test_a_failed_run_is_told_without_what_an_error_quotes(assets, kind, step, tables):
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(assets, instance=instance, raise_on_error=False)
        notice = failure_notice(instance, instance.get_run_by_id(result.run_id))
    assert (notice.kind, notice.step, notice.tables, notice.run_id) == (kind, step, tables, result.run_id)
    assert "rika" not in json.dumps(notice.body()).replace("rica", "")


def test_a_set_is_stale_when_it_lags_by_more_than_allowed():
    from datetime import date

    newest = date(2024, 8, 10)
    assert staleness_notice(date(2024, 8, 9), newest, 1) is None
    assert staleness_notice(None, newest, 1) is None
    notice = staleness_notice(date(2024, 8, 8), newest, 1)
    assert notice.kind == "stale" and "2 days behind 2024-08-10" in notice.what
    assert staleness_notice(newest, date(2024, 8, 9), 0) is None, "a set of a later date is not behind"
