"""The published set: refusals, one atomic swap, history, and readers who never notice."""

import os
import shutil
import stat
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pytest
from toy_marts import (
    complete_sets,
    make_and_publish,
    make_marts,
    publish_toy,
    read,
    settings_of,
)

from assets.publish.rollback import kept_sets, roll_back
from assets.shared.errors import UserError
from assets.shared.published_history import newest_before
from pipelines.freshness import published_as_of

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
JUNE, JULY, AUGUST = date(2017, 6, 1), date(2017, 7, 1), date(2017, 8, 1)


def files(home: Path) -> dict[str, set[str]]:
    folder = home / "published" / "history"
    return {table.name: {f.name for f in table.iterdir()} for table in sorted(folder.iterdir())}


def dates_in_history(home: Path) -> list[tuple]:
    return read(home, "select as_of_date, run_id, count(*) from history.customers group by all order by all")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT)}


def kill_during_publish(home: Path, as_of: date, run_id: str, step: str) -> int:
    done = subprocess.run(
        [sys.executable, str(HERE / "toy_marts.py"), str(home), as_of.isoformat(), run_id, step],
        env=environment(),
        capture_output=True,
        text=True,
    )
    return done.returncode


def test_a_set_without_any_verdict_is_refused(tmp_path):
    make_marts(settings_of(tmp_path), JUNE, "a")
    with pytest.raises(UserError, match="2017-06-01 made by run b have not been validated"):
        publish_toy(tmp_path, JUNE, "b")
    assert not (tmp_path / "published").exists()


def test_a_verdict_of_another_date_does_not_count(tmp_path):
    make_marts(settings_of(tmp_path), JUNE, "a")
    make_marts(settings_of(tmp_path), JULY, "b", passed=False)
    with pytest.raises(UserError, match="have not been validated"):
        publish_toy(tmp_path, JULY, "a")


def test_a_failed_verdict_is_refused_and_says_why(tmp_path):
    make_and_publish(tmp_path, JUNE, "a")
    make_marts(settings_of(tmp_path), JULY, "b", passed=False)
    with pytest.raises(UserError, match="did not pass validation: marts.customers row_count: too few"):
        publish_toy(tmp_path, JULY, "b")
    assert complete_sets(tmp_path) == {(JUNE, "a", 50)}


def test_marts_rebuilt_since_the_verdict_are_refused(tmp_path):
    make_marts(settings_of(tmp_path), JUNE, "a")
    with duckdb.connect(str(settings_of(tmp_path).warehouse)) as con:
        con.execute("update marts.customers set run_id = 'later' where customer_id = '000001'")
    with pytest.raises(UserError, match="rebuilt since the verdict"):
        publish_toy(tmp_path, JUNE, "a")


def test_a_missing_mart_is_refused(tmp_path):
    make_marts(settings_of(tmp_path), JUNE, "a")
    with duckdb.connect(str(settings_of(tmp_path).warehouse)) as con:
        con.execute("drop view marts.daily")
    with pytest.raises(UserError, match="missing in the working warehouse: daily"):
        publish_toy(tmp_path, JUNE, "a")


def test_personal_columns_are_refused_before_anything_is_written(tmp_path):
    make_marts(settings_of(tmp_path), JUNE, "a", extra=", 'someone' as Full_Name")
    with pytest.raises(UserError, match="personal data would be published: customers.Full_Name"):
        publish_toy(tmp_path, JUNE, "a", forbidden_columns={"full_name", "email"})
    assert not (tmp_path / "published").exists()


