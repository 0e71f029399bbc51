"""A file is read again exactly when something was written to it, or might have been."""

import hashlib
import os
import time

import pytest

from assets.ingest import known_content
from assets.ingest.known_content import KnownContent
from assets.ingest.sources import resolve_source


@pytest.fixture
def reads(monkeypatch):
    """Names of the files whose content was read, in order."""
    read = []
    real = known_content.hash_files

    def counted(paths):
        read.extend(path.name for path in paths)
        return real(paths)

    monkeypatch.setattr(known_content, "hash_files", counted)
    return read


@pytest.fixture
def settled(monkeypatch):
    """As if every file had been left alone for long."""
    monkeypatch.setattr(known_content, "SETTLED_AFTER_SECONDS", -1)


def night(folder, *paths):
    content = KnownContent(folder / "noted.json")
    found = [content.hash([path]) for path in paths]
    content.save()
    return found


def told(text: str) -> tuple[str, int]:
    return hashlib.sha256(text.encode()).hexdigest(), len(text)


def test_one_source_does_not_forget_the_files_of_another(tmp_path, reads, settled):
    here, there, gone = (tmp_path / name for name in ("here.csv", "there.csv", "gone.csv"))
    for path in (here, there, gone):
        path.write_text("a")
    night(tmp_path, here, gone)
    gone.unlink()
    for _ in range(2):
        night(tmp_path, there)
        night(tmp_path, here)
    assert reads == ["here.csv", "gone.csv", "there.csv"]
    assert "gone.csv" not in (tmp_path / "noted.json").read_text()


def test_only_new_files_are_read(tmp_path, reads, settled):
    old, new = tmp_path / "old.csv", tmp_path / "new.csv"
    old.write_text("a")
    assert night(tmp_path, old) == [told("a")]
    new.write_text("b")
    assert night(tmp_path, old, new) == [told("a"), told("b")]
    assert night(tmp_path, old, new) == [told("a"), told("b")]
    assert reads == ["old.csv", "new.csv"]


def test_a_file_written_over_with_its_old_size_and_date_is_read(tmp_path, reads, settled):
    file = tmp_path / "sales.csv"
    file.write_text("one")
    night(tmp_path, file)
    before = file.stat()
    time.sleep(0.02)  # more than a tick of the file system's clock
    file.write_text("two")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert night(tmp_path, file) == [told("two")]


def test_a_file_swapped_for_another_is_read(tmp_path, reads, settled):
    file, other = tmp_path / "sales.csv", tmp_path / "other.csv"
    file.write_text("one")
    other.write_text("two")
    os.utime(other, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    night(tmp_path, file)
    other.replace(file)
    assert night(tmp_path, file) == [told("two")]


def test_a_file_written_to_a_moment_ago_is_read_again(tmp_path, reads):
    file = tmp_path / "sales.csv"
    file.write_text("one")
    night(tmp_path, file)
    assert night(tmp_path, file) == [told("one")] and reads == ["sales.csv"] * 2


@pytest.mark.parametrize("damaged", ["", "{", "[1]", '{"x": 1}', '{"x": [1]}'])
def test_damaged_notes_cost_time_only(tmp_path, reads, settled, damaged):
    file = tmp_path / "sales.csv"
    file.write_text("one")
    (tmp_path / "noted.json").write_text(damaged)
    assert night(tmp_path, file) == [told("one")] == night(tmp_path, file)
    assert reads == ["sales.csv"]


def test_several_files_of_one_table_are_one_content(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    assert KnownContent(tmp_path / "noted.json").hash([tmp_path / "a", tmp_path / "b"]) == told("ab")


def test_landing_reads_what_came_and_finds_what_changed(tmp_path, monkeypatch, reads, settled):
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))
    from assets.shared.settings import load_settings, prepare_home

    settings = load_settings()
    prepare_home(settings)
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "shop.yml").write_text(
        "name: shop\nfolder: .\ncurrency: EUR\ntables:\n  transactions:\n    files: 'sales*.csv'\n    columns:"
        " {customer_id: customer, order_id: order, line_id: line, occurred_at: day, amount: amount}\n"
    )

    def deliver(day: int, amount: int = 5) -> None:
        (folder / f"sales-{day}.csv").write_text(
            f"customer,order,line,day,amount\n7,{day},1,2024-01-{day:02d},{amount}\n"
        )

    def land() -> list[int]:
        batches = resolve_source(str(folder / "shop.yml")).land(settings)
        return [batch.rows_accepted for batch in batches if batch.is_new]

    deliver(1)
    assert land() == [1]
    deliver(2)
    assert land() == [1] and reads == ["sales-1.csv", "sales-2.csv"]
    deliver(1, amount=6)
    assert land() == [1] and reads[2:] == ["sales-1.csv"]


@pytest.mark.parametrize(("nanoseconds", "is_noted"), [(3 * 10**9 - 1, False), (3 * 10**9, True)])
def test_a_file_is_noted_three_seconds_after_its_last_change(tmp_path, monkeypatch, nanoseconds, is_noted):
    file, notes = tmp_path / "sales.csv", tmp_path / "notes.json"
    file.write_text("x")
    changed = max(file.stat().st_mtime_ns, file.stat().st_ctime_ns)
    monkeypatch.setattr(known_content.time, "time_ns", lambda: changed + nanoseconds)
    known = known_content.KnownContent(notes)
    known.hash([file])
    known.save()
    assert notes.exists() == is_noted
