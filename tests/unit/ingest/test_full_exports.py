"""A history that is exported again and again is counted once, whatever the files are called."""

from datetime import date, timedelta

import pytest

from assets.ingest.full_exports import MAX_GONE
from assets.shared.errors import UserError
from assets.shared.plausibility import MIN_ROWS
from tests.unit.ingest.landed_shop import COLUMNS, HEADER

WITHOUT_IDS = {"customer_id": "who", "occurred_at": "when", "amount": "money"}
FIRST = date(2024, 1, 1)
#: What counts of the landed rows, as staging takes it.
COUNTED = (
    "from ingest.transactions as t left join ingest.replaced_days as r"
    " on t.batch_id = r.batch_id and cast(t.occurred_at as date) = r.day where r.batch_id is null"
)


def export(first: int, last: int, shop: str = "c", changed: dict[int, str] | None = None, without: int = -1) -> str:
    """Two sales a day, from day `first` to `last`."""
    rows = [
        f"{shop}{day % 7}{n},o{day}-{n},1,{FIRST + timedelta(day)},{(changed or {}).get(day, f'{day}.5{n}')}"
        for day in range(first, last + 1)
        if day != without
        for n in (0, 1)
    ]
    return "\n".join([HEADER, *rows]) + "\n"


def counted(shop) -> int:
    return shop.query(f"select count(*) {COUNTED}")[0][0]


@pytest.fixture(params=[COLUMNS, WITHOUT_IDS], ids=["with ids", "without ids"])
def full(shop, request):
    shop.describe({"columns": request.param, "delivery": "full"})
    return shop


@pytest.mark.parametrize("names", [["all.csv"] * 4, [f"all_{n}.csv" for n in range(4)]], ids=["same name", "new names"])
def test_a_growing_export_counts_once(full, names):
    for n, name in enumerate(names):
        full.write(export(0, 30 + n), name)
        full.land()
        assert counted(full) == 2 * (31 + n)
        assert full.land() and counted(full) == 2 * (31 + n), "landed again it changes nothing"
    assert full.query("select count(*) from ingest.batches") == [(1,)], "what is covered is superseded"
    assert len(list(full.home.glob("raw/shop/transactions/*/data.parquet"))) == 4, "and kept"


@pytest.mark.parametrize("name", ["window.csv", "window_{n}.csv"])
def test_a_rolling_window_keeps_what_lies_before_it(full, name):
    for n in range(5):
        full.write(export(n, n + 20), name.format(n=n))
        full.land()
        assert counted(full) == 2 * (21 + n)


def test_a_corrected_and_a_withdrawn_row_are_counted_and_told(full):
    said: list[str] = []
    full.write(export(0, 30), "a.csv")
    full.land()
    full.write(export(0, 31, changed={5: "100.00"}, without=9), "b.csv")
    full.source().land(full.settings, said.append)
    assert counted(full) == 62
    assert full.query(f"select sum(amount) {COUNTED} and t.amount >= 99") == [(200,)]
    assert full.query("select rows_replaced, rows_gone from ingest.batches where file = 'b.csv'") == [(62, 4)]
    assert any(
        "takes the place of 62 rows of its days, 4 of which it does not hold any more" in words for words in said
    )


def test_a_day_that_only_an_older_export_had_is_opened_and_empty(full):
    full.write(export(0, 30), "a.csv")
    full.write(export(2, 31, without=9), "b.csv")
    full.land()
    assert counted(full) == 2 * 2 + 2 * 29
    day = FIRST + timedelta(9)
    rows = full.query(f"select n_rows from ingest.batch_days where day = '{day}' order by n_rows")
    assert rows == [(0,), (2,)], "staging compares the deliveries of a day that stands twice"


def test_a_file_that_holds_its_earlier_content_again_is_the_newest(full):
    full.write(export(0, 30))
    full.land()
    full.write(export(0, 30, changed={5: "100.00"}))
    full.land()
    full.write(export(0, 30))
    full.land()
    assert full.query(f"select max(amount) < 99, count(*) {COUNTED}") == [(True, 62)]


def test_a_landing_that_died_before_it_superseded_is_finished(full, monkeypatch):
    full.write(export(0, 30), "a.csv")
    full.land()
    full.write(export(0, 31), "b.csv")
    with monkeypatch.context() as patch:
        patch.setattr("assets.ingest.landing.supersede_batch", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            full.land()
    assert counted(full) == 64
    full.land()
    assert full.query("select file from ingest.batches") == [("b.csv",)]


def test_two_shops_of_one_day_are_no_full_export(full):
    full.write(export(0, 30, "x"), "a_north.csv")
    full.write(export(0, 30, "y"), "a_south.csv")
    full.land()
    (refused,) = full.query("select file, rule, remedy from ingest.refused_files where resolved_at is null")
    assert refused[:2] == ("a_south.csv", "no_full_export") and "delivery: delta" in refused[2]
    assert counted(full) == 62, "the first stays"
    # The remedy.
    full.describe({"columns": WITHOUT_IDS, "delivery": "delta"})
    full.land()
    assert counted(full) == 124
    assert full.query("select count(*) from ingest.refused_files where resolved_at is null") == [(0,)]


@pytest.mark.parametrize(("n_kept", "is_refused"), [(15, True), (16, False)])
def test_an_export_that_lacks_most_rows_is_refused(full, n_kept, is_refused):
    assert MAX_GONE == 0.5
    full.write(export(0, 30), "a.csv")
    full.land()
    full.write(export(0, 30, changed=dict.fromkeys(range(n_kept, 31), "999.00")), "b.csv")
    full.land()
    assert bool(full.query("select 1 from ingest.refused_files where rule = 'no_full_export'")) is is_refused


def test_a_few_rows_are_not_judged(full):
    n_days = MIN_ROWS // 2 - 1
    full.write(export(0, n_days - 1), "a.csv")
    full.write(export(0, n_days - 1, "z"), "b.csv")
    full.land()
    assert counted(full) == 2 * n_days


def test_after_auto_was_corrected_to_full_the_exports_that_are_still_there_count_once(shop):
    shop.describe({"columns": WITHOUT_IDS})
    for n in range(3):
        shop.write(export(0, 30 + n), f"all_{n}.csv")
        shop.land()
    assert counted(shop) == 2 * (31 + 32 + 33), "which the release gate blocks"
    shop.describe({"columns": WITHOUT_IDS, "delivery": "full"})
    shop.land()
    assert counted(shop) == 2 * 33


def test_delta_adds_what_stands_under_an_old_name(shop):
    shop.describe({"columns": WITHOUT_IDS, "delivery": "delta"})
    shop.write(export(0, 10))
    shop.land()
    shop.write(export(10, 12))
    assert [b.replaces for b in shop.land()] == ["nothing"]
    assert counted(shop) == 22 + 6


@pytest.mark.parametrize("key", [{"file_changes": "replace"}, {"corrections": "replace_days"}])
def test_what_a_later_file_means_is_said_once(shop, key):
    shop.describe({"delivery": "full", **key})
    with pytest.raises(UserError, match="both say what a later file means"):
        shop.source()
