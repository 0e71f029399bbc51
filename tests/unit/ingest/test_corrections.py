"""What takes the place of what, what stays on record, and what was known at an earlier moment."""

from datetime import UTC, date, datetime

import pytest
from landed_shop import COLUMNS, HEADER

from assets.dbt import changed_days
from assets.ingest import raw_views
from assets.ingest.batches import read_all_batches, read_batches
from assets.ingest.defs import known_moment, open_refusals, refuse_rewriting
from assets.ingest.defs import replaced as told_as_replaced
from assets.ingest.extract_guard import Expectation
from assets.ingest.schema_drift import changes
from assets.shared.errors import UserError
from assets.shared.settings import Settings

WITHOUT_IDS = {"customer_id": "who", "occurred_at": "when", "amount": "money"}
CORRECTS = {"columns": WITHOUT_IDS, "corrects": r"(sales_\d{8})"}


def lines(*days: int, money: float = 5) -> str:
    return "\n".join([HEADER, *(f"7,o{day},1,2024-05-{day:02d} 10:00,{money}" for day in days), ""])


def days(shop) -> list[int]:
    return [d for (d,) in shop.query("select day(occurred_at) from ingest.transactions order by 1")]


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def touched(shop) -> list[int]:
    """Days that a run would compute again now; afterwards they are computed."""
    con = shop.rebuilt()
    con.execute("create schema if not exists identity")
    con.execute("create table if not exists identity.id_changes as select * from ingest.id_changes")
    for table in changed_days.BY_CHANGED_DAYS:
        con.execute(f"create schema if not exists {table.split('.')[0]}")
        con.execute(f"create table if not exists {table} (customer_id text, day date)")
    changed_days.plan_changed_days(con, "code")
    found = [d for (d,) in con.execute("select day(day) from platform.changed_days order by 1").fetchall()]
    changed_days.mark_applied(con, "code")
    return found


# -- Corrections ------------------------------------------------------------------------------------------------------


def test_a_correction_takes_the_place_of_its_file_and_opens_exactly_its_days(shop):
    shop.write(lines(1, 2), "sales_20240501.csv")
    shop.write(lines(20), "sales_20240520.csv")
    shop.describe(CORRECTS)
    shop.land()
    assert touched(shop) == [1, 2, 20] and touched(shop) == []
    shop.write(lines(2, 3, money=9), "sales_20240501_v2.csv")
    shop.land()
    assert days(shop) == [2, 3, 20]
    assert touched(shop) == [1, 2, 3], "the days of the file that went and of the one that came"


def test_of_many_corrections_the_last_counts_whatever_came_first(shop):
    shop.describe(CORRECTS)
    for name, day in (("sales_20240501_v10.csv", 10), ("sales_20240501_v9.csv", 9), ("sales_20240501.csv", 1)):
        shop.write(lines(day), name)
        shop.land()
        assert days(shop) == [10], name
    shop.land()
    assert days(shop) == [10], "nothing comes back although all files are still there"


def test_a_correction_that_is_taken_back_does_not_count_any_more_once_the_original_is_corrected_anew(shop):
    shop.describe(CORRECTS)
    shop.write(lines(1), "sales_20240501.csv")
    shop.write(lines(2), "sales_20240501_v2.csv")
    shop.land()
    shop.write(lines(3), "sales_20240501_v3.csv")
    shop.land()
    assert days(shop) == [3]


def test_content_that_returns_under_its_name_counts_again(shop):
    shop.describe({"columns": WITHOUT_IDS, "file_changes": "replace"})
    for day in (1, 2, 1):
        shop.write(lines(day))
        shop.land()
        assert days(shop) == [day]
    assert len(read_all_batches(shop.settings, ["shop"])) == 2, "no content is landed twice"


