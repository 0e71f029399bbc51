"""Tables that do not belong together are refused, each for its reason; tables that do are read."""

from datetime import date

import duckdb
import pytest

from assets.shared.built_tables import Basis, BuiltTables, begin_build, builder_of, finish_build
from assets.shared.errors import UserError

DAY = date(2024, 9, 1)
BASIS = Basis.of(DAY, ["shop"], {"budget": 100, "horizon": 30})
#: raw → days → scores → marts, and raw → groups → marts.
LINEAGE = {
    "raw.lines": (),
    "features.days": ("raw.lines",),
    "segments.groups": ("raw.lines",),
    "score.scores": ("features.days",),
    "marts.all": ("score.scores", "segments.groups"),
}


@pytest.fixture
def con():
    with duckdb.connect() as made:
        yield made


def build(con, *tables: str, basis: Basis = BASIS, run_id: str = "run", well: bool = True) -> None:
    begin_build(con, tables, run_id, basis, LINEAGE)
    if well:
        finish_build(con, tables)


@pytest.fixture
def night(con):
    """A whole run, a step a table."""
    for table in LINEAGE:
        build(con, table)
    return con


def refusal(con, table: str, basis: Basis = BASIS) -> str:
    with pytest.raises(UserError) as refused:
        build(con, table, basis=basis)
    return str(refused.value)


@pytest.mark.parametrize("table", LINEAGE)
def test_after_a_whole_run_any_table_can_be_built_again(night, table):
    build(night, table)


def test_in_their_order_all_of_them_can_be_built_again(night):
    for table in LINEAGE:
        build(night, table, run_id="again")
    assert builder_of(night, ["marts.all"]) == "again"


def test_what_was_never_built_is_not_read(con):
    build(con, "raw.lines")
    assert "features.days: never built" in refusal(con, "score.scores")


def test_what_did_not_end_well_is_not_read_until_it_has(night):
    build(night, "segments.groups", well=False)
    assert "segments.groups: its last build did not end well" in refusal(night, "marts.all")
    build(night, "score.scores")  # does not read it
    build(night, "segments.groups")
    build(night, "marts.all")


def test_a_table_between_that_is_older_is_not_passed_over(night):
    build(night, "raw.lines")
    build(night, "segments.groups")
    words = refusal(night, "marts.all")
    assert "features.days: older than raw.lines, which it reads" in words and "segments.groups:" not in words
    assert "features.days: older" in refusal(night, "score.scores")


def test_tables_that_one_step_builds_are_of_one_age(con):
    build(con, *LINEAGE)
    build(con, "marts.all")


@pytest.mark.parametrize(
    ("basis", "words"),
    [
        (Basis.of(date(2024, 8, 31), ["shop"], {"budget": 100, "horizon": 30}), "built as of 2024-09-01"),
        (
            Basis.of(DAY, ["shop", "web"], {"budget": 100, "horizon": 30}),
            "built from shop, this run reads shop, web",
        ),
        (Basis.of(DAY, ["shop"], {"budget": 90, "horizon": 30}), "built with budget=100 (this run: 90)"),
        (Basis.of(DAY, ["shop"], {"budget": 100}), "built with horizon=30 (this run: None)"),
    ],
)
def test_what_was_built_from_something_else_is_not_read(night, basis, words):
    assert f"features.days: {words}" in refusal(night, "score.scores", basis)
    build(night, "raw.lines", basis=basis)  # reads nothing
    assert "features.days" in refusal(night, "score.scores", basis)
    build(night, "features.days", basis=basis)
    build(night, "score.scores", basis=basis)


def test_the_order_of_parameters_says_nothing(night):
    build(night, "score.scores", basis=Basis.of(DAY, ["shop"], {"horizon": 30, "budget": 100}))


def test_a_refusal_changes_nothing_and_names_what_helps(night):
    build(night, "raw.lines")
    before = night.execute("from platform.built_tables order by all").fetchall()
    words = refusal(night, "marts.all")
    assert night.execute("from platform.built_tables order by all").fetchall() == before
    assert "holdfast run --as-of 2024-09-01" in words
    assert "--select group:features+,group:segments+ --partition 2024-09-01" in words
    # What it names: these tables and all that follow them.
    for table in ("features.days", "segments.groups", "score.scores", "marts.all"):
        build(night, table)


def test_a_refusal_names_a_few_tables_and_counts_the_others(con):
    lineage = {**{f"raw.t{n}": () for n in range(7)}, "marts.all": tuple(f"raw.t{n}" for n in range(7))}
    with pytest.raises(UserError) as refused:
        begin_build(con, ["marts.all"], "run", BASIS, lineage)
    assert "raw.t4: never built; and 2 more" in str(refused.value) and "raw.t5:" not in str(refused.value)


def test_a_table_can_be_read_when_all_behind_it_can(night):
    def can_be_read(table: str) -> bool:
        return BuiltTables.read(night, BASIS, LINEAGE).can_be_read(table)

    assert all(can_be_read(table) for table in LINEAGE)
    begin_build(night, ["features.days"], "run", BASIS, LINEAGE)
    assert [table for table in LINEAGE if can_be_read(table)] == ["raw.lines", "segments.groups"]
    finish_build(night, ["features.days"])
    assert [table for table in LINEAGE if can_be_read(table)] == ["raw.lines", "features.days", "segments.groups"]
    assert can_be_read("personal.customers"), "no step builds it"


def test_the_builder_of_several_tables_is_the_last_one(night):
    assert builder_of(night, ["score.scores", "segments.groups"]) == "run"
    build(night, "segments.groups", run_id="later")
    assert builder_of(night, ["score.scores", "segments.groups"]) == "later"
    assert builder_of(night, ["score.scores"]) == "run"
    assert builder_of(night, ["no.table"]) is None


def test_three_parameters_are_named_and_the_others_counted():
    def words(n: int) -> str | None:
        ours, theirs = ({f"p{k}": k + change for k in range(n)} for change in (0, 1))
        return Basis.of(DAY, ["shop"], ours).difference(Basis.of(DAY, ["shop"], theirs))

    assert words(3) == "built with p0=0 (this run: 1), p1=1 (this run: 2), p2=2 (this run: 3)"
    assert words(5) == f"{words(3)} and 2 more"
