"""A backup is a whole home or none, and what is restored is the same to the byte."""

import json
import sqlite3
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from assets.shared.errors import UserError
from assets.shared.home_layout import LAYOUT
from pipelines.cli import main
from pipelines.home_archive import LIST, back_up, restore


@pytest.fixture
def home(tmp_path) -> Path:
    made = tmp_path / "shop"
    for name, content in {
        "home.json": json.dumps({"layout": LAYOUT}),
        "home.yml": "sources: [completejourney]\n",
        "raw/shop/rows.parquet": "rows" * 1000,
        "published/sets/000001/holdfast.duckdb": "tables",
        "ledgers/.tmp-plan-7": "half",
        "dbt/target/run.sql": "select 1",
        "spill/x": "spill",
        ".run.lock": "1",
    }.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(content)
    (made / "published/sets/000001/holdfast.duckdb").chmod(0o444)
    (made / "published/holdfast.duckdb").symlink_to("sets/000001/holdfast.duckdb")
    (made / "dagster/history").mkdir(parents=True)
    return made


def content(home: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted(home.rglob("*")):
        if path.is_symlink():
            found[str(path.relative_to(home))] = str(path.readlink())
        elif path.is_file():
            found[str(path.relative_to(home))] = (path.read_bytes(), path.stat().st_mode & 0o777)
    return found


def test_what_is_restored_is_what_was_saved(home, tmp_path):
    archive = tmp_path / "shop.tar.gz"
    said: list[str] = []
    made = back_up(home, archive, said.append)
    assert archive.stat().st_mode & 0o777 == 0o600, "it holds personal data"
    assert [line.split(":")[0] for line in said] == sorted(
        p.name for p in home.iterdir() if p.name not in {"dbt", "spill", ".run.lock", "backup.keys"}
    )
    again = restore(archive, tmp_path / "again")
    kept = {
        name: facts
        for name, facts in content(home).items()
        if name.split("/")[0] not in {"dbt", "spill", "backup.keys"}
    }
    for name in ("ledgers/.tmp-plan-7", ".run.lock"):
        del kept[name]
    assert content(tmp_path / "again") == kept
    assert made == again and made.n_files == len(kept)
    assert (tmp_path / "again/published/holdfast.duckdb").read_text() == "tables"
    assert (tmp_path / "again").stat().st_mode & 0o077 == 0


def test_an_sqlite_file_is_saved_with_what_its_log_holds(home, tmp_path):
    con = sqlite3.connect(home / "dagster/history/runs.db")
    con.execute("pragma journal_mode=wal")
    con.execute("create table runs (id int)")
    con.execute("insert into runs values (7)")
    con.commit()
    back_up(home, tmp_path / "a.tar.gz", lambda _: None)
    con.close()
    restore(tmp_path / "a.tar.gz", tmp_path / "again")
    assert [p.name for p in (tmp_path / "again/dagster/history").iterdir()] == ["runs.db"]
    with sqlite3.connect(tmp_path / "again/dagster/history/runs.db") as saved:
        assert saved.execute("select id from runs").fetchall() == [(7,)]
    saved.close()


@pytest.mark.parametrize("n_bytes", [0, 10, 300, -20])
def test_half_an_archive_restores_nothing(home, tmp_path, n_bytes):
    archive = tmp_path / "a.tar.gz"
    back_up(home, archive, lambda _: None)
    archive.write_bytes(archive.read_bytes()[:n_bytes])
    with pytest.raises(UserError, match="is no whole backup"):
        restore(archive, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def repacked(archive: Path, change) -> None:
    """The archive with its members as (name, bytes) pairs changed."""
    with tarfile.open(archive) as tar:
        members = [(m.name, tar.extractfile(m).read()) for m in tar.getmembers()]
    import io

    with tarfile.open(archive, "w:gz") as tar:
        for name, data in change(members):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(
    "change",
    [
        lambda members: [(n, d.replace(b"rows", b"ROWS", 1)) for n, d in members],
        lambda members: [(n, d) for n, d in members if n != "home.yml"],
        lambda members: [*members, ("raw/extra", b"1")],
        lambda members: [(n, d) for n, d in members if n != LIST],
        lambda members: [(n, d.replace(b"sets/000001/holdfast.duckdb", b"../../etc/passwd", 2)) for n, d in members],
    ],
    ids=["other content", "one file less", "one file more", "no list", "a link out of the home"],
)
def test_an_archive_that_was_changed_restores_nothing(home, tmp_path, change):
    archive = tmp_path / "a.tar.gz"
    back_up(home, archive, lambda _: None)
    repacked(archive, change)
    with pytest.raises(UserError, match="is no whole backup"):
        restore(archive, tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_a_home_of_a_later_version_is_refused(home, tmp_path):
    (home / "home.json").write_text(json.dumps({"layout": LAYOUT + 1}))
    back_up(home, tmp_path / "a.tar.gz", lambda _: None)
    with pytest.raises(UserError, match="this version of holdfast knows layouts"):
        restore(tmp_path / "a.tar.gz", tmp_path / "again")
    assert not (tmp_path / "again").exists()


def test_errors_name_what_to_do(home, tmp_path):
    with pytest.raises(UserError, match="lies in the home"):
        back_up(home, home / "raw" / "a.tar.gz", lambda _: None)
    with pytest.raises(UserError, match="is no folder"):
        back_up(home, tmp_path / "none" / "a.tar.gz", lambda _: None)
    back_up(home, tmp_path / "a.tar.gz", lambda _: None)
    with pytest.raises(UserError, match="is there already"):
        restore(tmp_path / "a.tar.gz", home)
    with pytest.raises(UserError, match="is not there"):
        restore(tmp_path / "b.tar.gz", tmp_path / "again")


def test_both_commands_say_what_they_did(home, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOLDFAST_HOME", str(home))
    assert main(["backup", str(tmp_path / "a.tar.gz")]) == 0
    assert capsys.readouterr().out.startswith(f"{tmp_path / 'a.tar.gz'}: 5 files, ")
    assert main(["restore", str(tmp_path / "a.tar.gz"), "--home", str(tmp_path / "again")]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"{tmp_path / 'again'}: 5 files, ") and "status" in out


def test_a_quiet_backup_says_nothing(home, tmp_path):
    program = Path(sys.executable).with_name("holdfast")
    command = [str(program), "backup", "--quiet", str(tmp_path / "a.tar.gz"), "--home", str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == done.stderr == "" and (tmp_path / "a.tar.gz").exists()
