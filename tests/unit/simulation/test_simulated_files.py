"""The files of a simulated business: exact sizes, fixed order, nothing of the truth, same seed and same bytes."""

import shlex
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
import yaml

from assets.ingest.mapping.yaml_file import load_mapping
from assets.ingest.sources import FileSource
from assets.shared.errors import UserError
from assets.shared.settings import Settings
from pipelines.cli import main
from simulation.business import Request, check_request, simulate
from tests.unit.simulation.conftest import CUSTOMERS, LINES, NIGHTS


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_lines_and_customers_are_exactly_as_many_as_asked_for(read):
    assert read("select count(*) from '{out}/landing/transactions_*.parquet'") == [(LINES,)]
    assert read("select count(*), count(distinct customer_id) from '{out}/landing/customers.parquet'") == [
        (CUSTOMERS, CUSTOMERS)
    ]
    strangers = read(
        "select count(*) from '{out}/landing/transactions_*.parquet' "
        "where customer_id not in (select customer_id from '{out}/landing/customers.parquet')"
    )
    assert strangers == [(0,)]


def test_history_ends_the_day_before_the_last_date_and_each_night_holds_its_own_day(business, read):
    request, _ = business
    last = date.fromisoformat((request.out / "last_date").read_text().strip())
    assert last == date(2022, 3, 1) == request.last_date
    first_day, last_day = read(
        "select min(occurred_at)::date, max(occurred_at)::date from '{out}/landing/transactions_*.parquet'"
    )[0]
    assert (first_day, last_day) == (date(2021, 3, 1), last - timedelta(1))
    folders = sorted(p.name for p in (request.out / "nights").iterdir())
    assert folders == [(last + timedelta(n)).isoformat() for n in range(NIGHTS)]
    for night in folders:
        days = read(f"select distinct occurred_at::date from '{{out}}/nights/{night}/transactions_*.parquet'")
        assert days == [(date.fromisoformat(night),)]


def test_no_file_of_a_night_has_the_name_of_another(business):
    request, _ = business
    names = [p.name for folder in ("landing", "nights") for p in (request.out / folder).rglob("*.parquet")]
    assert len(names) == len(set(names))


def test_lines_come_in_order_of_time_and_ids_are_unique_within_a_day(read):
    for month in ("2021-05", "2021-12"):
        assert read(
            f"select count(*) from (select occurred_at, lag(occurred_at) over () as before "
            f"from '{{out}}/landing/transactions_{month}.parquet') where occurred_at < before"
        ) == [(0,)]
    assert read(
        "select max(n) from (select count(*) as n from '{out}/landing/transactions_*.parquet' "
        "group by occurred_at::date, order_id, line_id)"
    ) == [(1,)]


def test_a_return_takes_back_a_line_of_its_order(read):
    lines = "'{out}/landing/transactions_*.parquet'"
    assert read(f"select count(*) from {lines} where quantity < 0")[0][0] > 20
    assert read(f"""
        select count(*) from {lines} as r anti join {lines} as s
            on r.order_id = s.order_id and r.line_id = s.line_id + 512 and r.amount = -s.amount
            and r.quantity = -s.quantity and r.product_id = s.product_id and r.occurred_at > s.occurred_at
        where r.quantity < 0
    """) == [(0,)]


def test_promotion_hunters_buy_on_discount_and_the_others_rarely(read):
    shares = dict(
        read("""
        select is_promotion_hunter, avg((discount_amount > 0)::integer)
        from '{out}/landing/transactions_*.parquet' as l
        inner join '{out}/truth/customers.parquet' as c on l.customer_id::varchar = c.customer_id
        where quantity > 0 group by all
    """)
    )
    assert shares[True] > 0.7 and shares[False] < 0.2


def test_second_identities_share_mail_or_phone_with_their_person(read):
    twins = read("""
        select a.email = b.email, a.phone = b.phone, a.full_name = b.full_name, a.region = b.region
        from '{out}/truth/customers.parquet' as t
        inner join '{out}/landing/customers.parquet' as a on t.customer_id = a.customer_id::varchar
        inner join '{out}/landing/customers.parquet' as b on t.person_id = b.customer_id::varchar
        where t.customer_id <> t.person_id
    """)
    assert len(twins) > 10
    assert all((mail or phone) and name and region for mail, phone, name, region in twins)


def test_only_those_who_agreed_are_drawn_and_a_quarter_of_them_is_held_out(read):
    assert read("""
        select count(*) from '{out}/landing/contacts.parquet' as c
        anti join '{out}/landing/consents.parquet' as s
            on c.customer_id = s.customer_id and s.channel = 'email' and s.status = 'granted'
            and s.valid_from <= c.sent_at
    """) == [(0,)]
    n, held = read("select count(*), avg((outcome = 'held_out')::integer) from '{out}/landing/contacts.parquet'")[0]
    assert n > 300 and 0.15 < held < 0.35


def test_the_source_reads_landing_and_cannot_reach_the_truth(business):
    request, _ = business
    source = FileSource(load_mapping(request.out / "source.yml"))
    files = [path for entity in source.entities for path in source.files(entity)]
    assert {path.resolve() for path in files} == {p.resolve() for p in (request.out / "landing").iterdir()}
    described = yaml.safe_load((request.out / "source.yml").read_text())
    assert not [p for t in described["tables"].values() for p in [t["files"]] if (request.out / "truth" / p).exists()]