@pytest.mark.parametrize("table", [{}, {"corrections": "replace_days"}, {"corrections": "replace_orders"}])
def test_a_wrong_correction_is_undone_by_the_original_file(shop, table):
    """The rows have ids, so the file of the wrong correction stays active; what came last must win all the same."""
    shop.describe({"columns": COLUMNS, **table})
    shop.write(lines(7), "other.csv")
    moments = []
    for money in (5, 50, 5):
        shop.write(lines(1, 2, money=money))
        shop.land()
        moments.append(now())
        assert touched(shop) == ([1, 2, 7] if len(moments) == 1 else [1, 2])
    shop.land()
    assert touched(shop) == [], "it came once"
    newest = "select b.batch_id from ingest.batches b where file = 'sales.csv' order by loaded_at desc limit 1"
    (now_newest,) = shop.query(newest)[0]
    then = [raw_views.rebuild_raw_views(shop.rebuilt(), shop.settings, ["shop"], knowledge_time=m) for m in moments]
    assert [max(t, key=lambda b: b.delivered_at).batch_id == now_newest for t in then] == [True, False, True]


def test_a_wrong_correction_by_name_is_undone_by_the_original_file(shop):
    shop.describe(CORRECTS)
    for day in (1, 2, 1):
        shop.write(lines(day), "sales_20240501.csv")
        shop.land()
        assert days(shop) == [day]


def test_a_file_outside_the_pattern_of_corrections_loses_no_rows_when_its_content_comes_back(shop):
    shop.describe({**CORRECTS, "columns": COLUMNS})
    for day in (1, 2, 1):
        shop.write(lines(day), "misc.csv")
        shop.land()
    assert days(shop) == [1, 2]


