"""The daemon by itself: runs started together queue, a run whose process dies is started again, a new file starts a
night, a failure reaches the webhook."""

import json
import os
import shutil
import signal
import time
from pathlib import Path

import duckdb
import pytest

from tests.assets.test_notices import Webhook
from tests.integration import test_webserver
from tests.integration.test_webserver import LAUNCH, Server

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

RUNS = "{ runsOrError { ... on Runs { results { runId status startTime endTime tags { key value } } } } }"
TICKS = """query Ticks($selector: SensorSelector!) { sensorOrError(sensorSelector: $selector) { ... on Sensor {
    sensorState { ticks(limit: 20) { status runIds } } } } }"""
OVER = {"SUCCESS", "FAILURE", "CANCELED"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """`holdfast ui` on a home and a source of its own, with a webhook."""
    folder = tmp_path_factory.mktemp("daemon")
    shop = folder / "shop"
    shutil.copytree(test_webserver.TOYSHOP.parent, shop)
    yaml = shop / "toyshop.yml"
    # All nights in one month: the toy's few customers are scored again by each month's model.
    yaml.write_text(yaml.read_text().replace("complete_through: 2024-09-30", "complete_through: 2024-08-30"))
    with Webhook(200) as webhook, pytest.MonkeyPatch.context() as patch:
        patch.setattr(test_webserver, "TOYSHOP", shop / "toyshop.yml")
        patch.setenv("HOLDFAST_WEBHOOK_URL", webhook.url)
        started = Server(folder / "home")
        started.home, started.shop, started.webhook = folder / "home", shop, webhook
        try:
            started.wait_until_up(300)
            yield started
        finally:
            started.stop()


def launch(server, day: str, **overrides: str) -> str:
    config = {"resources": {"run": {"config": {"overrides": overrides}}}} if overrides else {}
    selector = {"repositoryLocationName": "holdfast", "repositoryName": "__repository__", "jobName": "nightly"}
    tags = [{"key": "dagster/partition", "value": day}]
    answer = server.ask(
        LAUNCH,
        params={"selector": selector, "runConfigData": config, "mode": "default", "executionMetadata": {"tags": tags}},
    )["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    return answer["run"]["runId"]


def runs(server) -> dict[str, dict]:
    found = server.ask(RUNS)["runsOrError"]["results"]
    return {run["runId"]: {**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found}


def wait_for(server, done, seconds: float = 900):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := done(runs(server)):
            return found
        time.sleep(1)
    raise AssertionError(f"{runs(server)}\n{server.tail()}")


def test_runs_started_together_queue_and_all_succeed(server):
    ids = [launch(server, day) for day in ("2024-08-29", "2024-08-30")]
    ended = wait_for(server, lambda found: all(found[i]["status"] in OVER for i in ids) and found)
    assert [ended[i]["status"] for i in ids] == ["SUCCESS"] * 2, server.tail()
    spans = sorted((ended[i]["startTime"], ended[i]["endTime"]) for i in ids)
    assert all(end <= start for (_, end), (start, _) in zip(spans, spans[1:], strict=False)), spans


def test_a_run_whose_process_dies_is_started_again(server):
    first = launch(server, "2024-08-30")
    wait_for(server, lambda found: found[first]["status"] == "STARTED")
    killed = [pid for pid in descendants(server.process.pid) if works_on(pid, first)]
    assert killed, "the process of the run was not found"
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    again = wait_for(
        server,
        lambda found: [
            run for run in found.values() if run["tags"].get("dagster/parent_run_id") == first and run["status"] in OVER
        ],
    )
    assert again[0]["status"] == "SUCCESS"
    with duckdb.connect(str(server.home / "published" / "holdfast.duckdb"), read_only=True) as con:
        assert str(con.execute("select as_of_date from marts.run_manifest").fetchone()[0]) == "2024-08-30"


def test_a_failed_run_is_told_and_is_not_started_again(server):
    failed = launch(server, "2019-01-01")
    wait_for(server, lambda found: found[failed]["status"] == "FAILURE")
    deadline = time.monotonic() + 180
    while not (told := [b for b in server.webhook.bodies if b["run_id"] == failed]) and time.monotonic() < deadline:
        time.sleep(1)
    assert [(body["kind"], body["step"], body["as_of_date"]) for body in told] == [
        ("run_failed", "ingest", "2019-01-01")
    ], server.tail()
    assert not [run for run in runs(server).values() if run["tags"].get("dagster/parent_run_id") == failed]


def looks_since_a_run_was_asked_for(server) -> int:
    """How often the sensor of new files has looked since it last asked for a run; most looks fall into that run."""
    selector = {
        "repositoryLocationName": "holdfast",
        "repositoryName": "__repository__",
        "sensorName": "new_file_sensor",
    }
    state = server.ask(TICKS, selector=selector)["sensorOrError"]["sensorState"]
    ended = [tick for tick in state["ticks"] if tick["status"] != "STARTED"]
    return next(n for n, tick in enumerate(ended) if tick["runIds"])


def test_a_new_file_starts_one_night_for_the_newest_complete_date(server):
    before = set(runs(server))
    lines = (server.shop / "transactions.csv").read_text().splitlines()
    fields = lines[1].split(";")
    fields[lines[0].split(";").index("Beleg")] = "990001"
    (server.shop / "transactions-2.csv").write_text("\n".join([lines[0], ";".join(fields)]) + "\n")
    started = wait_for(server, lambda found: [r for i, r in found.items() if i not in before and r["status"] in OVER])
    assert [(run["status"], run["tags"]["dagster/partition"]) for run in started] == [("SUCCESS", "2024-08-31")]
    wait_for(server, lambda _: looks_since_a_run_was_asked_for(server) >= 2)
    assert len(set(runs(server)) - before) == 1


def descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, task.read_text().split()):
            found += [child, *descendants(child)]
    return found


def works_on(pid: int, run_id: str) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        opened = [str(path.readlink()) for path in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return False
    # Servers keep the records of runs open, and a tail reads along: neither works on the run.
    is_server = any(word in command for word in (b"tail", b"webserver", b"daemon", b"grpc", b"\0dev\0"))
    return run_id.encode() in command or any(run_id in path for path in opened) and not is_server


def test_the_body_is_json_without_persons(server):
    text = json.dumps(server.webhook.bodies)
    assert server.webhook.bodies and "@" not in text and "Kunde" not in text
