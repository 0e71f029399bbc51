"""The benchmark of the contact plan: two nights on a small business, each way to choose, and the page."""

import duckdb
import pytest

from benchmarks import loop
from simulation import live
from simulation.baskets import FIRST_ID
from simulation.business import Request

pytestmark = pytest.mark.campaign


def test_two_nights_of_each_way_are_compared_on_the_same_business(tmp_path, monkeypatch, capsys):
    page = tmp_path / "loop.md"
    size = ["--customers", "300", "--lines", "9000", "--years", "1", "--days", "30", "--every", "15", "--seeds", "2"]
    monkeypatch.setattr("sys.argv", ["loop", *size, "--out", str(page)])
    loop.main()
    said = capsys.readouterr().out
    text = page.read_text()
    for way in loop.WAYS:
        assert f"business 2, {way}: " in said
        assert f"| {way} |" in text
    assert page.with_suffix(".png").stat().st_size > 5_000
    assert "300 customers" in text and "a night every 15 days" in text


def test_what_a_contact_brings_is_the_mean_over_kinds_of_customers(tmp_path):
    """Persuadables buy at m1 times their pace: who knows them counts m1 - 1 of their purchases, who does not counts
    s1 (m1 - 1) + s2 (m2 - 1) of the same purchases, s the shares of persuadables and of sleeping dogs."""
    request = Request(lines=4_000, customers=150, seed=3, nights=30, out=tmp_path, years=1.0)
    with duckdb.connect() as con:
        p, factor = live.open_business(con, request)
        con.execute(loop._TABLES)
        loop.read_playbook(con)
        day = request.history_days
        live.contact(con, p, request, [])
        untouched = con.execute(
            f"select customer from customers where response = 1 and customer not in (select customer from contacts"
            f" where day > {day - 60}) and customer in (select customer from orders where day < {day})"
            " order by customer"
        ).fetchall()
        made = [live.Contact(f"k{who}", str(FIRST_ID + who), "stay_benefit", "email", day) for (who,) in untouched]
        live.contact(con, p, request, made)
        business = loop.Business(con, request, p, factor, loop.Score(None))
        known, mean = (sum(row["gain"] for row in loop.expected(business, knows)) for knows in (True, False))
    m1, m2, _ = live.effects_of(p)["stay_benefit"]
    assert len(made) > 5 and known > 0
    lift = p.persuadable_share * (m1 - 1) + p.sleeping_dog_share * (m2 - 1)
    assert mean == pytest.approx(known / (m1 - 1) * lift)
