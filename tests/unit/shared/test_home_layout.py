"""A home says which layout it has: an older one becomes today's whenever it is killed, a later one is left alone."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from assets.ingest.batches import read_all_batches, read_batches
from assets.ingest.sources import resolve_source
from assets.publish.blocked_sets import blocked_set_of, blocked_sets
from assets.publish.release_ledger import SetId
from assets.publish.rollback import kept_sets, roll_back
from assets.shared.errors import UserError
from assets.shared.home_layout import LAYOUT, require_layout
from assets.shared.published_history import shown_contents
from assets.shared.settings import Settings, prepare_home
from pipelines.cli import main

NIGHT = SetId(date(2024, 8, 1), "run-1")
PUBLISHED = (date(2024, 7, 30), date(2024, 7, 31))


def land(folder: Path, home: Path, money: int) -> None:
    """A shop whose one file is exported as a whole each time: each landing supersedes the one before."""
    (folder / "sales.csv").write_text(f"who,when,money\n7,2024-05-01,{money}\n")
    (folder / "shop.yml").write_text(
        "name: shop\ntables: {transactions: {files: sales.csv, file_changes: replace, "
        "columns: {customer_id: who, occurred_at: when, amount: money}}}\n"
    )
    resolve_source(str(folder / "shop.yml")).land(Settings(home=home, sources=("shop",)))


@pytest.fixture
def old_home(tmp_path) -> Path:
    """A home as the first version left it: two landings of one file, one night that was kept back."""
    home = tmp_path / "home"
    for money in (5, 6, 7):
        land(tmp_path, home, money)
    for path in (home / "raw").rglob("active.json"):
        path.rename(path.with_name("in_force.json"))
    kept = home / "candidates" / "2024-08-01--run-1"
    kept.mkdir(parents=True)
    with duckdb.connect(str(kept / "candidate.duckdb")) as con:
        con.execute("create schema marts; create table marts.run_manifest as select 7 as n")
    (kept / "candidate.json").write_text(json.dumps({"as_of_date": "2024-08-01", "run_id": "run-1"}))
    (kept / "why.md").write_text("# Why")
    (home / "candidates" / ".tmp-123").mkdir()
    (home / "candidates" / ".tmp-123" / "candidate.duckdb").write_text("half")
    for number, day in enumerate(PUBLISHED, 1):
        publish_as_before(home, number, day)
    return home


def publish_as_before(home: Path, number: int, day: date) -> None:
    """A set as a file that is named after its night and lists its history files itself."""
    history, sets = home / "published" / "history" / "run_manifest", home / "published" / "sets"
    history.mkdir(parents=True, exist_ok=True)
    sets.mkdir(exist_ok=True)
    name = f"{number:06d}--{day}--run-{number}.duckdb"
    with duckdb.connect(str(sets / name)) as con:
        con.execute("create schema marts; create schema history")
        con.execute(
            "create table marts.run_manifest as select ?::date as as_of_date, ? as run_id", [day, f"run-{number}"]
        )
        con.execute(f"copy marts.run_manifest to '{history / f'{day}--run-{number}.parquet'}'")
        files = ", ".join(f"'{path}'" for path in sorted(history.iterdir()))
        con.execute(f"create view history.run_manifest as select * from read_parquet([{files}])")
    link = home / "published" / "holdfast.duckdb"
    link.unlink(missing_ok=True)
    link.symlink_to(f"sets/{name}")
    (home / "ledgers").mkdir(exist_ok=True)
    with (home / "ledgers" / "releases.jsonl").open("a") as ledger:
        event = {"kind": "published", "file": name, "by": "", "reason": "", "at": "2024-08-03T05:00:00+00:00"}
        ledger.write(json.dumps({**event, "as_of_date": day.isoformat(), "run_id": f"run-{number}"}) + "\n")


#: Brings a home up to today's layout in another process.
REQUIRED = (
    "import pathlib, sys; from assets.shared import home_layout as h; h.require_layout(pathlib.Path(sys.argv[1]))"
)


def tree(home: Path) -> dict[str, bytes]:
    """Every file of a home but the lock, with its content."""
    return {
        path.relative_to(home).as_posix(): path.read_bytes()
        for path in sorted(home.rglob("*"))
        if path.is_file() and path.name != ".run.lock"
    }


def settings_of(home: Path) -> Settings:
    return Settings(home=home, sources=("shop",))


def test_a_new_home_notes_its_layout_and_says_nothing(tmp_path, capsys):
    home = tmp_path / "home"
    for _ in range(2):
        prepare_home(settings_of(home))
        assert tree(home) == {"home.json": f'{{"layout": {LAYOUT}}}\n'.encode()}
    assert capsys.readouterr().err == ""


def test_a_home_of_the_first_version_keeps_what_it_knows(old_home):
    assert len(read_batches(settings_of(old_home), ["shop"])) == 3, "without its old names everything would count"
    said = []
    require_layout(old_home, said.append)
    (active,) = read_batches(settings_of(old_home), ["shop"])
    batches = read_all_batches(settings_of(old_home), ["shop"])
    assert [b.counts_at() for b in batches] == [False, False, True] and batches[-1] == active
    assert all(isinstance(end, datetime) for b in batches[:2] for _, end in b.periods)
    kept = blocked_set_of(settings_of(old_home), NIGHT)
    with duckdb.connect(str(kept.database), read_only=True) as con:
        assert con.execute("from marts.run_manifest").fetchall() == [(7,)]
    assert kept.page.read_text() == "# Why"
    assert not (old_home / "candidates").exists() and not list(old_home.rglob("in_force.json"))
    assert (old_home / "blocked").stat().st_mode & 0o077 == 0, "it holds what nobody was to read"
    (words,) = said
    assert str(old_home) in words and f"layout {LAYOUT}" in words and "6 files and folders" in words
    before = tree(old_home)
    require_layout(old_home, said.append)
    assert tree(old_home) == before and len(said) == 1


@pytest.mark.parametrize("read_only", [True, False])
def test_published_sets_of_before_are_shown_and_can_be_gone_back_to(old_home, read_only):
    settings = settings_of(old_home)
    with duckdb.connect(str(settings.published_db), read_only=read_only) as reader:
        done = subprocess.run(
            [sys.executable, "-c", REQUIRED, str(old_home)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert reader.execute("select count(*) from history.run_manifest").fetchone() == (2,), "it keeps its file"
    with duckdb.connect(str(settings.published_db), read_only=True) as con:
        assert con.execute("select as_of_date from holdfast.marts.run_manifest").fetchall() == [(PUBLISHED[1],)]
    contents = shown_contents(settings)
    assert (contents.as_of_date, contents.run_id) == (PUBLISHED[1], "run-2")
    assert list(contents.paths(settings.published, "run_manifest")) == list(PUBLISHED)
    assert all(path.is_file() for path in contents.paths(settings.published, "run_manifest").values())
    assert sorted(path.name for path in (settings.published / "sets").iterdir()) == [
        f"00000{n}--{day}--run-{n}" for n, day in enumerate(PUBLISHED, 1)
    ]
    assert [(s.night.run_id, s.is_shown, s.is_changed) for s in kept_sets(settings)] == [
        ("run-2", True, False),
        ("run-1", False, False),
    ]
    roll_back(settings, "somebody")
    assert shown_contents(settings).run_id == "run-1"


def test_a_published_set_of_before_that_cannot_be_read_is_named_and_the_remedy_works(old_home):
    broken = old_home / "published" / "sets" / f"000001--{PUBLISHED[0]}--run-1.duckdb"
    broken.write_bytes(b"no database" * 1000)
    with pytest.raises(UserError, match=f"{broken.name} cannot be read") as refused:
        require_layout(old_home, lambda words: None)
    assert "move the file away" in refused.value.remedy
    broken.unlink()
    require_layout(old_home, lambda words: None)
    assert shown_contents(settings_of(old_home)).run_id == "run-2"


def test_the_line_goes_to_stderr_once(old_home, capsys):
    for _ in range(2):
        prepare_home(settings_of(old_home))
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("holdfast: ") and "earlier version" in lines[0]


KILLED = """
import os, pathlib, shutil, sys
from assets.shared import files, home_layout
at, calls = int(sys.argv[2]), iter(range(1000))
def dying(act):
    def call(*arguments, **options):
        if next(calls) == at:
            os._exit(9)
        return act(*arguments, **options)
    return call
