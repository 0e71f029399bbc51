"""Each store is kept for its days: the last day stays, the next one goes, and sums stay as they were."""

import json
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace

import duckdb
import pytest

from assets.ingest.batches import read_all_batches
from assets.publish.history_files import without_old_persons
from assets.publish.marts import Mart, Marts
from assets.shared.errors import UserError
from assets.shared.home_file import read_home_file, write_home_file
from assets.shared.retention import is_over, periods_of
from assets.shared.settings import Settings, prepare_home
from pipelines.home_status import status_of, text_of
from pipelines.retention import last_sweep, sweep, sweep_day

TODAY = date(2026, 6, 1)


@pytest.fixture
def settings(tmp_path) -> Settings:
    made = Settings(home=tmp_path / "home", sources=("completejourney",))
    prepare_home(made)
    return made


def kept(settings: Settings, **days: int | None) -> None:
    words = ", ".join(f"{name}: {'null' if n is None else n}" for name, n in days.items())
    (settings.home / "home.yml").write_text(f"sources: [completejourney]\nretention: {{{words}}}\n")


def night(path, day: date, name: str):
    target = path / name.format(day=day)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("x")
    return target


def test_the_last_day_is_kept_and_the_next_goes():
    assert not is_over(TODAY - timedelta(90), TODAY, 90)
    assert is_over(TODAY - timedelta(91), TODAY, 90)
    assert not is_over(date(1900, 1, 1), TODAY, None)


@pytest.mark.parametrize(
    ("store", "name", "days"),
    [
        ("exports", "exports/{day}/email.csv", 90),
        ("blocked", "blocked/{day}--run/why.md", 90),
        ("plans", "ledgers/plan/{day}.parquet", 800),
        ("plans", "ledgers/plan/superseded/{day}--20260101.parquet", 800),
        ("plans", "ledgers/flagged/{day}.parquet", 800),
        ("plans", "ledgers/exports/{day}.parquet", 800),
    ],
)
def test_what_has_a_date_in_its_name_goes_by_it(settings, store, name, days):
    kept(settings, plans=800)
    last, over = (night(settings.home, TODAY - timedelta(days + n), name) for n in (0, 1))
    other = night(settings.home, TODAY - timedelta(5000), f"{name.split('/')[0]}/notes-{{day}}.txt")
    assert sweep(settings, TODAY) == {store: 1}
    assert last.exists() and not over.exists() and other.exists()
    assert sweep(settings, TODAY) == {}
    assert last_sweep(settings.home) == {
        "at": last_sweep(settings.home)["at"],
        "today": "2026-06-01",
        "removed": {store: 1},
    }


def test_what_nobody_gave_a_period_stays_for_ever(settings):
    old = night(settings.home, date(1990, 1, 1), "ledgers/plan/{day}.parquet")
    assert sweep(settings, TODAY) == {} and old.exists() and last_sweep(settings.home) is None


def batch(settings, entity: str, name: str, loaded: date, rows: str, **facts: int) -> None:
    folder = settings.raw / "shop" / entity / name
    folder.mkdir(parents=True)
    with duckdb.connect() as con:
        con.execute(f"copy ({rows}) to '{folder}/data.parquet' (format parquet)")
    counts = {"rows_in": 3, "rows_accepted": 3, "rows_quarantined": 0, **facts}
    (folder / "batch.json").write_text(
        json.dumps(
            {
                "batch_id": name,
                "source": "shop",
                "entity": entity,
                "file": "f.csv",
                "size_bytes": 1,
                "sha256": "0",
                "mapping": "m",
                "days": [],
                "first_occurred_at": None,
                "last_occurred_at": None,
                "loaded_at": str(datetime.combine(loaded, datetime.min.time())),
                **counts,
            }
        )
    )


@pytest.mark.parametrize(("age", "n_left"), [(40, 2), (41, 0)])
def test_old_refused_rows_go_and_the_rows_of_the_file_add_up(settings, age, n_left):
    kept(settings, quarantine=40)
    batch(settings, "transactions", "b1", TODAY - timedelta(age), "select 1 as n", rows_in=5, rows_quarantined=2)
    path = settings.quarantine / "shop" / "transactions" / "b1.parquet"
    path.parent.mkdir(parents=True)
    with duckdb.connect() as con:
        con.execute(f"copy (select i as line_number, 'raw' as raw_text from range(2) as r(i)) to '{path}'")
    sweep(settings, TODAY)
    (found,) = read_all_batches(settings, ["shop"])
    with duckdb.connect() as con:
        assert con.execute("select count(*) from read_parquet(?)", [str(path)]).fetchone() == (n_left,)
    assert (found.rows_quarantined, found.rows_left_out) == (n_left, 2 - n_left)
    assert found.rows_in == found.rows_accepted + found.rows_quarantined + found.rows_left_out


