"""A command that is printed does the same when it is pasted into a shell, whatever the folder and the words are."""

import ast
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from assets.shared.commands import command, dagster_command, home_folder, release_command
from pipelines.cli import _parser

ROOT = Path(__file__).resolve().parents[3]
MODULES = sorted(path for folder in ("assets", "pipelines", "expectations") for path in (ROOT / folder).rglob("*.py"))

#: What a command looks like in a text.
A_COMMAND = re.compile(r"holdfast (run|retrain|release --|rollback --|quarantine|check-source|ui)|make (run|ui)")

#: Stands for every value that a printed command takes from the run: a date, a moment, an id, a path.
VALUE = "2024-05-01"


def test_the_home_of_the_process_is_in_it(monkeypatch, tmp_path):
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "my shop"))
    words = shlex.split(command("run", "--as-of", "2024-05-01"))
    arguments = _parser().parse_args(words[1:])
    assert (arguments.home, str(arguments.as_of)) == (tmp_path / "my shop", "2024-05-01")
    assert shlex.split(command("run", home=tmp_path / "it's"))[-1] == str(tmp_path / "it's")


def test_of_a_run_as_known_earlier_it_is_the_home_of_the_nights(monkeypatch, tmp_path):
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "as_known" / "x"))
    monkeypatch.setenv("HOLDFAST_RAW_HOME", str(tmp_path))
    assert shlex.split(command("run"))[-1] == str(tmp_path)


def test_without_a_name_the_home_is_data_of_the_folder_where_one_is(monkeypatch, tmp_path):
    monkeypatch.delenv("HOLDFAST_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert home_folder() == tmp_path / "data"


@pytest.mark.parametrize("run_id", ["a3f1", "of two words"])
def test_the_release_of_a_night_names_it_as_the_command_wants_it(run_id):
    arguments = _parser().parse_args(shlex.split(release_command("2024-05-01", run_id))[1:])
    assert (str(arguments.as_of), arguments.run) == ("2024-05-01", run_id) and arguments.reason


def test_a_shell_finds_the_program_from_any_folder(tmp_path):
    """As somebody does who reads the page: another shell, another folder, nothing set up."""
    shell = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    line = command("rollback", "--list", home=tmp_path / "no home")
    done = subprocess.run(line, shell=True, cwd=tmp_path, env=shell, capture_output=True, text=True, check=False)
    assert done.returncode == 2 and f"there is no home at {tmp_path / 'no home'}" in done.stderr
    assert not (tmp_path / "no home").exists()


def test_dagsters_own_command_knows_home_and_program(monkeypatch, tmp_path):
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "my shop"))
    home, dagster_home, program, *words = shlex.split(dagster_command("asset", "materialize"))
    assert home == f"HOLDFAST_HOME={tmp_path / 'my shop'}"
    assert dagster_home == f"DAGSTER_HOME={tmp_path / 'my shop' / 'dagster'}"
    assert (Path(program).name, words) == ("dagster", ["asset", "materialize"])


# -- Every command that is printed ------------------------------------------------------------------------------------


def printed_commands() -> list[tuple[str, list[str]]]:
    """(file, words) of every call of `command`, with a value for what the run puts in. Starred words are values."""
    return [
        (path.relative_to(ROOT).as_posix(), [word for word in map(_word, node.args) if word is not None])
        for path in MODULES
        if path.name != "commands.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "command"
    ]


def _word(argument: ast.expr) -> str | None:
    if isinstance(argument, ast.Starred):
        return None
    return argument.value if isinstance(argument, ast.Constant) else VALUE


@pytest.mark.parametrize(("file", "words"), printed_commands())
def test_every_printed_command_is_one_that_the_command_line_knows(file, words):
    assert callable(_parser().parse_args([*words, "--home", "data"]).command), file


def test_no_command_is_printed_but_by_the_one_function():
    """Else it would lack the home, or quotes, or the program."""
    strays = []
    for path in MODULES:
        tree = ast.parse(path.read_text())
        documentation = {
            id(node.body[0].value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        strays += [
            f"{path.name}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in documentation
            and A_COMMAND.search(node.value)
        ]
    assert printed_commands() and strays == []