def test_an_undone_correction_that_died_half_way_is_finished_by_the_next_landing(shop, monkeypatch):
    shop.describe(CORRECTS)
    for day in (1, 2):
        shop.write(lines(day), "sales_20240501.csv")
        shop.land()
    shop.write(lines(1), "sales_20240501.csv")
    with monkeypatch.context() as patch:
        patch.setattr("assets.ingest.landing.supersede_batch", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            shop.land()
    shop.land()
    assert days(shop) == [1]


def test_content_comes_back_once_although_the_clock_was_set_back(shop, monkeypatch):
    shop.describe({"columns": COLUMNS})
    for money in (5, 50):
        shop.write(lines(1, money=money))
        shop.land()
    monkeypatch.setattr("assets.ingest.batches._now", lambda: datetime(2020, 1, 1))
    shop.write(lines(1, money=5))
    for _ in range(3):
        shop.land()
    original, wrong = sorted(read_batches(shop.settings, ["shop"]), key=lambda b: b.loaded_at)
    assert len(original.periods) == 2 and original.delivered_at > wrong.delivered_at


def test_a_replacement_that_died_half_way_is_finished_by_the_next_landing(shop, monkeypatch):
    shop.describe({"columns": WITHOUT_IDS, "file_changes": "replace"})
    shop.write(lines(1))
    shop.land()
    shop.write(lines(2))
    with monkeypatch.context() as patch:
        patch.setattr("assets.ingest.landing.supersede_batch", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            shop.land()
    assert days(shop) == [1, 2]
    shop.land()
    assert days(shop) == [2]


def test_a_file_that_replaces_days_says_which_rows_of_which_batches_no_longer_count(shop):
    shop.describe({"columns": WITHOUT_IDS, "corrections": "replace_days"})
    shop.write(lines(1, 1, 2, 3), "a.csv")
    shop.land()
    assert touched(shop) == [1, 2, 3]
    shop.write(lines(1, 2), "b.csv")
    shop.land()
    replaced = (
        "select a.file, day(day), n_rows, b.file from ingest.replaced_days r join ingest.batches a using "
        "(batch_id) join ingest.batches b on b.batch_id = replaced_by order by all"
    )
    assert shop.query(replaced) == [("a.csv", 1, 2, "b.csv"), ("a.csv", 2, 1, "b.csv")]
    assert touched(shop) == [1, 2]
    assert told_as_replaced(shop.rebuilt()) == [
        "source shop: 3 rows of 1 file(s) no longer count, later files replaced their 2 day(s) (ingest.replaced_days)"
    ]
    shop.write(lines(2, 4), "c.csv")
    shop.land()
    assert shop.query(replaced) == [
        ("a.csv", 1, 2, "b.csv"),
        ("a.csv", 2, 1, "c.csv"),
        ("b.csv", 2, 1, "c.csv"),
    ], "each with the last that delivered the day"


def test_a_day_brought_twice_is_judged_by_the_rows_that_count(shop):
    shop.describe({"columns": WITHOUT_IDS, "corrections": "replace_days"})
    shop.write(lines(1, 1, 2, 2, 2), "a.csv")
    shop.write(lines(2), "b.csv")
    shop.land()
    found = raw_views.write_extracts(shop.rebuilt(), date(2024, 5, 3), {"shop": Expectation(every_days=1)})
    assert [(v.day.day, v.n_rows) for v in found["shop"]] == [(1, 2), (2, 1)]


def test_without_ids_a_changed_file_replaces_its_days_where_days_are_replaced(shop):
    shop.describe({"columns": WITHOUT_IDS, "corrections": "replace_days"})
    shop.write(lines(1, 2))
    shop.land()
    shop.write(lines(2, 3))
    assert [b.replaces for b in shop.land()] == ["days"]
    assert shop.query("select day(day), n_rows from ingest.replaced_days") == [(2, 1)]
    assert days(shop) == [1, 2, 2, 3], "all is kept; staging leaves the replaced rows out"


def test_which_rows_a_correction_replaces_is_part_of_what_a_file_becomes(shop):
    shop.describe()
    plain = shop.source().mapping.fingerprint("transactions")
    shop.describe({"corrections": "replace_lines"})
    assert shop.source().mapping.fingerprint("transactions") == plain, "the default, whether said or not"
    shop.describe({"corrections": "replace_orders"})
    assert shop.source().mapping.fingerprint("transactions") != plain


def test_corrections_by_orders_need_orders(shop):
    shop.describe({"columns": WITHOUT_IDS, "corrections": "replace_orders"})
    with pytest.raises(UserError, match="no order_id is mapped"):
        shop.source()


def test_corrections_are_not_for_other_tables(shop):
    shop.describe(customers={"files": "*", "columns": {"customer_id": "who"}, "corrections": "replace_days"})
    with pytest.raises(UserError, match="belongs to tables.transactions"):
        shop.source()


@pytest.mark.parametrize("pattern", ["sales_[0-9", "no group", "(two)(groups)"])
def test_a_pattern_that_cannot_say_what_versions_share(shop, pattern):
    shop.describe({"corrects": pattern})
    with pytest.raises(UserError, match="corrects"):
        shop.source()


# -- As known at a moment ---------------------------------------------------------------------------------------------


def test_knowledge_time_then_and_as_known_now(shop):
    shop.describe({"columns": WITHOUT_IDS, "file_changes": "replace"})
    before = now()
    shop.write(lines(1))
    shop.land()
    first = now()
    shop.write(lines(2))
    shop.write(lines(9), "late.csv")
    shop.land()

    def known(moment) -> list[int]:
        con = shop.rebuilt()
        raw_views.rebuild_raw_views(con, shop.settings, ["shop"], moment)
        found = con.execute("select day(occurred_at) from ingest.transactions order by 1").fetchall()
        assert con.execute("select coalesce(sum(rows_accepted), 0) from ingest.batches").fetchone() == (len(found),)
        return [d for (d,) in found]

    assert known(before) == []
    assert known(first) == [1]
    assert known(None) == known(now()) == [2, 9]


def test_moments(tmp_path):
    assert known_moment("") is None
    assert known_moment("2024-05-01") == datetime(2024, 5, 1, 23, 59, 59, 999999)
    assert known_moment("2024-05-01T06:00:00+02:00") == datetime(2024, 5, 1, 4)
    with pytest.raises(UserError, match="no moment"):
        known_moment("last week")


def test_what_was_known_then_never_overwrites_the_nights(tmp_path):
    nights = Settings(home=tmp_path, sources=("shop",))
    apart = Settings(home=tmp_path / "as_known" / "x", sources=("shop",), raw_home=tmp_path)
    assert (apart.raw, apart.quarantine, apart.published.parent) == (nights.raw, nights.quarantine, apart.home)
    refuse_rewriting(nights, None, date(2024, 5, 2))
    refuse_rewriting(apart, datetime(2024, 5, 1), date(2024, 5, 2))
    with pytest.raises(UserError, match="--knowledge-time"):
        refuse_rewriting(nights, datetime(2024, 5, 1), date(2024, 5, 2))
    with pytest.raises(UserError, match="HOLDFAST_RAW_HOME"):
        refuse_rewriting(apart, None, date(2024, 5, 2))


# -- Refused files ----------------------------------------------------------------------------------------------------


def test_a_refusal_stays_open_with_its_first_moment_until_the_file_is_mended(shop):
    shop.write(lines(1), "good.csv")
    shop.write(b"", "bad.csv")
    shop.describe()
    shop.land()
    ((first,),) = shop.query("select refused_at from ingest.refused_files")
    shop.land()
    assert shop.query("select refused_at, resolved_at from ingest.refused_files") == [(first, None)]
    assert open_refusals(shop.rebuilt()) == ["source shop: refused bad.csv (transactions, empty): bad.csv is empty"]
    shop.write(lines(2), "bad.csv")
    shop.land()
    assert open_refusals(shop.rebuilt()) == []
    assert shop.query("select count(*) from ingest.refused_files where resolved_at >= refused_at") == [(1,)]
    shop.write(b"", "bad.csv")
    shop.land()
    assert len(open_refusals(shop.rebuilt())) == 1, "it is offered once more"


def test_a_source_without_any_transactions_stops_the_run_with_its_first_refusal(shop):
    shop.write(b"", "bad.csv")
    shop.describe()
    with pytest.raises(UserError, match=r"bad\.csv is empty"):
        shop.land()
    assert shop.query("select rule from ingest.refused_files") == [("empty",)]


def test_a_file_that_changes_while_it_is_read_is_not_taken(shop, monkeypatch):
    shop.write(lines(1), "good.csv")
    path = shop.write(lines(2), "growing.csv")
    shop.describe()
    read = shop.source().extracts()[1].read

    def grow(con, max_rows=None):
        records = read(con, max_rows)
        path.write_text(lines(2, 3))
        return records

    source = shop.source()
    extracts = source.extracts()
    object.__setattr__(extracts[1], "read", grow)
    monkeypatch.setattr(type(source), "extracts", lambda *_: extracts)
    assert [b.file for b in source.land(shop.settings)] == ["good.csv"]
    assert shop.query("select rule, is_waiting from ingest.refused_files") == [("still_being_written", True)]
    monkeypatch.undo()
    assert [b.file for b in shop.land()] == ["good.csv", "growing.csv"]
    assert days(shop) == [1, 2, 3]


def test_a_pattern_may_not_lead_out_of_the_folder(shop):
    shop.write(lines(1))
    for pattern in ("../*.csv", "/etc/*"):
        shop.describe({"files": pattern})
        with pytest.raises(UserError, match="leads out of the folder"):
            shop.land()


def test_an_inbox_may_be_emptied_after_landing(shop):
    path = shop.write(lines(1))
    shop.describe()
    shop.land()
    path.unlink()
    assert shop.land() == []
    assert shop.source().as_of_bounds(shop.settings) == (date(2024, 5, 2), date(2024, 5, 2))
    assert days(shop) == [1]


# -- Schema drift -----------------------------------------------------------------------------------------------------


def test_columns_that_come_and_go_are_told_once(shop):
    shop.describe({"columns": COLUMNS | {"category": {"column": "group", "optional": True}}})
    for day, header in enumerate(
        (HEADER, f"{HEADER},group", f"{HEADER},group,colour", f"{HEADER},colour", f"{HEADER},colour"), 1
    ):
        extra = ",x" * (len(header.split(",")) - 5)
        shop.write(f"{header}\n7,o{day},1,2024-05-0{day},5{extra}\n", f"{day}.csv")
        shop.land()
    told = shop.query("select column_name, change, file, n_files from ingest.schema_changes order by noticed_at, 1")
    assert told == [("group", "added", "2.csv", 1), ("colour", "added", "3.csv", 1), ("group", "lost", "4.csv", 1)]
    assert shop.query("select category from ingest.transactions order by occurred_at") == [
        (None,),
        ("x",),
        ("x",),
        (None,),
        (None,),
    ], "an added column that is mapped is used from the file on that has it"


def test_files_of_an_older_release_are_not_compared(shop):
    shop.write(lines(1))
    shop.describe()
    shop.land()
    (batch,) = read_batches(shop.settings, ["shop"])
    assert [name for name, _ in batch.columns] == HEADER.split(",")
    object.__setattr__(batch, "columns", None)
    assert changes([batch, batch]) == []
