"""A request for one account reaches the others of the person, and what somebody said of them."""

import duckdb
import pytest

from assets.shared.settings import Settings
from pipelines.erasure.identifiers import Identifiers
from pipelines.erasure.persons import ids_of_persons
from pipelines.erasure.rewriting import rewrite_export


@pytest.fixture
def settings(tmp_path) -> Settings:
    folder = tmp_path / "ledgers" / "identity"
    folder.mkdir(parents=True)
    nights = {
        "2024-09-01": "('a', 'a'), ('b', 'a'), ('c', 'a'), ('d', 'd')",
        "2024-09-02": "('c', 'c')",
    }
    with duckdb.connect() as con:
        for day, rows in nights.items():
            members = (
                f"from (values {rows}) as t(customer_id, person_id) select date '{day}' as day, 'member' as kind, *"
            )
            con.execute(f"copy ({members}) to '{folder}/{day}.parquet' (format parquet)")
    return Settings(home=tmp_path, sources=())


def test_all_accounts_that_are_one_person_now_are_of_it(settings):
    assert ids_of_persons(settings, ["b", "c", "d"]) == {"b": ["a", "b"], "c": ["c"], "d": ["d"]}


def test_links_that_name_the_person_go(tmp_path):
    path = tmp_path / "person_links.csv"
    path.write_text(
        "link,customer_id,other_customer_id,reason\nmust_link,1044,7,\ncannot_link,8,1044,\nmust_link,7,8,\n"
    )
    assert rewrite_export(path, Identifiers({"1044": "erased:1"}), lambda *_: None)
    assert path.read_text() == "link,customer_id,other_customer_id,reason\nmust_link,7,8,\n"
