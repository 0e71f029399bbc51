"""Files forced to disk."""

import pytest

from assets.shared import files


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
