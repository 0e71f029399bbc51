"""A real Superset over two publishes, seen in Chromium. `make test-bi`."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration import shop
from tests.integration.command_line import ran

pytestmark = [
    pytest.mark.bi,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(not shutil.which("chromedriver"), reason="needs chromium and chromedriver"),
]
PYTHON = Path(".venv/bi/bin/python").absolute()
SLUGS = ("morning", "leaving", "plan", "effects", "health")


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_for(url: str, server: subprocess.Popen) -> None:
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"{url}/health", timeout=5).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    raise AssertionError(f"Superset ended with {server.returncode}")


@pytest.fixture
def home(tmp_path) -> Path:
    """A shop after its first night."""
    source = shop.write(tmp_path / "shop", shop.lines())
    ran(tmp_path / "home", "--source", str(source), "--as-of", str(shop.AS_OF - timedelta(days=1)))
    return tmp_path / "home"


@pytest.fixture
def superset(home, tmp_path):
    """Address of a Superset over `home`, and where it keeps its state."""
    state, port = tmp_path / "state", free_port()
    environment = {"HOLDFAST_HOME": str(home), "HOLDFAST_BI_STATE": str(state), "HOLDFAST_BI_PORT": str(port)}
    with (tmp_path / "superset.log").open("w") as log:
        server = subprocess.Popen([PYTHON, "bi/start.py"], env=os.environ | environment, stdout=log, stderr=log)
    try:
        wait_for(f"http://127.0.0.1:{port}", server)
        yield f"http://127.0.0.1:{port}", state
    finally:
        server.terminate()
        server.wait(60)


def look(url: str, state: Path, folder: Path) -> dict[str, dict]:
    folder.mkdir()
    call = [PYTHON, "tests/bi/look.py", url, state / "password", folder, *SLUGS]
    done = subprocess.run(call, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_dashboards_show_each_publish(home, superset, tmp_path):
    url, state = superset
    first = look(url, state, tmp_path / "first")
    assert {slug: page["errors"] for slug, page in first.items()} == {slug: [] for slug in SLUGS}
    assert "Net sales by week (EUR)" in first["morning"]["text"]
    ran(home, "--as-of", str(shop.AS_OF))
    second = look(url, state, tmp_path / "second")
    assert {slug: page["errors"] for slug, page in second.items()} == {slug: [] for slug in SLUGS}
    # The days of the nights: the server was not started again.
    assert str(shop.AS_OF) not in first["health"]["text"] and str(shop.AS_OF) in second["health"]["text"]
    for secret in ("password", "secret-key"):
        assert (state / secret).stat().st_mode & 0o077 == 0