for name in ("rename", "replace", "unlink", "rmdir", "mkdir", "write_text", "hardlink_to", "chmod", "symlink_to"):
    setattr(pathlib.Path, name, dying(getattr(pathlib.Path, name)))
shutil.rmtree = dying(shutil.rmtree)
home_layout.require_layout(pathlib.Path(sys.argv[1]), print)
"""


@pytest.mark.campaign
def test_a_kill_at_any_moment_and_another_start_give_the_same_home(old_home, tmp_path):
    untouched = tmp_path / "untouched"
    shutil.copytree(old_home, untouched, symlinks=True)
    require_layout(old_home, lambda words: None)
    wanted, shown = tree(old_home), (old_home / "published" / "holdfast.duckdb").readlink()
    n_kills = 0
    while True:
        home = tmp_path / f"killed-{n_kills}"
        shutil.copytree(untouched, home, symlinks=True)
        done = subprocess.run([sys.executable, "-c", KILLED, str(home), str(n_kills)], capture_output=True, check=False)
        if done.returncode == 0:
            break
        assert done.returncode == 9, done.stderr
        require_layout(home, lambda words: None)
        found = tree(home)
        assert {name: text for name, text in found.items() if "/.tmp-" not in f"/{name}"} == wanted
        assert (home / "published" / "holdfast.duckdb").readlink() == shown
        n_kills += 1
    assert n_kills >= 20, "each rename, removal and write was once the last"


def test_what_has_both_names_keeps_the_later_one(old_home):
    """Batches and nights that a version without `home.json` wrote under today's names."""
    batch = next((old_home / "raw").rglob("in_force.json")).parent
    (batch / "active.json").write_text("[]")
    again = old_home / "blocked" / "2024-08-01--run-1"
    again.mkdir(parents=True)
    (again / "blocked.json").write_text(json.dumps({"as_of_date": "2024-08-01", "run_id": "run-1"}))
    (again / "why.md").write_text("# Again")
    require_layout(old_home, lambda words: None)
    assert (batch / "active.json").read_text() == "[]" and not (batch / "in_force.json").exists()
    assert [kept.page.read_text() for kept in blocked_sets(settings_of(old_home))] == ["# Again"]