def test_who_was_long_gone_has_no_name_any_more_and_the_purchases_stay(settings):
    """Gone by a day, gone on the last day that is kept, a person whose other account bought, a new account without any
    purchase, and one that was joined lately."""
    kept(settings, personal=400)
    last, over = TODAY - timedelta(400), TODAY - timedelta(401)
    customers = " union all ".join(
        f"select '{one}' as customer_id, {joined} as joined_on, '{one}@x' as email, '{one}' as full_name,"
        " 'b1' as batch_id"
        for one, joined in (
            ("over", "null::date"),
            ("last", "null::date"),
            ("old_id", "null::date"),
            ("new_id", "null::date"),
            ("silent", "null::date"),
            ("joined", f"date '{TODAY}' - 10"),
        )
    )
    batch(settings, "customers", "b1", over, customers)
    batch(
        settings,
        "customers",
        "b2",
        TODAY - timedelta(3),
        "select 'fresh' as customer_id, null::date as joined_on, 'fresh@x' as email, 'b2' as batch_id",
    )
    bought = {"over": over, "last": last, "old_id": over, "new_id": TODAY - timedelta(1)}
    batch(
        settings,
        "transactions",
        "t1",
        over,
        " union all ".join(
            f"select '{one}' as customer_id, timestamp '{day} 10:00:00' as occurred_at" for one, day in bought.items()
        ),
    )
    batch(settings, "customer_aliases", "a1", over, "select 'old_id' as old_customer_id, 'new_id' as customer_id")
    before = (settings.raw / "shop" / "transactions" / "t1" / "data.parquet").read_bytes()
    assert sweep(settings, TODAY) == {"personal": 2}
    with duckdb.connect() as con:
        rows = con.execute(
            "select customer_id, email is null, full_name is null from read_parquet(?)",
            [str(settings.raw / "shop" / "customers" / "b1" / "data.parquet")],
        ).fetchall()
        assert con.execute(
            "select email from read_parquet(?)", [str(settings.raw / "shop" / "customers" / "b2" / "data.parquet")]
        ).fetchall() == [("fresh@x",)]
    assert [row[0] for row in rows] == ["over", "last", "old_id", "new_id", "silent", "joined"]
    assert {row[0] for row in rows if row[1] and row[2]} == {"over", "silent"}
    assert {row[0] for row in rows if row[1] or row[2]} == {"over", "silent"}
    assert (settings.raw / "shop" / "transactions" / "t1" / "data.parquet").read_bytes() == before
    assert sweep(settings, TODAY) == {}


def test_published_tables_of_persons_go_and_totals_stay():
    marts = Marts({"persons": Mart(["customer_id"]), "totals": Mart(["kpi_date"])})
    days = {TODAY - timedelta(n): f"{n}.parquet" for n in (0, 400, 401)}
    files = {"persons": days, "totals": days}
    assert without_old_persons(files, marts, TODAY, None) == files
    found = without_old_persons(files, marts, TODAY, 400)
    assert list(found["persons"].values()) == ["0.parquet", "400.parquet"] and found["totals"] == days


@pytest.mark.parametrize(
    ("said", "words"),
    [("{sets: 9}", "no store"), ("{plans: 799}", "at least 800 days"), ("{exports: soon}", "exports")],
)
def test_a_period_that_cannot_be_is_refused(settings, said, words):
    (settings.home / "home.yml").write_text(f"sources: [completejourney]\nretention: {said}\n")
    with pytest.raises(UserError, match=words):
        periods_of(settings.home)


def test_the_status_says_the_periods_and_what_went_last_and_init_keeps_them(settings):
    kept(settings, exports=7, blocked=None)
    write_home_file(settings.home, ("completejourney",), 4, None)
    assert read_home_file(settings.home).retention == {"exports": 7, "blocked": None}
    night(settings.home, TODAY - timedelta(8), "exports/{day}/email.csv")
    sweep(settings, TODAY)
    said = text_of(status_of(settings, datetime.now(UTC).date()))
    assert "exports 7 days" in said and "blocked for ever" in said and "runs 30 days" in said
    assert "Removed on 2026-06-01: 1 of exports" in said


def test_periods_are_counted_back_from_the_newest_night_that_readers_see(settings, monkeypatch):
    """A home whose nights are of long ago keeps what the newest of them made."""
    shown = SimpleNamespace(as_of_date=date(2020, 1, 2))
    monkeypatch.setattr("pipelines.retention.business_today", lambda _: TODAY)
    assert sweep_day(settings) == TODAY
    monkeypatch.setattr("pipelines.retention.shown_contents", lambda _: shown)
    assert sweep_day(settings) == date(2020, 1, 2)
    shown.as_of_date = TODAY + timedelta(1)
    assert sweep_day(settings) == TODAY
