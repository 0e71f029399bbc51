"""The files of `deploy/` and of the forge say what the code understands: nobody runs them before they are used."""

import configparser
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pipelines.cli import _parser

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = yaml.safe_load((DEPLOY / "docker" / "compose.yml").read_text())
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())


def understood(words: list[str]) -> bool:
    """Whether `holdfast` takes these arguments; it ends the process where it does not."""
    return callable(_parser().parse_args(words).command)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.stem)
def test_units_start_what_there_is_and_start_it_again(unit):
    read = configparser.ConfigParser(interpolation=None)
    read.read(unit)
    program, *words = shlex.split(read["Service"]["ExecStart"])
    assert program == "/srv/holdfast/app/.venv/bin/holdfast" and understood(words)
    is_server = "ui" in words
    assert (read["Service"].get("Restart") == "always") == is_server
    assert ("--host" in words) is False, "the default is this machine alone"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_units(tmp_path):
    program = Path(sys.executable).with_name("holdfast")
    for path in (DEPLOY / "systemd").iterdir():
        words = path.read_text().replace("/srv/holdfast/app/.venv/bin/holdfast", str(program))
        (tmp_path / path.name).write_text(words)
    units = [str(path) for path in sorted(tmp_path.glob("holdfast-*"))]
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    ours = [line for line in done.stderr.splitlines() if "holdfast" in line and "man:" not in line]
    assert len(units) == 4 and ours == []


def test_cron_lines_are_commands():
    lines = [line for line in (DEPLOY / "holdfast.cron").read_text().splitlines() if re.match(r"[\d*]", line)]
    assert len(lines) == 2
    for line in lines:
        *moment, user, command = line.split(maxsplit=6)
        assert len(moment) == 5 and user == "holdfast"
        _, *words = shlex.split(command)
        assert understood(words) and "--quiet" in words, "whatever it says else is mail"


def test_containers_are_reached_from_this_machine_alone():
    services = COMPOSE["services"]
    assert {port for service in services.values() for port in service.get("ports", ())} == {"127.0.0.1:3000:3000"}
    for name in ("webserver", "daemon", "night"):
        assert understood(services[name]["command"])
    assert all(services[name]["restart"] == "unless-stopped" for name in ("webserver", "daemon", "dagster-db"))
    text = (DEPLOY / "docker" / "compose.yml").read_text()
    assert not re.search(r"(PASSWORD: |dagster:)(?!\$\{)\w", text.replace("dagster:\n", "")), "no secret in the file"


def test_the_image_gets_every_package_and_nothing_else():
    copied = set(re.findall(r"^COPY (?!--from)(.+) \S+$", (DEPLOY / "docker" / "Dockerfile").read_text(), re.M))
    sources = {word for line in copied for word in line.split()}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert sources == let_in and all((ROOT / name).exists() for name in sources)
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks"}
    assert packages | {"dbt_project"} <= sources


def test_the_workflow_runs_what_there_is():
    steps = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
    commands = [step["run"].strip() for step in steps if "run" in step]
    assert "bash .ci/run" in commands
    for command in commands:
        words = shlex.split(command, comments=True)
        if words[0] == "holdfast":
            assert understood(words[1:])
        if words[:5] == ["docker", "compose", "run", "--rm", "night"]:
            assert understood(words[5:])


def test_another_python_is_named_with_a_remedy(tmp_path):
    """The programs are stand-ins: one says that it is Python 3.10, and has neither venv nor pip."""
    old = tmp_path / "python3"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.10.13" && exit 0\nexit 1\n')
    old.chmod(0o755)
    environment = {"PATH": str(tmp_path), "PYTHON": ""}
    for tool in ("sh", "rm"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    script = ["/bin/sh", str(ROOT / ".ci" / "venv"), str(tmp_path / "venv")]
    done = subprocess.run(script, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Python 3.10.13" in done.stdout and "remedy: install one" in done.stderr
    assert not (tmp_path / "venv").exists()


@pytest.mark.slow
def test_the_wheel_holds_the_dbt_project_and_the_playbook(tmp_path):
    """Built from a copy: the build leaves files next to what it builds."""
    import zipfile

    code = {"assets", "campaigns", "dbt_project", "expectations", "pipelines", "simulation"}
    for folder in code:
        shutil.copytree(ROOT / folder, tmp_path / "copy" / folder)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / "copy")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    subprocess.run([*build, str(tmp_path / "copy")], check=True)
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        held = set(wheel.namelist())
    there = {
        path.relative_to(ROOT).as_posix()
        for folder in code
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and not {"__pycache__", "target", "logs"} & set(path.parts) and path.name != ".user.yml"
    }
    assert there - held == set()
    assert {name.split("/")[0] for name in held} - code == {f"holdfast-{_version()}.dist-info"}


def _version() -> str:
    import tomllib

    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
