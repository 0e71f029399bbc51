"""The ledger of erasures only grows, says nobody's name, and knows them again."""

import json
import stat

import duckdb
import pytest

from assets.shared.erasure_ledger import Fingerprints, append_to_ledger, new_pseudonym, read_ledger
from assets.shared.errors import UserError


def line(*ids: str, fingerprints: Fingerprints, status: str = "erased") -> dict:
    return {"status": status, "fingerprints": [fingerprints.of(one) for one in ids]}


def test_a_fingerprint_in_sql_is_that_of_python(tmp_path, monkeypatch):
    for key in (None, "short", "x" * 100):
        if key:
            monkeypatch.setenv("HOLDFAST_ERASURE_KEY", key)
        made = Fingerprints.of_home(tmp_path, make_key=True)
        sql, parameters = made.sql("'Zoë 1'")
        assert duckdb.execute(f"select {sql}", parameters).fetchone()[0] == made.of("Zoë 1")


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path):
    first = Fingerprints.of_home(tmp_path, make_key=True)
    assert stat.S_IMODE((tmp_path / "erasure.key").stat().st_mode) == 0o600
    append_to_ledger(tmp_path, [line("a", fingerprints=first)])
    again = Fingerprints.of_home(tmp_path, make_key=True)
    assert again.of("a") in again.known and again.of("b") not in again.known
    assert stat.S_IMODE((tmp_path / "ledgers" / "erasures.jsonl").stat().st_mode) == 0o600


def test_a_lost_key_is_told_and_never_replaced(tmp_path):
    append_to_ledger(tmp_path, [line("a", fingerprints=Fingerprints.of_home(tmp_path, make_key=True))])
    (tmp_path / "erasure.key").unlink()
    for make in (False, True):
        with pytest.raises(UserError, match="key of the erasure ledger is not there"):
            Fingerprints.of_home(tmp_path, make_key=make)


def test_the_key_comes_from_a_file_that_the_environment_names(tmp_path, monkeypatch):
    (tmp_path / "k").write_text("one key\n")
    monkeypatch.setenv("HOLDFAST_ERASURE_KEY_FILE", str(tmp_path / "k"))
    by_file = Fingerprints.of_home(tmp_path, make_key=True).of("a")
    monkeypatch.delenv("HOLDFAST_ERASURE_KEY_FILE")
    monkeypatch.setenv("HOLDFAST_ERASURE_KEY", "one key")
    assert Fingerprints.of_home(tmp_path, make_key=True).of("a") == by_file
    assert not (tmp_path / "erasure.key").exists()


def test_a_home_in_which_nobody_was_erased_needs_no_key(tmp_path):
    assert not Fingerprints.of_home(tmp_path).known and not (tmp_path / "erasure.key").exists()


def test_who_was_refused_is_not_known_as_erased(tmp_path):
    prints = Fingerprints.of_home(tmp_path, make_key=True)
    append_to_ledger(tmp_path, [line("a", fingerprints=prints, status="refused")])
    assert not Fingerprints.of_home(tmp_path).known


@pytest.mark.parametrize("harm", ["changed", "removed", "no json"])
def test_a_ledger_that_did_not_only_grow_is_told(tmp_path, harm):
    for n in range(3):
        append_to_ledger(tmp_path, [{"n": n}])
    path = tmp_path / "ledgers" / "erasures.jsonl"
    lines = path.read_text().splitlines()
    lines[1:2] = {"changed": [json.dumps({**json.loads(lines[1]), "n": 7})], "removed": [], "no json": ["{"]}[harm]
    path.write_text("\n".join(lines))
    with pytest.raises(UserError, match=f"line {2 if harm != 'changed' else 3}"):
        read_ledger(tmp_path)


def test_pseudonyms_are_drawn_and_never_twice():
    assert len({new_pseudonym() for _ in range(1000)}) == 1000