def test_a_warehouse_in_use_elsewhere_is_a_user_error(tmp_path):
    make_marts(settings_of(tmp_path), JUNE, "a")
    held = subprocess.Popen(
        [
            sys.executable,
            "-c",
            f"import duckdb; c = duckdb.connect({str(settings_of(tmp_path).warehouse)!r}); print('open', flush=True);"
            " input()",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert held.stdout.readline().strip() == "open"
        with pytest.raises(UserError, match="open in another process"):
            publish_toy(tmp_path, JUNE, "a")
    finally:
        held.communicate("\n")


def test_the_current_set_is_native_sorted_and_commented(tmp_path):
    report = make_and_publish(tmp_path, JUNE, "a")
    assert report.is_current and report.table_rows == {"customers": 50, "daily": 150, "run_manifest": 1}
    kinds = read(tmp_path, "select schema_name || '.' || table_name from duckdb_tables() order by 1")
    assert kinds == [("marts.customers",), ("marts.daily",), ("marts.run_manifest",)]
    views = read(tmp_path, "select schema_name || '.' || view_name from duckdb_views() where not internal order by 1")
    assert views == [("history.customers",), ("history.daily",), ("history.run_manifest",)]
    stored = [row[0] for row in read(tmp_path, "select customer_id from marts.customers order by rowid")]
    assert stored == sorted(stored) and len(stored) == 50
    comments = read(
        tmp_path,
        "select comment from duckdb_tables() where table_name = 'customers' union all select comment from"
        " duckdb_columns() where table_name = 'customers' and schema_name = 'marts' and column_name = 'customer_id'",
    )
    assert comments == [("It's one row a customer.",), ("As the source wrote it.",)]


def test_large_tables_are_stored_sorted_too(tmp_path):
    settings = settings_of(tmp_path)
    make_marts(settings, JUNE, "a", n=400_000)
    publish_toy(tmp_path, JUNE, "a")
    unsorted = read(
        tmp_path,
        "select count(*) from (select customer_id < lag(customer_id) over (order by rowid) as falls from"
        " marts.customers) where falls",
    )
    assert unsorted == [(0,)]


def test_the_file_is_written_in_a_format_older_drivers_read(tmp_path):
    make_and_publish(tmp_path, JUNE, "a")
    make_and_publish(tmp_path, date(2017, 5, 1), "b")
    tags = read(tmp_path, "select tags from duckdb_databases() where not internal")
    assert "v1.2.0" in str(tags)


def test_publishing_the_same_run_twice_doubles_nothing(tmp_path):
    make_and_publish(tmp_path, JUNE, "a")
    before = files(tmp_path)
    report = publish_toy(tmp_path, JUNE, "a")
    assert complete_sets(tmp_path) == {(JUNE, "a", 50)}
    assert dates_in_history(tmp_path) == [(JUNE, "a", 50)]
    assert files(tmp_path) == before and report.n_files_removed == 0


def test_the_same_run_with_other_rows_replaces_its_date(tmp_path):
    make_and_publish(tmp_path, JUNE, "a")
    make_marts(settings_of(tmp_path), JUNE, "a", n=40)
    publish_toy(tmp_path, JUNE, "a")
    assert read(tmp_path, "select count(*) from marts.customers") == [(40,)]
    assert dates_in_history(tmp_path) == [(JUNE, "a", 40)]


def test_a_newer_date_becomes_current_and_history_keeps_both(tmp_path):
    make_and_publish(tmp_path, JUNE, "a")
    make_and_publish(tmp_path, JULY, "b")
    assert complete_sets(tmp_path) == {(JULY, "b", 50)}
    assert dates_in_history(tmp_path) == [(JUNE, "a", 50), (JULY, "b", 50)]


def test_an_older_date_changes_only_history(tmp_path):
    make_and_publish(tmp_path, JULY, "b")
    current = read(tmp_path, "select * from marts.customers order by all")
    report = make_and_publish(tmp_path, JUNE, "a")
    assert not report.is_current and report.current_as_of_date == JULY
    assert read(tmp_path, "select * from marts.customers order by all") == current
    assert complete_sets(tmp_path) == {(JULY, "b", 50)}
    assert dates_in_history(tmp_path) == [(JUNE, "a", 50), (JULY, "b", 50)]
    comments = read(tmp_path, "select comment from duckdb_tables() where table_name = 'customers'")
    assert comments == [("It's one row a customer.",)]


def test_a_superseded_file_is_kept_until_one_publish_later(tmp_path):
    make_and_publish(tmp_path, JUNE, "a")
    make_and_publish(tmp_path, JUNE, "b")
    assert dates_in_history(tmp_path) == [(JUNE, "b", 50)]
    assert files(tmp_path)["customers"] == {"2017-06-01--a.parquet", "2017-06-01--b.parquet"}
    make_and_publish(tmp_path, JULY, "c")
    assert files(tmp_path)["customers"] == {"2017-06-01--b.parquet", "2017-07-01--c.parquet"}


def test_history_reads_older_dates_that_lack_a_column(tmp_path):
    make_and_publish(tmp_path, JUNE, "a")
    make_marts(settings_of(tmp_path), JULY, "b", extra=", 7 as added")
    publish_toy(tmp_path, JULY, "b")
    assert read(tmp_path, "select distinct as_of_date, added from history.customers order by all") == [
        (JUNE, None),
        (JULY, 7),
    ]


def test_history_survives_the_loss_of_the_database(tmp_path):
    make_and_publish(tmp_path, JUNE, "a")
    make_and_publish(tmp_path, JULY, "b")
    shutil.rmtree(tmp_path / "published" / "sets")
    make_and_publish(tmp_path, AUGUST, "c")
    assert dates_in_history(tmp_path) == [(JUNE, "a", 50), (JULY, "b", 50), (AUGUST, "c", 50)]


def test_a_moved_home_keeps_its_history(tmp_path):
    make_and_publish(tmp_path / "old", JUNE, "a")
    (tmp_path / "old").rename(tmp_path / "it's new")
    make_and_publish(tmp_path / "it's new", JULY, "b")
    assert dates_in_history(tmp_path / "it's new") == [(JUNE, "a", 50), (JULY, "b", 50)]


def test_an_open_reader_keeps_its_set_through_later_publishes(tmp_path):
    make_and_publish(tmp_path, JUNE, "a")
    with duckdb.connect(str(settings_of(tmp_path).published_db), read_only=True) as reader:
        for day, run_id in ((JULY, "b"), (AUGUST, "c")):
            done = subprocess.run(
                [sys.executable, str(HERE / "toy_marts.py"), str(tmp_path), day.isoformat(), run_id, "no step"],
                env=environment(),
                capture_output=True,
                text=True,
            )
            assert done.returncode == 0, done.stderr
        found = reader.execute("select distinct as_of_date, run_id from marts.daily").fetchall()
    assert found == [(JUNE, "a")]
    assert complete_sets(tmp_path) == {(AUGUST, "c", 50)}


def test_the_catalog_has_one_name_through_all_publishes(tmp_path):
    """What a BI tool has saved about catalog, schema and table is found again the next day."""
    for number in range(10):
        make_and_publish(tmp_path, date(2017, 6, 1 + number % 4 * 2), f"run-{number}")
        assert read(tmp_path, "select count(*) from holdfast.marts.customers") == [(50,)]
        assert read(tmp_path, "select count(distinct as_of_date) from holdfast.history.daily") == [
            (min(number + 1, 4),)
        ]


@pytest.mark.parametrize("moves", ["copied", "mounted"])
def test_history_is_read_where_the_folder_is_now(tmp_path, moves):
    make_and_publish(tmp_path / "home", JUNE, "a")
    make_and_publish(tmp_path / "home", JULY, "b")
    there = tmp_path / "it's [there]"
    if moves == "copied":
        shutil.copytree(tmp_path / "home" / "published", there, symlinks=True)
    else:
        (tmp_path / "home" / "published").rename(there)
    with duckdb.connect(str(there / "holdfast.duckdb"), read_only=True) as con:
        assert con.execute("select count(*) from marts.customers").fetchone() == (50,)
        if moves == "mounted":
            with pytest.raises(duckdb.IOException, match="No files found"):
                con.execute("from history.customers").fetchall()
        (words,) = con.execute("select comment from duckdb_views() where view_name = 'customers'").fetchone()
        says = words.split("say where first: ")[1].split("'")[0]
        place = str(there).replace("[", "[[]").replace("'", "''")
        con.execute(f"{says}'{place}'")
        assert con.execute("select as_of_date, count(*) from history.customers group by all order by 1").fetchall() == [
            (JUNE, 50),
            (JULY, 50),
        ]


def test_a_copy_of_a_home_in_which_the_link_became_a_file_goes_on(tmp_path):
    for day, run_id in ((JUNE, "a"), (JULY, "b")):
        make_and_publish(tmp_path / "home", day, run_id)
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    link = settings_of(tmp_path / "copy").published_db
    assert not link.is_symlink()
    assert published_as_of(settings_of(tmp_path / "copy")) == JULY
    assert make_and_publish(tmp_path / "copy", AUGUST, "c").warnings == ()
    assert link.is_symlink()
    assert dates_in_history(tmp_path / "copy") == [(JUNE, "a", 50), (JULY, "b", 50), (AUGUST, "c", 50)]


def test_what_is_published_is_read_only_and_goes_away_all_the_same(tmp_path):
    for number in range(4):
        make_and_publish(tmp_path, date(2017, 6, 1 + number), f"run-{number}")
    files = [*(tmp_path / "published" / "sets").rglob("*.duckdb"), *(tmp_path / "published").rglob("*.parquet")]
    assert len(files) == 2 + 4 * 3
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o444}


HOLDING = """
import sys, duckdb
con = duckdb.connect(sys.argv[1])
con.execute(sys.argv[2])
print("open", flush=True)
input()
"""


@contextmanager
def open_for_writing(home: Path, sql: str):
    """Another program that opens the published file as BI tools do unless told otherwise, and holds it."""
    database = settings_of(home).published_db
    database.resolve().chmod(0o644)  # only its owner can do that
    held = subprocess.Popen(
        [sys.executable, "-c", HOLDING, str(database), sql], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert held.stdout.readline().strip() == "open"
    try:
        yield
    finally:
        held.communicate("\n")
        database.resolve().chmod(0o444)


def test_a_program_that_holds_the_published_file_stops_no_night(tmp_path):
    settings = settings_of(tmp_path)
    make_and_publish(tmp_path, JULY, "b")
    with open_for_writing(tmp_path, "select 1"):
        with pytest.raises(duckdb.IOException, match="lock"):
            read(tmp_path, "select 1")
        assert published_as_of(settings) == JULY
        assert newest_before(settings, "customers", AUGUST)[0] == JULY
        assert [kept.is_changed for kept in kept_sets(settings)] == [False], "opening it changes nothing"
        report = make_and_publish(tmp_path, JUNE, "a")
        assert not report.is_current and report.warnings == ()
        assert read(tmp_path, "select count(*) from marts.customers") == [(50,)], "the new set is nobody's yet"
    assert dates_in_history(tmp_path) == [(JUNE, "a", 50), (JULY, "b", 50)]


@pytest.mark.parametrize("next_day", [JUNE, AUGUST])
def test_a_change_of_the_published_file_is_told_undone_and_never_shown_again(tmp_path, next_day):
    make_and_publish(tmp_path, date(2017, 5, 1), "before")
    make_and_publish(tmp_path, JULY, "b")
    with open_for_writing(tmp_path, "update marts.customers set made_by = 'somebody else'"):
        pass
    assert read(tmp_path, "select distinct made_by from marts.customers") == [("somebody else",)]
    report = make_and_publish(tmp_path, next_day, "c", keep_sets=3)
    (words,) = report.warnings
    assert "was changed after it was published" in words and "2017-07-01--b/holdfast.duckdb" in words
    made_by = "b" if next_day == JUNE else "c"
    assert read(tmp_path, "select distinct made_by from marts.customers") == [(made_by,)]
    assert read(tmp_path, "select count(*) from history.customers where made_by = 'somebody else'") == [(0,)]
    assert make_and_publish(tmp_path, AUGUST, "d", keep_sets=3).warnings == (), "told once"
    changed = {kept.night.run_id: kept.is_changed for kept in kept_sets(settings_of(tmp_path))}
    if next_day == AUGUST:
        assert changed == {"before": False, "b": True, "c": False, "d": False}
        with pytest.raises(UserError, match="of the set of run b") as refused:
            roll_back(settings_of(tmp_path), "somebody", "b")
        assert "run --as-of 2017-07-01" in refused.value.remedy
        assert complete_sets(tmp_path) == {(AUGUST, "d", 50)}
    else:
        assert changed == {"before": False, "b": False, "d": False}, "the set that replaced it stands for that night"


def test_what_an_older_driver_left_next_to_the_link_is_told_and_gone(tmp_path):
    make_and_publish(tmp_path, JUNE, "a")
    log = tmp_path / "published" / "holdfast.duckdb.wal"
    log.write_bytes(b"changes of a program that was killed")
    (words,) = make_and_publish(tmp_path, JULY, "b").warnings
    assert "was changed" in words and not log.exists()


def test_a_published_file_that_is_no_database_is_a_user_error(tmp_path):
    make_marts(settings_of(tmp_path), JUNE, "a")
    target = settings_of(tmp_path).published_db
    target.parent.mkdir(parents=True)
    target.write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    with pytest.raises(UserError, match="cannot be read"):
        publish_toy(tmp_path, JUNE, "a")


STEPS = [
    "write history of customers",
    "write history of run_manifest",
    "write the database",
    "write marts.daily",
    "swap",
]


@pytest.mark.parametrize("step", STEPS)
def test_a_publish_killed_before_the_swap_leaves_the_old_set(tmp_path, step):
    make_and_publish(tmp_path, JUNE, "a")
    assert kill_during_publish(tmp_path, JULY, "b", step) == -9
    assert complete_sets(tmp_path) == {(JUNE, "a", 50)}
    assert dates_in_history(tmp_path) == [(JUNE, "a", 50)]

    make_and_publish(tmp_path, AUGUST, "c")
    assert complete_sets(tmp_path) == {(AUGUST, "c", 50)}
    assert dates_in_history(tmp_path) == [(JUNE, "a", 50), (AUGUST, "c", 50)]
    # What the killed publish left is gone.
    assert files(tmp_path)["customers"] == {"2017-06-01--a.parquet", "2017-08-01--c.parquet"}
    assert sorted(p.name for p in (tmp_path / "published").iterdir()) == ["history", "holdfast.duckdb", "sets"]
    sets = sorted(p.name.split("--", 1)[1] for p in (tmp_path / "published" / "sets").iterdir())
    assert sets == ["2017-06-01--a", "2017-08-01--c"]


def test_a_publish_killed_after_the_swap_has_published(tmp_path):
    make_and_publish(tmp_path, JUNE, "a")
    assert kill_during_publish(tmp_path, JULY, "b", "remove files that nothing lists") == -9
    assert complete_sets(tmp_path) == {(JULY, "b", 50)}
    assert dates_in_history(tmp_path) == [(JUNE, "a", 50), (JULY, "b", 50)]


def test_the_first_publish_killed_and_repeated(tmp_path):
    assert kill_during_publish(tmp_path, JUNE, "a", "write history of run_manifest") == -9
    assert not settings_of(tmp_path).published_db.exists()
    make_and_publish(tmp_path, JULY, "b")
    # June was never complete: it wrote no manifest.
    assert dates_in_history(tmp_path) == [(JULY, "b", 50)]


@pytest.mark.campaign
def test_a_reader_never_sees_a_lock_a_gap_or_a_mixed_set(tmp_path):
    make_and_publish(tmp_path, JUNE, "first")
    stop = tmp_path / "stop"
    reader = subprocess.Popen(
        [sys.executable, str(HERE / "reading_loop.py"), str(settings_of(tmp_path).published_db), str(stop)],
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for night in range(24):
            # Newer dates, repeated dates and older dates in turn.
            day = date(2017, 7, 1 + night // 2) if night % 5 else date(2017, 5, 1 + night)
            make_and_publish(tmp_path, day, f"run-{night}")
            # Nights are hours apart; a query that outlives two publishes of one date may lose a file it reads.
            time.sleep(0.05)
    finally:
        stop.touch()
        out, _ = reader.communicate(timeout=60)
    counts, *wrong = out.strip().splitlines()
    rounds, n_sets_seen = map(int, counts.split())
    assert not wrong
    assert rounds >= 10 and n_sets_seen >= 5
