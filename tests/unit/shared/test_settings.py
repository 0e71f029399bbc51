"""Limits of a run come from the environment, else from what the machine or its container has."""

import pytest

from assets.shared.errors import UserError
from assets.shared.settings import Settings, available_memory, load_settings, parse_bytes


@pytest.mark.parametrize(
    ("amount", "n_bytes"),
    [("6GB", 6 * 10**9), ("6GiB", 6 * 2**30), ("700 mb", 7 * 10**8), ("1.5gib", 1_610_612_736), ("2TB", 2 * 10**12)],
)
def test_amounts_are_read_as_written(amount, n_bytes):
    assert parse_bytes(amount) == n_bytes


@pytest.mark.parametrize("amount", ["6", "6 G", "lots", "-1GB", "GB", ""])
def test_anything_else_is_no_amount(amount):
    with pytest.raises(ValueError, match="no amount of memory"):
        parse_bytes(amount)


def test_a_container_with_less_than_the_machine_decides(tmp_path):
    version_2, version_1, unlimited = tmp_path / "max", tmp_path / "limit_in_bytes", tmp_path / "unlimited"
    version_2.write_text("123000000\n")
    version_1.write_text(f"{2**63 - 4096}\n")
    unlimited.write_text("max\n")
    assert available_memory((version_2,)) == 123_000_000
    assert available_memory((version_1,)) == available_memory((unlimited,)) == available_memory((tmp_path / "none",))
    assert available_memory(()) > 123_000_000


def test_without_a_limit_a_run_takes_a_share_of_the_machine(tmp_path):
    settings = Settings(home=tmp_path, sources=("shop",))
    assert settings.memory_bytes == int(0.6 * available_memory())
    assert settings.engine_memory_bytes < settings.memory_bytes


def test_the_limit_is_of_the_whole_run_and_the_engine_gets_most_of_it(tmp_path):
    settings = Settings(home=tmp_path, sources=("shop",), memory_limit="6GB")
    assert settings.memory_bytes == 6_000_000_000
    assert 0.6 * settings.memory_bytes < settings.engine_memory_bytes < settings.memory_bytes


@pytest.mark.parametrize("name", ["HOLDFAST_MEMORY_LIMIT", "HOLDFAST_THREADS"])
@pytest.mark.parametrize("value", ["0", "0GB", "-1", "much", "1.5"])
def test_a_limit_that_is_none_is_refused_by_name(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(UserError, match=name):
        load_settings()


def test_limits_of_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.setenv("HOLDFAST_MEMORY_LIMIT", "2GiB")
    monkeypatch.setenv("HOLDFAST_THREADS", "3")
    settings = load_settings()
    assert (settings.memory_bytes, settings.threads) == (2 * 2**30, 3)


def test_contacts_are_exported_in_the_forms_that_are_asked_for(monkeypatch, tmp_path):
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.delenv("HOLDFAST_PUBLISH_POSTGRES", raising=False)
    assert load_settings().export_as == ("csv",)
    monkeypatch.setenv("HOLDFAST_EXPORT_AS", " parquet, ")
    assert load_settings().export_as == ("csv", "parquet")
    monkeypatch.setenv("HOLDFAST_EXPORT_AS", "excel")
    with pytest.raises(UserError, match="excel") as caught:
        load_settings()
    assert "csv, parquet, postgres" in caught.value.remedy
    monkeypatch.setenv("HOLDFAST_EXPORT_AS", "postgres,csv")
    with pytest.raises(UserError, match="no server is known"):
        load_settings()
    monkeypatch.setenv("HOLDFAST_PUBLISH_POSTGRES", "postgresql://somebody@localhost/db")
    assert load_settings().export_as == ("csv", "postgres")
