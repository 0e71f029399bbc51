"""`holdfast plan --what-if`: the plan of a changed playbook beside that of the night."""

import csv
import json

import duckdb
import plan_world
import pytest

from assets.shared.errors import UserError
from assets.shared.params import DBT_PROJECT_DIR, load_params
from assets.shared.settings import Settings
from pipelines.what_if import text_of, what_if

SEEDS = DBT_PROJECT_DIR / "seeds"
OPEN = {
    **plan_world.OPEN,
    "actions_email_capacity": 3,
    "actions_sms_capacity": 0,
    "actions_value_at_risk_top_share": 1,
}

pytestmark = pytest.mark.usefixtures("candidates_sql")


@pytest.fixture
def settings(tmp_path):
    """A home whose warehouse holds a night's plan for six customers, three of whom get an e-mail."""
    con = plan_world.warehouse(*(plan_world.customer(f"c{i}", margin=100.0 + i) for i in range(6)))
    plan_world.only_entries(con, "value_at_risk_offer")
    plan_world.make_plan(con, tmp_path / "made", **OPEN)
    parameters = json.dumps(load_params(OPEN).model_dump())
    con.execute(
        "create schema marts; create table marts.run_manifest as select ?::date as as_of_date, ? as parameters",
        [plan_world.AS_OF, parameters],
    )
    home = tmp_path / "home"
    home.mkdir()
    con.execute(f"attach '{home / 'warehouse.duckdb'}' as file; copy from database warehouse to file; detach file")
    return Settings(home=home, sources=("toy",))


def write(folder, table: str, change) -> None:
    """A copy of a table of the shipped playbook, each row as `change` leaves it."""
    folder.mkdir(exist_ok=True)
    with (SEEDS / f"{table}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with (folder / f"{table}.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row for row in rows if change(row) is not False)


def contents(settings: Settings) -> bytes:
    assert sorted(path.name for path in settings.home.iterdir()) == ["dbt", "warehouse.duckdb"]
    return settings.warehouse.read_bytes()


def test_the_same_playbook_gives_the_same_plan_and_changes_nothing(settings, tmp_path):
    settings.dbt_target.mkdir()
    before = contents(settings)
    write(tmp_path / "same", "playbook_stages", lambda row: None)
    found = what_if(settings, tmp_path / "same")
    assert found.changes == () and found.before == found.after
    assert (found.as_of_date, found.changed_tables) == (plan_world.AS_OF, ("playbook_stages",))
    assert found.before.contacts == 3 and found.before.profit > 0 and found.before.spend > 0
    assert contents(settings) == before


@pytest.mark.campaign
def test_who_enters_who_leaves_and_the_money_are_told(settings, tmp_path):
    def dearer(row):
        if row["action_id"] == "stay_offer":
            row["channels"] = "mail"

    write(tmp_path / "mail", "playbook_actions", dearer)
    found = what_if(settings, tmp_path / "mail")
    # The e-mail's capacity of three no longer binds: six letters, dearer each.
    assert (found.before.contacts, found.after.contacts) == (3, 6)
    kinds = sorted((change.before, change.after) for change in found.changes if change.before)
    assert kinds == [("stay_offer, email", "stay_offer, mail")] * 3
    entering = [change for change in found.changes if change.before is None]
    assert len(entering) == 3 and all(change.after == "stay_offer, mail" and change.gain > 0 for change in entering)
    assert sum(change.gain for change in found.changes) == pytest.approx(found.after.profit - found.before.profit)
    words = text_of(found, shown=2)
    assert "3 customers enter" in words and "0 customers leave" in words and "and 1 more" in words

    write(tmp_path / "none", "playbook_calendar", lambda row: row["calendar_id"] == "holiday")
    # Nobody is proposed by a calendar of Christmas alone.
    found = what_if(settings, tmp_path / "none")
    assert found.after.contacts == 0 and {change.after for change in found.changes} == {None}


@pytest.mark.campaign
@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        ("playbook_actions", lambda row: row.update(offer_cost="cheap"), "row 2"),
        ("playbook_actions", lambda row: row.update(redeem_probability="7"), "redeem_probability"),
        ("playbook_actions", lambda row: row.update(action_id="twice"), "unique"),
        ("playbook_birthdays", None, "playbook_birthdays"),
        (None, None, "no table"),
    ],
)
def test_what_cannot_be_used_is_named(settings, tmp_path, table, change, words):
    folder = tmp_path / "broken"
    folder.mkdir()
    if table is not None and change is None:
        (folder / f"{table}.csv").write_text("a\n")
    elif table is not None:
        write(folder, table, change)
    with pytest.raises(UserError, match=words):
        what_if(settings, folder)
    assert not list(settings.home.glob(".tmp*"))


@pytest.mark.campaign
def test_without_a_night_or_beside_a_run_there_is_nothing_to_compare(tmp_path):
    write(tmp_path / "same", "playbook_stages", lambda row: None)
    empty = Settings(home=tmp_path / "home", sources=("toy",))
    empty.home.mkdir()
    with pytest.raises(UserError, match="no plan"):
        what_if(empty, tmp_path / "same")
    duckdb.connect(str(empty.warehouse)).close()
    with pytest.raises(UserError, match="no plan"):
        what_if(empty, tmp_path / "same")
    with pytest.raises(UserError, match="no folder"):
        what_if(empty, tmp_path / "missing")
