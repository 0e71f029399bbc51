"""A run that is killed from outside is explained by what is left of the command."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only there a child can be tied to its parent")


def supervised(work: str, home) -> subprocess.Popen:
    imports = "import os, signal, sys, time\nfrom pipelines.supervisor import run_supervised"
    program = f"{imports}\nsys.exit(run_supervised(lambda: {work}))"
    return subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "HOLDFAST_HOME": str(home), "HOLDFAST_MEMORY_LIMIT": "3GiB"},
    )


def test_a_killed_run_names_the_setting(tmp_path):
    run = supervised("os.kill(os.getpid(), signal.SIGKILL)", tmp_path)
    _, said = run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGKILL
    assert "HOLDFAST_MEMORY_LIMIT" in said and "3.0 GiB" in said


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_exit_code_is_that_of_the_run(tmp_path, code):
    run = supervised(str(code), tmp_path)
    assert run.communicate(timeout=60) == ("", "")
    assert run.returncode == code


def test_whoever_kills_the_command_kills_the_run(tmp_path):
    run = supervised("(print(os.getpid(), flush=True), time.sleep(120))", tmp_path)
    child = int(run.stdout.readline())
    run.kill()
    run.wait(timeout=60)
    for _ in range(600):
        if not _runs(child):
            return
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    raise AssertionError("the run outlived its command")


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