@pytest.fixture(scope="module")
def tiny(make_request):
    """A smaller one, as a bank, written with one thread in little memory."""
    request = make_request(lines=5_000, customers=400, variant="bank", years=0.6, knowable_customers=60, threads=1)
    simulate(request, Settings(home=request.out, sources=(), memory_limit="300MB"))
    return request


@pytest.mark.campaign
def test_the_same_seed_gives_the_same_bytes_at_any_number_of_threads(make_request, tiny):
    again = replace(tiny, out=make_request().out, threads=2)
    simulate(again)
    assert contents(again.out) == contents(tiny.out)


@pytest.mark.campaign
def test_another_seed_gives_another_business_of_the_same_size_and_replaces_the_former(make_request, tiny):
    other = replace(tiny, out=make_request().out, seed=8, nights=0, knowable_customers=0)
    (other.out / "nights" / "stale").mkdir(parents=True)
    (other.out / "simulation.json").write_text("{}")
    simulate(other)
    a, b = contents(tiny.out), contents(other.out)
    assert a["landing/customers.parquet"] != b["landing/customers.parquet"]
    assert not (other.out / "nights").exists() and not (other.out / ".work").exists()


def test_a_bank_has_balances_that_fall_after_the_salary(tiny):
    with duckdb.connect() as con:
        rows = con.execute(
            "select day = last_day(day), median(balance)::double, min(balance)::double "
            f"from '{tiny.out}/landing/balances.parquet' group by all"
        ).fetchall()
    (_, on_salary_day, _), (_, at_month_end, least) = sorted(rows)
    assert at_month_end < 0.8 * on_salary_day and least >= 20


def test_balances_say_something_of_who_has_turned_away(tiny):
    """A third of a usual salary or less on a salary day is rare with a salary, and usual where it goes elsewhere."""
    with duckdb.connect() as con:
        shares = dict(
            con.execute(f"""
                with changes as (select * from '{tiny.out}/truth/changes.parquet' where change = 'salary_stop'),
                paid as (
                    select
                        b.*, balance < 500 as is_low,
                        exists (
                            select 1 from changes as c where c.customer_id = b.customer_id and b.day >= c.changed_on
                                and (c.until_on is null or b.day < c.until_on)
                        ) as has_stopped
                    from '{tiny.out}/landing/balances.parquet' as b where extract(day from day) = 25
                )
                select has_stopped, avg(is_low::int) from paid group by 1
            """).fetchall()
        )
    assert shares[False] < 0.1 and shares[True] > 0.8


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"lines": 399, "customers": 400}, "fewer than"),
        ({"lines": 0}, "needs customers and lines"),
        ({"customers": 0}, "needs customers and lines"),
        ({"lines": 10_000_000, "customers": 10}, "a day"),
        ({"lines": 6_000_000_000, "customers": 60_000_000}, "does not fit"),
        ({"nights": -1}, "nights"),
        ({"cutoffs": -1}, "fewer than none"),
        ({"knowable_customers": -1}, "fewer than none"),
        ({"years": 0.1}, "years"),
        ({"seed": -1}, "seed"),
        ({"start": date(2190, 1, 1), "years": 20.0}, "2199"),
    ],
)
def test_impossible_requests_are_refused_with_a_remedy(tmp_path, changes, named):
    request = replace(Request(lines=5_000, customers=400, seed=1, nights=1, out=tmp_path), **changes)
    with pytest.raises(UserError, match=named) as error:
        check_request(request)
    assert error.value.remedy


def test_a_folder_with_other_things_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("three years of work")
    code = main(["simulate", "--lines", "5000", "--customers", "400", "--out", str(tmp_path)])
    assert code == 2 and "no former simulation" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_as_few_lines_as_customers_is_possible(make_request):
    request = make_request(lines=300, customers=300, nights=0, cutoffs=0, knowable_customers=0)
    simulate(request)
    with duckdb.connect() as con:
        assert con.execute(f"select count(*) from '{request.out}/landing/transactions_*.parquet'").fetchone() == (300,)


@pytest.mark.campaign
@pytest.mark.parametrize(("lines", "customers"), [(1, 1), (10, 10)])
def test_a_business_in_which_nobody_comes_twice_is_possible(make_request, lines, customers):
    request = make_request(lines=lines, customers=customers, seed=3, nights=1, cutoffs=0)
    simulate(request)
    with duckdb.connect() as con:
        written = con.execute(f"select count(*) from '{request.out}/landing/transactions_*.parquet'").fetchone()
    assert written == (lines,)


def test_a_folder_that_cannot_be_made_is_named_with_a_remedy(tmp_path, capsys):
    (tmp_path / "file").touch()
    code = main(["simulate", "--lines", "50", "--customers", "10", "--out", str(tmp_path / "file" / "business")])
    said = capsys.readouterr().err
    assert code == 2 and "cannot be written" in said and "remedy" in said


@pytest.mark.campaign
def test_the_command_to_run_it_can_be_pasted_whatever_the_folder_is_called(tmp_path, capsys):
    out = tmp_path / "my father's shop"
    asked = ["--lines", "20", "--customers", "10", "--truth-months", "0", "--knowable-customers", "0"]
    assert main(["simulate", *asked, "--out", str(out)]) == 0
    command = capsys.readouterr().out.splitlines()[-1].removeprefix("run it: ")
    assert str(out / "source.yml") in shlex.split(command)
