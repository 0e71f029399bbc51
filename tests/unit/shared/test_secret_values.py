"""A secret comes from the environment or from a file, and from one of them only."""

import pytest

from assets.shared.errors import UserError
from assets.shared.secret_values import secret
from assets.shared.settings import load_settings

NAME = "HOLDFAST_PUBLISH_POSTGRES"


def test_a_secret_is_in_the_environment_or_in_a_file(tmp_path, monkeypatch):
    assert secret(NAME) == ""
    monkeypatch.setenv(NAME, " postgresql://a ")
    assert secret(NAME) == "postgresql://a"
    (tmp_path / "uri").write_text("postgresql://b\n")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "uri"))
    with pytest.raises(UserError, match="both set"):
        secret(NAME)
    monkeypatch.delenv(NAME)
    assert secret(NAME) == "postgresql://b"


def test_a_file_that_cannot_be_read_is_told_and_shows_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "none"))
    with pytest.raises(UserError, match=f"{NAME}_FILE names cannot be read: No such file"):
        secret(NAME)
    (tmp_path / "packed").write_bytes(b"\xff\xfe")
    monkeypatch.setenv(f"{NAME}_FILE", str(tmp_path / "packed"))
    with pytest.raises(UserError, match="it is no text"):
        secret(NAME)


def test_the_settings_read_both_secrets_from_files(home, tmp_path, monkeypatch):
    for name, value in ((NAME, "postgresql://c"), ("HOLDFAST_WEBHOOK_URL", "https://hook.example")):
        (tmp_path / name).write_text(value + "\n")
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / name))
    settings = load_settings()
    assert (settings.publish_postgres, settings.webhook_url) == ("postgresql://c", "https://hook.example")
    assert "postgresql://c" not in repr(settings) and "hook.example" not in repr(settings)
