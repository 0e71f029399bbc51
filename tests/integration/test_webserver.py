"""The nightly job launched as the UI launches it: through the webserver's GraphQL API, run by the daemon."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pytest

from assets.shared.home_file import write_home_file

TOYSHOP = Path(__file__).resolve().parents[1] / "toyshop" / "toyshop.yml"

NIGHT = "2024-09-01"

LAUNCH = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
STATUS = "query Status($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
CHECKS = """
{ assetNodes { assetKey { path } groupName isMaterializable jobNames
    assetChecksOrError { ... on AssetChecks { checks { name jobNames } } } } }
"""
EVALUATIONS = """
query Checks($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode {
    assetChecksOrError { ... on AssetChecks { checks { name
        executionForLatestMaterialization { runId status } } } } } } }
"""
GROUPS = """
{ assetNodes { assetKey { path } groupName description partitionDefinition { type } } }
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """`holdfast ui` on a free port, with its own home."""

    def __init__(self, home: Path):
        self.port = free_port()
        # The schedules are on: half a day from now, so that none starts a night of its own during the tests.
        hour = (datetime.now(ZoneInfo("Europe/Berlin")).hour + 12) % 24
        write_home_file(home, [str(TOYSHOP)], hour, None)
        environment = {**os.environ, "HOLDFAST_HOME": str(home)}
        self.log = (home.parent / "ui.log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.cli", "ui", "--port", str(self.port), "--source", str(TOYSHOP)],
            env=environment,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def ask(self, query: str, **variables):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/graphql",
            data=json.dumps({"query": query, "variables": variables}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def wait_until_up(self, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            assert self.process.poll() is None, self.tail()
            try:
                if self.ask(GROUPS)["assetNodes"]:
                    return
            except (urllib.error.URLError, ConnectionError):
                pass
            time.sleep(1)
        raise AssertionError(self.tail())

    def tail(self) -> str:
        self.log.seek(0)
        return self.log.read()[-5000:]

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGINT)  # as Ctrl-C does
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        self.log.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    home = tmp_path_factory.mktemp("ui") / "home"
    started = Server(home)
    started.home = home
    try:
        started.wait_until_up()
        yield started
    finally:
        started.stop()


def launched(server, job: str, **selection) -> str:
    """Launch a job as of NIGHT, wait until it has succeeded; its run id."""
    params = {
        "selector": {
            "repositoryLocationName": "holdfast",
            "repositoryName": "__repository__",
            "jobName": job,
            **selection,
        },
        "runConfigData": {},
        "mode": "default",
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": NIGHT}]},
    }
    answer = server.ask(LAUNCH, params=params)["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    run_id = answer["run"]["runId"]
    deadline = time.monotonic() + 300
    status = None
    while time.monotonic() < deadline:
        status = server.ask(STATUS, id=run_id)["runOrError"]["status"]
        if status in {"SUCCESS", "FAILURE", "CANCELED"}:
            break
        time.sleep(1)
    assert status == "SUCCESS", server.tail()
    return run_id


@pytest.mark.campaign
def test_the_nightly_job_launched_through_graphql_succeeds_and_publishes(server):
    run_id = launched(server, "nightly")
    with duckdb.connect(str(server.home / "published" / "holdfast.duckdb"), read_only=True) as con:
        as_of, published_run = con.execute("select as_of_date, run_id from marts.run_manifest").fetchone()
        scored = con.execute("select count(*) from marts.churn_scores").fetchone()[0]
    assert (as_of.isoformat(), published_run) == (NIGHT, run_id)
    assert scored > 0


@pytest.mark.campaign
def test_a_group_selected_in_the_asset_graph_runs_alone_and_its_checks_are_green(server):
    """As "Materialize selected" does it: the assets of the group and every check that the server has for them. Comes
    after the nightly job, which made the home."""
    nodes = [n for n in server.ask(CHECKS)["assetNodes"] if n["groupName"] == "segments" and n["isMaterializable"]]
    (job,) = {name for node in nodes for name in node["jobNames"] if name.startswith("__ASSET_JOB")}
    checks = [
        {"assetKey": node["assetKey"], "name": check["name"]}
        for node in nodes
        for check in node["assetChecksOrError"]["checks"]
        if job in check["jobNames"]
    ]
    assert {"customer_rfm_key", "expectations"} <= {check["name"] for check in checks}
    selected = [node["assetKey"] for node in nodes]
    run_id = launched(server, job, assetSelection=selected, assetCheckSelection=checks)
    found = [
        (check["name"], check["executionForLatestMaterialization"])
        for key in selected
        for check in server.ask(EVALUATIONS, key=key)["assetNodeOrError"]["assetChecksOrError"]["checks"]
    ]
    assert len(found) == len(checks)
    assert [one for one in found if (one[1]["runId"], one[1]["status"]) != (run_id, "SUCCEEDED")] == []


@pytest.mark.campaign
def test_every_asset_is_grouped_by_stage_described_and_partitioned_by_date(server):
    nodes = server.ask(GROUPS)["assetNodes"]
    for node in nodes:
        assert node["description"], node["assetKey"]
        assert node["groupName"] == node["assetKey"]["path"][0]
    assert {
        "ingest",
        "staging",
        "features",
        "segments",
        "train",
        "score",
        "ledgers",
        "candidates",
        "actions",
        "measure",
        "marts",
        "validate",
        "publish",
    } <= {node["groupName"] for node in nodes}
    assert all(
        node["partitionDefinition"]["type"] == "TIME_WINDOW" for node in nodes if node["assetKey"]["path"][0] == "marts"
    )


@pytest.mark.campaign
def test_the_server_listens_on_this_machine_only(server):
    """/proc/net/tcp lists listening sockets with their local address in hexadecimal."""
    listening = [
        line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"
    ]
    ours = [address for address in listening if int(address.split(":")[1], 16) == server.port]
    assert ours and all(address.startswith("0100007F") for address in ours), listening
