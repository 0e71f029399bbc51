"""`holdfast release` and `holdfast rollback` as a person types them."""

from datetime import date

import pytest
from toy_marts import MARTS, complete_sets, make_and_publish, make_marts, publish_toy

from assets.publish.publication import NotReleased
from assets.shared.settings import load_settings
from pipelines import current_user
from pipelines.cli import main

JUNE, JULY = date(2017, 6, 1), date(2017, 7, 1)


@pytest.fixture
def published(home, monkeypatch):
    """A home with two nights, and commands that know the toy's marts without reading the dbt project."""
    monkeypatch.setattr(current_user, "parsed_project", lambda settings: None)
    monkeypatch.setattr("assets.publish.defs.declared_marts", lambda project: MARTS)
    monkeypatch.setattr(current_user.getpass, "getuser", lambda: "ann")
    make_and_publish(home, JUNE, "a", keep_sets=3)
    make_and_publish(home, JULY, "b", keep_sets=3)
    return home


def block(home, run_id: str) -> None:
    make_marts(load_settings(), JULY, run_id, passed=False)
    with pytest.raises(NotReleased):
        publish_toy(home, JULY, run_id, keep_sets=3)


def test_rollback_lists_goes_back_and_resumes(published, capsys):
    assert main(["rollback", "--list"]) == 0
    listed = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in listed] == ["b", "a"] and listed[0].endswith("<- shown")
    assert main(["rollback", "--reason", "wrong prices"]) == 0
    assert "back from 2017-07-01 of run b to 2017-06-01 of run a" in capsys.readouterr().out
    assert complete_sets(published) == {(JUNE, "a", 50)}
    main(["rollback", "--list"])
    listed = capsys.readouterr().out
    assert "(withdrawn)" in listed and "on hold since" in listed and "by ann: wrong prices" in listed
    assert main(["rollback", "--resume"]) == 0
    assert "published again" in capsys.readouterr().out


def test_release_lists_refuses_and_releases(published, capsys):
    assert main(["release"]) == 0
    assert "no blocked night is waiting" in capsys.readouterr().out
    block(published, "c")
    main(["release", "--list"])
    assert "--as-of 2017-07-01 --run c" in capsys.readouterr().out
    assert main(["release", "--as-of", "2017-07-01", "--run", "c"]) == 2
    assert "needs a reason" in capsys.readouterr().err
    assert main(["release", "--run", "c", "--reason", "x"]) == 2
    assert main(["release", "--as-of", "2017-07-01", "--run", "zzz", "--reason", "x"]) == 2
    assert "no blocked set" in capsys.readouterr().err
    assert complete_sets(published) == {(JULY, "b", 50)}
    assert main(["release", "--as-of", "2017-07-01", "--run", "c", "--reason", "known drop"]) == 0
    assert "released: 2017-07-01 of run c is now in schemas marts and history, on duckdb" in capsys.readouterr().out
    assert complete_sets(published) == {(JULY, "c", 50)}


def test_a_wrong_date_is_refused_by_the_parser(published, capsys):
    with pytest.raises(SystemExit):
        main(["release", "--as-of", "yesterday"])
    assert "write YYYY-MM-DD" in capsys.readouterr().err


def test_the_person_behind_sudo_is_named(monkeypatch):
    monkeypatch.setattr(current_user.getpass, "getuser", lambda: "root")
    monkeypatch.setenv("SUDO_USER", "ann")
    assert current_user.current_user() == "ann as root"
    monkeypatch.delenv("SUDO_USER")
    assert current_user.current_user() == "root"