@pytest.mark.parametrize("layout", [LAYOUT + 1, 0, "2", True, None])
def test_a_layout_that_is_not_known_is_refused_and_left_alone(old_home, layout):
    (old_home / "home.json").write_text(json.dumps({"layout": layout}))
    before = tree(old_home)
    with pytest.raises(UserError, match=f"has layout {layout!r}, and this version of holdfast knows") as error:
        prepare_home(settings_of(old_home))
    assert "install the version that last used this home" in error.value.remedy
    assert tree(old_home) == before


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "2"])
def test_a_damaged_note_is_refused_and_its_remedy_works(tmp_path, text):
    path = tmp_path / "home.json"
    path.write_text(text)
    with pytest.raises(UserError, match="home.json cannot be read") as error:
        prepare_home(settings_of(tmp_path))
    path.write_text(error.value.remedy.split("write ")[1].split(" into it")[0])
    prepare_home(settings_of(tmp_path))


def test_commands_that_only_read_see_an_old_home_as_it_is_and_refuse_a_later_one(old_home, monkeypatch, capsys):
    monkeypatch.setenv("HOLDFAST_HOME", str(old_home))
    assert main(["quarantine", "list"]) == 0
    assert "1 batches: 1 rows in = 1 accepted" in capsys.readouterr().out
    (old_home / "home.json").write_text(json.dumps({"layout": LAYOUT + 1}))
    for command in (["quarantine", "list"], ["quarantine", "show"], ["rollback", "--list"], ["release", "--list"]):
        assert main(command) == 2
        assert f"has layout {LAYOUT + 1}" in capsys.readouterr().err


def test_the_home_whose_batches_are_read_is_brought_up_to_date_too(old_home):
    inner = replace(settings_of(old_home / "as_known" / "2024-06-01T00"), raw_home=old_home)
    prepare_home(inner)
    assert len(read_batches(inner, ["shop"])) == 1
    assert json.loads((inner.home / "home.json").read_text()) == {"layout": LAYOUT}


HOLDING = """
import pathlib, sys, time
from assets.shared.lock import folder_lock
with folder_lock(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
    (pathlib.Path(sys.argv[1]) / "ended").touch()
"""


def test_a_home_is_not_renamed_under_a_run(old_home):
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(old_home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout.readline() == "held\n"
    said = []

    def on_word(words: str) -> None:
        said.append((words, (old_home / "ended").exists()))
        if "waiting" in words:
            holder.stdin.write("\n")
            holder.stdin.flush()

    require_layout(old_home, on_word)
    holder.wait()
    (waits, had_ended), (done, has_ended) = said
    assert f"process {holder.pid}" in waits and not had_ended
    assert f"layout {LAYOUT}" in done and has_ended
