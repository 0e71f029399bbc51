"""What a user may call a source, which files it has, and for which dates it can be run."""

import os
from datetime import date

import pytest
from landed_shop import COLUMNS, HEADER, TOYSHOP

from assets.ingest.sources import resolve_source, resolve_sources
from assets.shared.errors import UserError
from assets.shared.settings import Settings

ROWS = f"{HEADER}\n7,o1,1,2024-05-01,5\n7,o2,1,2024-06-30 23:59,5\n"


def test_an_unknown_name_lists_the_built_in_ones():
    with pytest.raises(UserError) as caught:
        resolve_source("completejurney")
    assert "completejurney" in caught.value.what
    assert "did you mean 'completejourney'" in caught.value.remedy


def test_a_missing_yaml_is_named(tmp_path):
    with pytest.raises(UserError, match=r"gone\.yml does not exist"):
        resolve_source(str(tmp_path / "gone.yml"))


def test_the_built_in_name_is_taken(shop):
    shop.describe(top={"name": "completejourney"})
    with pytest.raises(UserError, match="built-in"):
        shop.source()


def test_two_sources_need_two_names(shop):
    shop.describe()
    twin = shop.yaml.with_name("twin.yml")
    twin.write_text(shop.yaml.read_text())
    with pytest.raises(UserError, match="two sources are called 'shop'"):
        resolve_sources((str(shop.yaml), str(twin)))
    assert [s.name for s in resolve_sources((str(shop.yaml), "completejourney", str(shop.yaml)))] == [
        "shop",
        "completejourney",
    ]


def test_a_pattern_without_a_file_says_what_is_there(shop):
    shop.write(ROWS, "sale.csv")
    shop.describe({"files": "sales.csv"})
    with pytest.raises(UserError) as caught:
        shop.land()
    assert "'sales.csv'" in caught.value.what
    assert "did you mean 'sale.csv'" in caught.value.remedy


def test_an_empty_folder_is_named(shop):
    shop.describe()
    with pytest.raises(UserError) as caught:
        shop.land()
    assert "empty" in caught.value.remedy


@pytest.mark.parametrize("pattern", ["/etc/*", "../*.yml"])
def test_files_outside_the_folder_are_refused(shop, pattern):
    shop.write(ROWS)
    shop.describe({"files": pattern})
    with pytest.raises(UserError):
        shop.land()


def test_a_name_that_is_no_utf8_refuses_its_file_and_no_other(shop):
    shop.write(ROWS)
    shop.write(ROWS + "8,o9,1,2024-05-01,5\n", os.fsdecode(b"caf\xe9.csv"))
    shop.describe()
    (batch,) = shop.land()
    assert batch.file == "sales.csv"
    assert shop.query("select file, reason from ingest.refused_files") == [
        ("caf\\xe9.csv", "the name of caf\\xe9.csv is not written in UTF-8")
    ]


def test_files_come_in_order_of_their_names_and_hidden_ones_not_at_all(shop):
    (shop.folder / "2024").mkdir()
    for name in ("b.csv", "a.csv", ".hidden.csv", "2024/c.csv"):
        shop.write(ROWS, name)
    shop.describe({"files": ["*.csv", "2024/*.csv", "a.csv"]})
    assert [extract.file for extract in shop.source().extracts()] == ["2024/c.csv", "a.csv", "b.csv"]


def test_a_file_that_may_not_be_read_is_named(shop):
    path = shop.write(ROWS)
    shop.describe()
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    with pytest.raises(UserError, match=r"sales\.csv cannot be read"):
        shop.land()


def test_bounds_are_the_same_before_and_after_landing(shop):
    shop.write(ROWS + "x,o3,1,1850-01-01,5\n")
    shop.describe()
    before = shop.source().as_of_bounds(shop.settings)
    assert not shop.settings.raw.exists() or not list(shop.settings.raw.rglob("batch.json"))
    shop.land()
    assert before == shop.source().as_of_bounds(shop.settings) == (date(2024, 5, 2), date(2024, 7, 1))


def test_complete_through_ends_the_bounds_earlier_and_never_later(shop):
    shop.write(ROWS)
    shop.describe(top={"complete_through": "2024-06-29"})
    assert shop.source().as_of_bounds(shop.settings)[1] == date(2024, 6, 30)
    shop.describe(top={"complete_through": "2030-01-01"})
    assert shop.source().as_of_bounds(shop.settings)[1] == date(2024, 7, 1)
    shop.describe(top={"complete_through": "2024-04-01"})
    with pytest.raises(UserError, match="complete_through 2024-04-01 is before"):
        shop.source().as_of_bounds(shop.settings)


def test_bounds_without_any_valid_date(shop):
    shop.write(f"{HEADER}\n7,o1,1,soon,5\n")
    shop.describe()
    with pytest.raises(UserError) as caught:
        shop.source().as_of_bounds(shop.settings)
    assert "check-source" in caught.value.remedy


def test_of_several_files_that_cannot_be_used_one_is_told_and_the_others_counted(shop):
    shop.write(b"", "a.csv")
    shop.write(b"PK\x03\x04", "b.csv")
    shop.write(b"", "c.csv")
    shop.describe()
    with pytest.raises(UserError, match=r"a\.csv is empty; 2 more of the files") as refused:
        shop.source().as_of_bounds(shop.settings)
    assert "holdfast check-source" in refused.value.remedy


def test_bounds_follow_the_shops_clock(shop):
    shop.write(f"{HEADER}\n7,o1,1,2024-05-01 23:30,5\n")
    shop.describe({"columns": COLUMNS, "file_time_zone": "UTC"}, {"time_zone": "Europe/Berlin"})
    assert shop.source().as_of_bounds(shop.settings) == (date(2024, 5, 3), date(2024, 5, 3))


def test_the_built_in_source(tmp_path):
    source = resolve_source("completejourney")
    assert source.entities == ("transactions", "customers", "contacts")
    settings = Settings(home=tmp_path, sources=("completejourney",))
    assert source.as_of_bounds(settings) == (date(2017, 1, 2), date(2018, 1, 1))


def test_the_toy_shop_is_what_its_maker_makes(tmp_path):
    import runpy

    make = runpy.run_path(str(TOYSHOP / "make_toyshop.py"))["make"]
    make(tmp_path)
    for name in ("transactions.csv", "customers.csv"):
        assert (tmp_path / name).read_bytes() == (TOYSHOP / name).read_bytes(), f"{name}: run make_toyshop.py again"
