"""Files and folders are forced to disk, and are in their place as a whole or not at all."""

import subprocess
import sys

import pytest

from assets.shared import files
from assets.shared.leftovers import sweep_leftovers
from assets.shared.settings import Settings


def test_files_and_folders_are_forced_to_disk_and_closed(tmp_path, monkeypatch):
    forced, closed = [], []
    monkeypatch.setattr(files.os, "fsync", forced.append)
    close = files.os.close
    monkeypatch.setattr(files.os, "close", lambda descriptor: (closed.append(descriptor), close(descriptor)))
    path = tmp_path / "a"
    path.write_text("x")
    files.sync_path(path)
    files.sync_path(tmp_path)
    assert len(forced) == 2
    assert closed == forced


def test_what_is_not_there_cannot_be_forced_to_disk(tmp_path):
    with pytest.raises(FileNotFoundError):
        files.sync_path(tmp_path / "none")


def names(folder) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_the_place_of_the_former_one_and_nothing_else_is_left(tmp_path):
    path = tmp_path / "new" / "file.txt"
    for text in ("one", "zwei ü"):
        files.write_whole(path, text)
        assert path.read_text(encoding="utf-8") == text and names(path.parent) == ["file.txt"]


def test_a_file_is_on_disk_before_it_is_in_its_place_and_its_folder_after(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(files, "sync_path", lambda path: seen.append((path, (tmp_path / "file.txt").exists())))
    files.write_whole(tmp_path / "file.txt", "x")
    (written, was_there), (folder, is_there) = seen
    assert (written.parent, was_there, folder, is_there) == (tmp_path, False, tmp_path, True)


def test_a_writer_that_raises_changes_nothing(tmp_path):
    path = tmp_path / "file.txt"
    files.write_whole(path, "old")
    with pytest.raises(ZeroDivisionError), files.replacing(path) as unfinished:
        unfinished.write_text("half")
        1 / 0  # noqa: B018
    assert path.read_text() == "old" and names(tmp_path) == ["file.txt"]


def fill(folder, text: str) -> None:
    (folder / "data").write_text(text)
    (folder / "facts").write_text(text)


def test_a_new_folder_is_complete_when_it_is_there(tmp_path):
    target = tmp_path / "batches" / "00ff"
    with files.new_folder(target) as unfinished:
        fill(unfinished, "x")
        assert not target.exists()
    assert names(target) == ["data", "facts"] and names(target.parent) == ["00ff"]


def test_of_two_writers_of_one_new_folder_the_first_stays(tmp_path):
    target = tmp_path / "00ff"
    with files.new_folder(target) as unfinished:
        fill(unfinished, "second")
        target.mkdir()
        fill(target, "first")
        (target / "later").write_text("")
    assert (target / "data").read_text() == "first" and names(tmp_path) == ["00ff"]


def test_a_folder_that_is_not_complete_is_not_taken_for_the_first(tmp_path):
    target = tmp_path / "00ff"
    with pytest.raises(OSError), files.new_folder(target) as unfinished:
        fill(unfinished, "x")
        target.mkdir()
        (target / "data").write_text("only")


def test_a_folder_is_replaced_as_a_whole(tmp_path):
    target = tmp_path / "model"
    for text in ("old", "new"):
        with files.replacing_folder(target) as unfinished:
            fill(unfinished, text)
            assert not target.exists() or (target / "data").read_text() == "old"
    assert (target / "facts").read_text() == "new" and names(tmp_path) == ["model"]
    with pytest.raises(ZeroDivisionError), files.replacing_folder(target) as unfinished:
        1 / 0  # noqa: B018
    assert (target / "facts").read_text() == "new" and names(tmp_path) == ["model"]


def test_a_removed_folder_is_gone_with_all_that_is_in_it(tmp_path):
    fill_me = tmp_path / "blocked"
    fill_me.mkdir()
    fill(fill_me, "x")
    files.remove_folder(fill_me)
    assert names(tmp_path) == []


def test_a_link_leads_to_the_new_target_from_wherever_the_home_is(tmp_path):
    link = tmp_path / "home" / "current"
    (tmp_path / "home" / "sets").mkdir(parents=True)
    for name in ("a", "b"):
        (tmp_path / "home" / "sets" / name).write_text(name)
        files.replace_link(link, tmp_path / "home" / "sets" / name)
        assert link.read_text() == name
    (tmp_path / "home").rename(tmp_path / "moved")
    assert (tmp_path / "moved" / "current").read_text() == "b" and names(tmp_path / "moved") == ["current", "sets"]


KILLED = """
import os, pathlib, sys
from assets.shared import files
target, kind, at = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
calls = iter(range(100))
def die(*_):
    if next(calls) == at:
        os._exit(9)
rename, sync = pathlib.Path.rename, files.sync_path
pathlib.Path.rename = lambda self, to: (die(), rename(self, to))[1]
files.sync_path = lambda path: (die(), sync(path))[1]
with getattr(files, kind)(target) as unfinished:
    (unfinished / "data").write_text("new")
    (unfinished / "facts").write_text("new")
"""


@pytest.mark.parametrize("kind", ["new_folder", "replacing_folder"])
def test_a_writer_that_is_killed_anywhere_leaves_no_half_folder_and_what_it_left_is_swept(tmp_path, kind):
    """Each call that forces to disk or renames is once the last one."""
    texts = set()
    for at in range(100):
        home = tmp_path / str(at)
        target = home / "models" / "00ff"
        target.parent.mkdir(parents=True)
        if kind == "replacing_folder":
            target.mkdir()
            fill(target, "old")
        done = subprocess.run([sys.executable, "-c", KILLED, str(target), kind, str(at)], check=False)
        found = {(target / name).read_text() for name in names(target)} if target.exists() else set()
        assert len(found) <= 1 and (not found or names(target) == ["data", "facts"])
        texts |= found
        sweep_leftovers(Settings(home=home, sources=()))
        assert names(target.parent) == (["00ff"] if found else [])
        if done.returncode == 0:
            break
        assert done.returncode == 9
    assert at >= 5 and "new" in texts
