"""A run without a date says which sources have not delivered what they should have."""

from datetime import date, timedelta

import pytest

from assets.ingest.sources import resolve_source
from assets.shared.settings import Settings
from pipelines import cli
from pipelines.late_sources import find_late_sources, late_notice

YAML = """
name: {name}
folder: {name}
{top}
tables:
  transactions:
    files: "*.csv"
    columns: {{customer_id: who, occurred_at: day, amount: money}}
    expects: {expects}
"""
FIRST = date(2024, 5, 1)


@pytest.fixture
def home(tmp_path):
    """Land the named sources, each with `n_days` days of 30 rows from the first of May 2024."""

    def landed(*sources: tuple, expects: str = "{}", top: str = "") -> Settings:
        paths = []
        for name, n_days in sources:
            (tmp_path / name).mkdir()
            rows = [f"c{n},{FIRST + timedelta(days=d)},5" for d in range(n_days) for n in range(30)]
            (tmp_path / name / "a.csv").write_text("\n".join(["who,day,money", *rows, ""]))
            paths.append(tmp_path / f"{name}.yml")
            paths[-1].write_text(YAML.format(name=name, expects=expects, top=top))
        settings = Settings(home=tmp_path / "home", sources=tuple(str(path) for path in paths))
        for path in paths:
            resolve_source(str(path)).land(settings)
        return settings

    return landed


def test_a_source_that_lacks_days_says_since_when_what_came_and_what_was_expected(home):
    (found,) = find_late_sources(home(("till", 40)), today=date(2024, 6, 12))
    assert found.last_good == date(2024, 6, 9)
    words = late_notice([found]).what
    for part in (
        "source till",
        "complete up to 2024-06-09",
        "from 2024-06-10 to 2024-06-11 is absent",
        "0 rows, usually 30; at least 1 expected",
    ):
        assert part in words, words


def test_a_source_on_time_is_not_behind(home):
    settings = home(("till", 40))
    assert find_late_sources(settings, today=date(2024, 6, 10)) == []
    assert late_notice([]) is None


def test_one_source_late_the_others_is_told_at_any_time(home):
    found = find_late_sources(home(("till", 40), ("web", 38)), today=date(2026, 1, 1))
    assert [(b.source, b.last_good, len(b.missing)) for b in found] == [("web", date(2024, 6, 7), 2)]


@pytest.mark.parametrize(
    ("expects", "top", "told"),
    [
        ("{}", "", []),
        ("{every_days: 1}", "", ["till"]),
        ("nothing", "", []),
        ("{every_days: 1}", "complete_through: 2024-06-09", []),
    ],
    ids=["learned, long ended", "declared", "nothing expected", "complete through its last day"],
)
def test_who_is_silent_for_long_has_ended_unless_a_cadence_is_declared(home, expects, top, told):
    settings = home(("till", 40), expects=expects, top=top)
    assert [b.source for b in find_late_sources(settings, today=date(2024, 12, 1))] == told


def test_a_long_silence_is_told_from_its_first_day(home):
    (found,) = find_late_sources(home(("till", 40), expects="{every_days: 1}"), today=date(2024, 12, 1))
    assert found.last_good == date(2024, 6, 9) and "from 2024-06-10 to 2024-11-30" in found.words()


@pytest.mark.parametrize("has_succeeded", [True, False])
def test_a_run_without_a_date_tells_and_a_run_of_a_date_does_not(home, monkeypatch, capsys, has_succeeded):
    settings = home(("till", 40), ("web", 38))
    monkeypatch.setenv("HOLDFAST_HOME", str(settings.home))
    monkeypatch.setenv("HOLDFAST_SOURCES", "")
    ran, told = [], []
    monkeypatch.setattr("pipelines.launch.run_job", lambda _, __, days, *___: ran.append(days) or has_succeeded)
    monkeypatch.setattr("pipelines.summary.render", lambda _, __, behind: told.append(behind) or "")
    arguments = ["run", *(part for path in settings.sources for part in ("--source", path))]
    assert cli.main(arguments) == (0 if has_succeeded else 1)
    assert ran == [[date(2024, 6, 8)]], "the last date that both sources have"
    said = capsys.readouterr().err
    assert "notice: source_late: source web is late: it is complete up to 2024-06-07" in said
    assert all("source web is late" in words for words in told) and len(told) == has_succeeded

    assert cli.main([*arguments, "--as-of", "2024-06-05"]) == (0 if has_succeeded else 1)
    assert "behind" not in capsys.readouterr().err and told[1:] == [None] * has_succeeded


@pytest.mark.parametrize(("silent_days", "is_late"), [(31, True), (32, False)])
def test_a_source_silent_for_more_than_a_month_has_ended(home, silent_days, is_late):
    """Where no cadence is declared; its last day is 9 July."""
    found = find_late_sources(home(("till", 70)), today=date(2024, 7, 9) + timedelta(days=silent_days))
    assert bool(found) == is_late
