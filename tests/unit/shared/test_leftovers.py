"""What dead writers leave is swept; what the living write, and what is in place, is not."""

import os
import subprocess
import sys

import pytest

from assets.shared.leftovers import process_lives, sweep_leftovers
from assets.shared.settings import Settings


@pytest.fixture(scope="module")
def dead():
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_files_and_folders_of_dead_writers_are_removed(tmp_path, dead):
    left = [
        tmp_path / "models" / f".tmp-2024-07-01-0a1b2c3d-{dead}",
        tmp_path / "models" / f".old-2024-07-01-0a1b2c3d-{dead}",
        tmp_path / "raw" / "shop" / "transactions" / f".tmp-00ff-{dead}",
        tmp_path / "raw" / "shop" / "transactions" / "00ff" / "redriven" / f".tmp-11aa-{dead}",
    ]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / "content").write_text("")
    plan = tmp_path / "ledgers" / "plan" / f".tmp-2024-08-01.parquet-{dead}"
    plan.parent.mkdir(parents=True)
    plan.write_text("")
    files = [
        plan,
        *(
            tmp_path / name
            for name in (
                f"raw/.tmp-.content.json-{dead}",
                f"raw/shop/transactions/00ff/.tmp-active.json-{dead}",
                f"quarantine/shop/transactions/refused/.tmp-0a1b.json-{dead}",
                f".tmp-write-probe-{dead}",
            )
        ),
    ]
    for path in files:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert set(sweep_leftovers(Settings(home=tmp_path, sources=()))) == {*left, *files}
    assert not [path for path in (*left, *files) if path.exists()]


def test_every_text_that_is_written_whole_is_swept_where_its_writer_dies(tmp_path):
    """Names that the sweep does not know would stay for ever."""
    target = tmp_path / "raw" / ".content.json"
    target.parent.mkdir()
    write = f"""
import os, pathlib
from assets.shared import files
files.sync_path = lambda path: os._exit(9)
files.write_whole(pathlib.Path({str(target)!r}), "text")
"""
    assert subprocess.run([sys.executable, "-c", write], check=False).returncode == 9
    assert len(sweep_leftovers(Settings(home=tmp_path, sources=()))) == 1 and not list(target.parent.iterdir())


def test_what_is_in_place_or_being_written_stays(tmp_path, dead):
    kept = [
        tmp_path / "models" / f".tmp-2024-07-01-0a1b2c3d-{os.getpid()}",
        tmp_path / "models" / "2024-07-01-0a1b2c3d",
        tmp_path / "raw" / "shop" / "transactions" / "00ff",
        tmp_path / "raw" / ".spill",
        tmp_path / "published" / f".tmp-x-{dead}",
        tmp_path / "models" / f"of-the-user-{dead}",
    ]
    for folder in kept:
        folder.mkdir(parents=True)
    assert sweep_leftovers(Settings(home=tmp_path, sources=())) == []
    assert all(folder.exists() for folder in kept)


def test_a_home_without_state_has_nothing_to_sweep(tmp_path):
    assert sweep_leftovers(Settings(home=tmp_path / "none", sources=())) == []


def test_processes_live_or_do_not(dead):
    assert process_lives(os.getpid()) and process_lives(1) and not process_lives(dead)
