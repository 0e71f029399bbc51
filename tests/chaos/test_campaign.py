"""The chaos campaign in short: a few kills, one fault, nothing found; and that what it looks for would be found. All
faults, and hundreds of kills, are in `make chaos`."""

import json

import duckdb
import pytest

from tests.chaos import business, kills, report, state

TIMING = kills.Timing((("ingest", 1.0, 2.0), ("publish", 2.5, 3.0)), total=3.2, file_operations=7)


@pytest.mark.long
@pytest.mark.timeout(1500)
@pytest.mark.parametrize(
    "arguments",
    [
        ("--only", "kills", "--kills", "3", "--seed", "11"),
        ("--only", "faults", "--fault", "two runs"),
    ],
    ids=["kills", "faults"],
)
def test_a_short_campaign_finds_nothing(tmp_path, arguments, capfd):
    import subprocess
    import sys

    page = tmp_path / "chaos.md"
    # A process of its own: it forks, and this one has threads.
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tests.chaos.campaign",
            *arguments,
            "--folder",
            str(tmp_path / "chaos"),
            "--report",
            str(page),
        ],
        capture_output=True,
        text=True,
        timeout=1400,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    text = page.read_text()
    assert "## Violations\n\nNone." in text
    if "kills" in arguments:
        journal = (tmp_path / "chaos" / "kills-1" / "journal.jsonl").read_text()
        assert journal.count('"event": "killed"') == 3
        looks = [json.loads(path.read_text()) for path in (tmp_path / "chaos" / "kills-1").glob("reader-*.json")]
        assert len(looks) == 2 and all(found["queries"] > 100 and not found["n_errors"] for found in looks)


def test_plans_are_the_same_for_a_seed_and_reach_every_boundary():
    def first(seed, n=60):
        made = kills.plans(seed, TIMING)
        return [next(made) for _ in range(n)]

    assert first(1) == first(1) != first(2)
    reached = {plan.what for plan in first(1) if plan.kind == "boundary"}
    assert reached == {f"{edge} of {step}" for edge in ("start", "end") for step in ("ingest", "publish")}
    assert {plan.kind for plan in first(1)} == {"boundary", "moment", "file operation", "fresh start"}
    assert all(1 <= plan.at <= 7 for plan in first(1) if plan.kind == "file operation")


def test_stretches_cover_the_whole_run():
    assert TIMING.spans() == [("start-up", 0.0, 1.0), ("ingest", 1.0, 2.5), ("publish", 2.5, 3.2)]


def publish(home, rows, history, link="holdfast.duckdb"):
    folder = home / "published"
    (folder / "sets").mkdir(parents=True)
    with duckdb.connect(str(folder / "sets" / "one.duckdb")) as con:
        for schema, content in (("marts", rows), ("history", history)):
            con.execute(f"create schema {schema}")
            for table, (day, run, value) in content.items():
                con.execute(
                    f"create table {schema}.{table} as select date '{day}' as as_of_date, '{run}' as run_id, "
                    f"{value} as value"
                )
    (folder / link).symlink_to("sets/one.duckdb")


GOOD = {"a": ("2024-08-01", "r1", 1), "run_manifest": ("2024-08-01", "r1", 2)}


def test_a_whole_set_has_a_state_that_does_not_depend_on_the_run(tmp_path):
    publish(tmp_path / "one", GOOD, GOOD)
    publish(tmp_path / "other", *[{t: (day, "r2", value) for t, (day, _, value) in GOOD.items()}] * 2)
    one, other = state.published_state(tmp_path / "one"), state.published_state(tmp_path / "other")
    assert one == other and set(one) == {"marts.a", "marts.run_manifest", "history.a", "history.run_manifest"}
    assert state.published_state(tmp_path / "nothing") is None
    assert state.row_differences(tmp_path / "one", tmp_path / "other") == {"tables": 4, "rows": 4, "differences": []}


def test_one_changed_value_is_a_difference(tmp_path):
    publish(tmp_path / "one", GOOD, GOOD)
    publish(tmp_path / "other", {**GOOD, "a": ("2024-08-01", "r1", 3)}, GOOD)
    one, other = state.published_state(tmp_path / "one"), state.published_state(tmp_path / "other")
    assert len(state.differences(one, other)) == 1
    assert len(state.row_differences(tmp_path / "one", tmp_path / "other")["differences"]) == 2


@pytest.mark.parametrize(
    ("marts", "history"),
    [
        ({**GOOD, "a": ("2024-08-01", "r2", 1)}, GOOD),
        ({**GOOD, "a": ("2024-08-02", "r1", 1)}, GOOD),
        (GOOD, {**GOOD, "a": ("2024-08-01", "r2", 1)}),
        (GOOD, {"a": GOOD["a"]}),
        ({}, {}),
    ],
    ids=["two runs", "two dates", "two runs of a date in history", "a table missing", "nothing in it"],
)
def test_a_mixed_set_is_found(tmp_path, marts, history):
    publish(tmp_path, marts, history)
    with pytest.raises(state.Mixed):
        state.published_state(tmp_path)


def test_what_is_found_is_in_the_report_and_in_the_exit_code(tmp_path):
    folder = tmp_path / "kills-1"
    folder.mkdir()
    entries = [
        {"event": "begin", "seed": 1, "kills": 2},
        {"event": "killed", "night": "2024-08-01", "where": "train", "kind": "boundary"},
        {"event": "recovered", "night": "2024-08-01", "differences": 0, "restored": False},
        {"event": "violation", "night": "2024-08-01", "words": "a row is missing"},
    ]
    (folder / "journal.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    (folder / "reader-1-holding.json").write_text(
        json.dumps({"queries": 5, "opens": 1, "sets": 1, "errors": ["mixed"], "n_errors": 1})
    )
    text, found = report.render(tmp_path)
    assert found == 2 and "a row is missing" in text and "reader: mixed" in text
    assert "| train | 1 |" in text


def test_every_delivery_of_the_business_brings_its_day_and_one_unreadable_row(tmp_path):
    shop = business.business(tmp_path, 8)
    assert business.NEW_MONTH in shop.nights
    for night in shop.nights:
        shop.deliver(night)
    delivered = sorted(path.name for path in tmp_path.glob("*.csv"))
    assert len(delivered) == 8
    for path in tmp_path.glob("sales_2*.csv"):
        text = path.read_text()
        assert text.count("twelve") == 1 and "daily" in text, path


def test_another_campaign_does_not_overwrite_one(tmp_path, monkeypatch):
    from tests.chaos.campaign import Campaign

    first = Campaign(tmp_path, 4, 1, 2)
    first.journal.add(event="begin", seed=1, kills=4)
    with pytest.raises(SystemExit, match="another campaign"):
        Campaign(tmp_path, 4, 2, 2).run()
