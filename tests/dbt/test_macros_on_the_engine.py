"""Macros that ask the warehouse before a model is built, and what they find there."""

from datetime import date, timedelta

import duckdb
import pytest

from assets.dbt.runner import invoke_dbt
from assets.shared.settings import Settings, prepare_home


@pytest.fixture(scope="module")
def ranges_query(tmp_path_factory, project) -> str:
    settings = Settings(home=tmp_path_factory.mktemp("ranges"), sources=("toy",))
    prepare_home(settings)
    manifest = project.manifest.deepcopy()  # dbt leaves the inline query in the manifest it is given
    result = invoke_dbt(settings, ["compile", "--inline", "{{ changed_day_ranges() }}"], manifest=manifest)
    return result.result.results[-1].node.compiled_code


def ranges(query: str, days: list[int]) -> list[tuple[int, int]]:
    """First day and the day after the last of each range, as days since the year's first."""
    first = date(2024, 1, 1)
    with duckdb.connect() as con:
        con.execute("attach ':memory:' as warehouse")
        con.execute("create schema warehouse.platform")
        con.execute("create table warehouse.platform.changed_days (day date)")
        for day in days:
            con.execute("insert into warehouse.platform.changed_days values (?)", [first + timedelta(day)])
        return [((start - first).days, (end - first).days) for start, end in con.execute(query).fetchall()]


def test_days_that_follow_each_other_are_one_range(ranges_query):
    assert ranges(ranges_query, []) == []
    assert ranges(ranges_query, [7, 1, 3, 2, 9]) == [(1, 4), (7, 8), (9, 10)]


def test_of_more_than_fifty_ranges_the_nearest_are_joined(ranges_query):
    islands = [3 * number for number in range(50)]
    assert ranges(ranges_query, islands) == [(day, day + 1) for day in islands]
    # One more, with the narrowest gap of all: it joins its neighbour, and all others stay apart.
    assert ranges(ranges_query, [*islands, 149]) == [*((day, day + 1) for day in islands[:-1]), (147, 150)]


@pytest.mark.parametrize(
    ("days", "let_through"),
    [
        ([], []),
        (["2024-02-29", "2024-02-01", "2023-12-31"], ["2023-12-01", "2023-12-31", "2024-02-01", "2024-02-29"]),
        # Of more than fifty months everything between the first and the last is read.
        ([f"{2020 - n // 12}-{n % 12 + 1:02}-05" for n in range(51)], ["2016-10-01", "2020-12-31"]),
    ],
)
def test_months_of_changed_days_are_let_through_whole(tmp_path, project, days, let_through):
    settings = Settings(home=tmp_path, sources=("toy",))
    prepare_home(settings)
    with duckdb.connect(str(settings.warehouse)) as con:
        con.execute("create schema platform; create table platform.changed_days (day date)")
        for day in days:
            con.execute("insert into platform.changed_days values (?)", [day])
    arguments = ["compile", "--inline", "select {{ changed_month_range('t') }} as is_let_through"]
    result = invoke_dbt(settings, arguments, manifest=project.manifest.deepcopy())
    query = result.result.results[-1].node.compiled_code
    asked = {"2023-11-30": False, "2024-01-15": False, "2024-03-01": False, **dict.fromkeys(let_through, True)}
    with duckdb.connect() as con:
        for day, expected in asked.items():
            found = con.execute(f"{query} from (select ?::timestamp as t)", [f"{day} 23:59:59"]).fetchone()
            assert found == (expected,), day
