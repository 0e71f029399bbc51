"""The same set in a real Postgres: rows, keys, comments, rights, one swap, and what a killed copy leaves."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

import duckdb
import pytest
from toy_marts import MARTS, complete_sets, make_marts, read
from toy_marts import settings_of as duckdb_settings
from toy_postgres import ask

from assets.publish.current_link import CurrentLink
from assets.publish.exports import export_night, withdraw_after
from assets.publish.marts import Mart
from assets.publish.postgres_target import postgres_target, postgres_type
from assets.publish.publication import NotReleased, publish_night
from assets.publish.release_ledger import SetId
from assets.publish.rollback import roll_back
from assets.shared.errors import UserError

pytestmark = pytest.mark.usefixtures("postgres_server")

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
JUNE, JULY, AUGUST = date(2017, 6, 1), date(2017, 7, 1), date(2017, 8, 1)
READER = "holdfast_test_reader"
INDEXED = Mart(
    ["customer_id"],
    "It's one row a customer.",
    {"customer_id": "As the source\\wrote it.", "absent": "no"},
    indexes=[["made_by"]],
)
DAILY = Mart(["day", "customer_id"], primary_key=["day", "customer_id"])
POSTGRES_MARTS = replace(MARTS, tables={**MARTS.tables, "customers": INDEXED, "daily": DAILY})

_PRIMARY_KEYS = (
    "select conrelid::regclass::text from pg_constraint where contype = 'p' and connamespace = 'marts'::regnamespace"
    " order by 1"
)


@pytest.fixture
def settings(tmp_path, database):
    return replace(duckdb_settings(tmp_path), publish_postgres=database, postgres_reader=READER)


def night(settings, as_of: date, run_id: str, passed: bool = True, n: int = 50, extra: str = "", **options):
    make_marts(settings, as_of, run_id, passed, n, extra)
    return publish_night(settings, SetId(as_of, run_id), POSTGRES_MARTS, **options)


def shown(settings) -> list[tuple]:
    return ask(settings.publish_postgres, "select as_of_date, run_id from marts.run_manifest")


def schemas(settings) -> set[str]:
    rows = ask(
        settings.publish_postgres,
        "select nspname::text from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'",
    )
    return {name for (name,) in rows} - {"public"}


def test_both_targets_hold_the_same_rows_types_included(settings, tmp_path):
    extra = (
        ", (i * 1.25)::decimal(18, 4) as money, case when i % 3 = 0 then null else 'é😀' || i end as words,"
        " timestamp '2020-02-29 23:59:59.123456' as moment, i % 2 = 0 as flag, i / 7 as ratio, i::bigint as n,"
        " case when i = 1 then 'nan'::double else 'inf'::double end as strange"
    )
    report = night(settings, JUNE, "a", extra=extra)
    assert report.targets == ("duckdb", "postgres")
    for table in MARTS.tables:
        columns = [c for (c,) in read(tmp_path, f"select column_name from (describe marts.{table})")]
        here = read(tmp_path, f"select {', '.join(columns)} from marts.{table}")
        there = ask(settings.publish_postgres, f"select {', '.join(columns)} from marts.{table}")
        if table == "customers":
            here, there = map(_plain, here), map(_plain, there)
        assert sorted(map(repr, here)) == sorted(map(repr, there))
        assert report.table_rows[table] > 0


def _plain(row: tuple) -> tuple:
    """The driver returns numerics as text, which are equal as numbers; customer ids of digits are no numbers. Moments
    have the zone UTC there."""
    plain = (v.replace(tzinfo=None) if isinstance(v, datetime) else v for v in row)
    return tuple(Decimal(v).normalize() if isinstance(v, Decimal) or n == 4 else v for n, v in enumerate(plain))


def test_keys_indexes_and_comments_are_there(settings):
    night(settings, JUNE, "a")
    uri = settings.publish_postgres
    assert ask(uri, "select obj_description('marts.customers'::regclass)") == [("It's one row a customer.",)]
    assert ask(uri, "select col_description('marts.customers'::regclass, 3)") == [("As the source\\wrote it.",)]
    found = ask(
        uri,
        "select tablename::text, indexdef from pg_indexes where schemaname = 'marts' order by 1, 2",
    )
    definitions = {(t, d.split(" USING ")[1], d.startswith("CREATE UNIQUE")) for t, d in found}
    assert definitions == {
        ("customers", "btree (customer_id)", True),
        ("customers", "btree (made_by)", False),
        ("daily", "btree (day, customer_id)", True),
        ("run_manifest", "btree (as_of_date)", True),
    }
    keys = ask(uri, _PRIMARY_KEYS)
    assert keys == [("marts.customers",), ("marts.daily",), ("marts.run_manifest",)]


def test_a_key_with_unknown_parts_is_unique_all_the_same(settings):
    make_marts(settings, JUNE, "a", extra=", case when i > 2 then i end as rank")
    ranked = replace(MARTS, tables={**MARTS.tables, "customers": Mart(["rank", "customer_id"])})
    publish_night(settings, SetId(JUNE, "a"), ranked)
    found = ask(settings.publish_postgres, "select indexdef from pg_indexes where tablename = 'customers' order by 1")
    own, unique = [definition for (definition,) in found]
    assert "(row_number)" in own and "UNIQUE" in unique and "NULLS NOT DISTINCT" in unique
    assert ("marts.customers",) in ask(settings.publish_postgres, _PRIMARY_KEYS)


@pytest.mark.parametrize(
    ("duckdb_type", "expected"),
    [
        ("DECIMAL(18,2)", "numeric(18,2)"),
        ("TIMESTAMP", "timestamp with time zone"),
        ("VARCHAR", "text"),
        ("BIGINT", "bigint"),
        ("DOUBLE[]", "double precision[]"),
    ],
)
def test_types_of_columns(duckdb_type, expected):
    assert postgres_type(duckdb_type) == expected


def test_money_has_its_digits_and_a_moment_its_zone(settings):
    night(settings, JUNE, "a", extra=", 1.25::decimal(18, 4) as money, timestamp '2020-02-29 23:59:59.5' as moment")
    kinds = ask(
        settings.publish_postgres,
        "select column_name::text, data_type::text, numeric_precision, numeric_scale from information_schema.columns"
        " where table_schema = 'marts' and table_name = 'customers' and column_name in ('money', 'moment') order by 1",
    )
    assert kinds == [("moment", "timestamp with time zone", None, None), ("money", "numeric", 18, 4)]
    (found,) = ask(
        settings.publish_postgres,
        "select distinct to_char(moment at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS') from marts.customers",
    )
    assert found == ("2020-02-29 23:59:59.500",)


def test_the_reader_reads_marts_and_nothing_else(settings):
    night(settings, JUNE, "a", keep_sets=3)
    night(settings, JULY, "b", keep_sets=3)
    uri = settings.publish_postgres
    assert ask(uri, "select count(*) from marts.customers", READER) == [(50,)]
    (kept,) = [name for name in schemas(settings) if name != "marts"]
    for forbidden in (
        f"select * from {kept}.customers",
        "delete from marts.customers",
        "update marts.customers set made_by = ''",
        "insert into marts.run_manifest select * from marts.run_manifest",
        "create table marts.mine (x int)",
        "create table public.mine (x int)",
        "create schema mine",
        "drop table marts.customers",
        "truncate marts.customers",
    ):
        with pytest.raises(Exception, match=r"permission denied|must be owner"):
            ask(uri, forbidden, READER)


def test_swaps_keep_sets_and_drop_the_oldest(settings):
    for as_of, run_id in ((JUNE, "a"), (JULY, "b"), (AUGUST, "c")):
        night(settings, as_of, run_id, keep_sets=1)
        assert shown(settings) == [(as_of, run_id)]
    assert len(schemas(settings)) == 2


def test_a_view_of_somebody_else_is_never_dropped(settings):
    night(settings, JUNE, "a")
    uri = settings.publish_postgres
    ask(uri, "create view public.mine as select count(*) as n from marts.customers")
    night(settings, JULY, "b", keep_sets=1)
    report = night(settings, AUGUST, "c", keep_sets=1)
    assert any("views of somebody else" in words for words in report.warnings)
    assert ask(uri, "select n from public.mine") == [(50,)] and shown(settings) == [(AUGUST, "c")]


def test_an_older_date_leaves_postgres_as_it_is(settings):
    night(settings, JULY, "b")
    before = schemas(settings)
    assert not night(settings, JUNE, "a").is_current
    assert shown(settings) == [(JULY, "b")] and schemas(settings) == before


def test_the_same_run_with_other_rows_replaces_itself(settings):
    night(settings, JUNE, "a")
    night(settings, JUNE, "a", n=40)
    assert ask(settings.publish_postgres, "select count(*) from marts.customers") == [(40,)]
    assert schemas(settings) == {"marts"}


def test_a_blocked_night_changes_no_target(settings, tmp_path):
    night(settings, JUNE, "a")
    with pytest.raises(NotReleased):
        night(settings, JULY, "b", passed=False)
    assert shown(settings) == [(JUNE, "a")] and complete_sets(tmp_path) == {(JUNE, "a", 50)}


def test_rollback_takes_both_targets_back_and_forth(settings, tmp_path):
    for as_of, run_id in ((JUNE, "a"), (JULY, "b"), (AUGUST, "c")):
        night(settings, as_of, run_id, keep_sets=3)
    roll_back(settings, "ann", to_run="a", marts=POSTGRES_MARTS)
    assert shown(settings) == [(JUNE, "a")] and complete_sets(tmp_path) == {(JUNE, "a", 50)}
    assert ask(settings.publish_postgres, "select count(*) from marts.customers", READER) == [(50,)]
    roll_back(settings, "ann", to_run="c", marts=POSTGRES_MARTS)
    assert shown(settings) == [(AUGUST, "c")] and complete_sets(tmp_path) == {(AUGUST, "c", 50)}


def test_rollback_fills_postgres_anew_from_a_set_that_it_no_longer_has(settings, tmp_path):
    night(replace(settings, publish_postgres=None), JUNE, "a", keep_sets=3)
    night(settings, JULY, "b", keep_sets=3)
    ask(settings.publish_postgres, "drop schema if exists holdfast_set_1 cascade")
    roll_back(settings, "ann", marts=POSTGRES_MARTS)
    assert shown(settings) == [(JUNE, "a")] and complete_sets(tmp_path) == {(JUNE, "a", 50)}
    assert len(ask(settings.publish_postgres, _PRIMARY_KEYS)) == 3


def test_a_server_that_is_away_publishes_nothing_and_shows_no_secret(settings, tmp_path):
    night(replace(settings, publish_postgres=None), JUNE, "a")
    away = replace(settings, publish_postgres="postgresql://ann:s3cret%21@127.0.0.1:1/bi?connect_timeout=2")
    with pytest.raises(UserError, match="127.0.0.1:1/bi of HOLDFAST_PUBLISH_POSTGRES cannot be reached") as error:
        night(away, JULY, "b")
    assert "s3cret" not in str(error.value) and "s3cret" not in repr(away)
    assert complete_sets(tmp_path) == {(JUNE, "a", 50)}


def test_a_foreign_schema_marts_is_never_touched(settings, tmp_path):
    ask(settings.publish_postgres, "create schema marts")
    ask(settings.publish_postgres, "create table marts.precious as select 1 as x")
    with pytest.raises(UserError, match="a schema marts that holdfast did not make"):
        night(settings, JUNE, "a")
    assert ask(settings.publish_postgres, "select x from marts.precious") == [(1,)]
    assert not CurrentLink(settings).path.exists()


def test_a_user_who_may_create_no_role_publishes_and_is_told(settings, database):
    for sql in (
        "create role plain login",
        "grant create on database {} to plain",
        "drop role if exists holdfast_nobody",
    ):
        ask(database, sql.format(urlsplit(database).path.lstrip("/")))
    try:
        uri = database.replace("postgres:@", "plain:@")
        report = night(replace(settings, publish_postgres=uri, postgres_reader="holdfast_nobody"), JUNE, "a")
        assert any("holdfast_nobody does not exist" in words for words in report.warnings)
        assert ask(uri, "select count(*) from marts.customers") == [(50,)]
    finally:
        ask(database, "drop owned by plain cascade")
        ask(database, "drop role plain")


# -- killed -----------------------------------------------------------------------------------------------------------


def kill_at(settings, tmp_path, as_of: date, run_id: str, step: str) -> None:
    done = subprocess.run(
        [sys.executable, str(HERE / "test_postgres_target.py"), str(tmp_path), as_of.isoformat(), run_id, step],
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}{os.pathsep}{HERE}",
            "URI_OF_TEST": settings.publish_postgres,
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


KILLED_AT = [
    "in copy",
    *(
        pytest.param(step, marks=pytest.mark.campaign)
        for step in ("copy daily to Postgres", "copy run_manifest to Postgres", "swap Postgres")
    ),
]


@pytest.mark.parametrize("step", KILLED_AT)
def test_a_copy_that_is_killed_leaves_both_targets_and_the_next_run_repairs(settings, tmp_path, step):
    night(settings, JUNE, "a")
    kill_at(settings, tmp_path, JULY, "b", step)
    assert shown(settings) == [(JUNE, "a")] and complete_sets(tmp_path) == {(JUNE, "a", 50)}
    night(settings, AUGUST, "c")
    assert shown(settings) == [(AUGUST, "c")] and complete_sets(tmp_path) == {(AUGUST, "c", 50)}
    assert "holdfast_loading" not in schemas(settings)


def test_a_run_killed_between_the_two_swaps_is_settled_even_by_a_blocked_night(settings, tmp_path):
    night(settings, JUNE, "a", keep_sets=2)
    kill_at(settings, tmp_path, JULY, "b", "swap")
    assert shown(settings) == [(JULY, "b")] and complete_sets(tmp_path) == {(JUNE, "a", 50)}
    with pytest.raises(NotReleased):
        night(settings, AUGUST, "c", passed=False, keep_sets=2)
    assert shown(settings) == [(JUNE, "a")] == [(s[0], s[1]) for s in complete_sets(tmp_path)]


# -- readers ----------------------------------------------------------------------------------------------------------


@pytest.mark.campaign
def test_readers_that_never_pause_see_whole_sets_only(settings, tmp_path):
    night(settings, JUNE, "r0", keep_sets=2)
    stop = tmp_path / "stop"
    readers = [
        subprocess.Popen(
            [sys.executable, str(HERE / "toy_postgres.py"), settings.publish_postgres, READER, str(stop)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        for reader in readers:
            assert reader.stdout.readline().strip() == "ready"
        for number in range(1, 7):
            night(settings, JUNE.replace(day=number + 1), f"r{number}", n=50 + number, keep_sets=2)
    finally:
        stop.touch()
        answers = [json.loads(reader.communicate()[0]) for reader in readers]
    for answer in answers:
        assert answer["errors"] == [] and answer["n"] > 20
        assert len(answer["seen"]) > 1, "the reader saw no swap"
        for first, second, third, n_customers, n_daily in answer["seen"]:
            assert first == second == third
            assert n_customers == 50 + int(first[1:]) and n_daily == 3 * n_customers


def test_a_swap_does_not_wait_for_ever_for_a_reader_that_stays(settings, monkeypatch):
    from adbc_driver_postgresql import dbapi

    from assets.publish import postgres_target

    monkeypatch.setattr(postgres_target, "_PATIENCE_SECONDS", 0.3)
    night(settings, JUNE, "a")
    with dbapi.connect(settings.publish_postgres) as con, con.cursor() as cursor:
        cursor.execute("select count(*) from marts.customers")
        cursor.fetchall()
        report = night(settings, JULY, "b")
        assert any("a reader kept the old tables locked" in words for words in report.warnings)
    assert shown(settings) == [(JULY, "b")]


def test_what_is_shown_is_known_from_the_schemas_alone(settings):
    from assets.publish.postgres_target import postgres_target

    night(settings, JUNE, "a-1", keep_sets=2)
    night(settings, JULY, "b", keep_sets=2)
    with postgres_target(settings, MARTS, print, print) as target:
        assert target.shown() == SetId(JULY, "b")
        assert [held for _, held in target.kept()] == [SetId(JUNE, "a-1")]


if __name__ == "__main__":
    folder, day, run, fatal_step = sys.argv[1:]

    def die_at(step: str) -> None:
        if step == fatal_step:
            os.kill(os.getpid(), signal.SIGKILL)
        if fatal_step == "in copy" and step == "copy daily to Postgres":
            # Some rows are on their way: the kill comes from a thread while the driver is copying.
            import threading

            threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGKILL)).start()

    in_home = replace(duckdb_settings(Path(folder)), publish_postgres=os.environ["URI_OF_TEST"], postgres_reader=READER)
    n_rows = 300_000 if fatal_step == "in copy" else 50
    night(in_home, date.fromisoformat(day), run, n=n_rows, on_step=die_at)
    duckdb.connect().close()


def contacts(settings, role: str | None = None) -> list[tuple]:
    return ask(
        settings.publish_postgres,
        "select as_of_date, contact_id, channel, owner, address from holdfast_exports.contacts order by 1, 2",
        role,
    )


def export(settings, day: date, *names: str) -> None:
    """Export one e-mail or call a name on `day`, as a published set does."""
    with duckdb.connect() as con, postgres_target(settings, MARTS, print, print) as target:
        con.execute(
            "create schema personal; create schema identity; create schema ingest;"
            "create table ingest.batches (batch_id varchar, loaded_at timestamp);"
            "create table identity.id_changes (old_customer_id varchar, customer_id varchar);"
            "create table personal.customers as select 'ann' as customer_id, 'a@b.example' as email, '111' as phone,"
            " '8000' as postal_code, 's' as source, 'b' as batch_id"
        )
        con.execute(
            "create table plan (candidate_id varchar, customer_id varchar, action_id varchar, channel varchar,"
            " plan_rank bigint, decision varchar, due_on date, owner varchar)"
        )
        for rank, name in enumerate(names, 1):
            channel = "phone" if name.endswith("call") else "email"
            con.execute(
                "insert into plan values (?, 'ann', ?, ?, ?, 'contact', ?, '17')", [name, name, channel, rank, day]
            )
        export_night(con, settings, "plan", SetId(day, "run"), target)


def test_contacts_of_a_night_are_one_table_for_senders_replaced_as_a_whole(settings):
    settings = replace(settings, export_as=("csv", "postgres"))
    export(settings, JUNE, "a-mail")
    export(settings, JULY, "b-call")
    mail, call = (JUNE, "a-mail", "email", None, "a@b.example"), (JULY, "b-call", "phone", "17", "111")
    assert contacts(settings) == [mail, call]
    export(settings, JUNE, "a-mail")
    assert contacts(settings) == [mail, call], "the same night again adds nothing"
    export(settings, JULY)
    assert contacts(settings) == [mail], "who is no longer planned is taken out"
    with pytest.raises(Exception, match="permission denied"):
        contacts(settings, READER)
    with duckdb.connect() as con, postgres_target(settings, MARTS, print, print) as target:
        withdraw_after(con, settings, date(2017, 5, 31), target)
    assert contacts(settings) == []


def test_contacts_of_who_is_to_be_forgotten_go(settings):
    asked = replace(settings, export_as=("csv", "postgres"))
    for _ in range(2):
        with postgres_target(settings, MARTS, print, print) as target:
            target.forget_contacts(["ann"])
    export(asked, JUNE, "a-mail")
    with postgres_target(settings, MARTS, print, print) as target:
        target.forget_contacts(["bob"])
        assert len(contacts(settings)) == 1
        target.forget_contacts(["bob", "ann"])
    assert contacts(settings) == []


def test_a_schema_of_senders_without_its_table_holds_nobody(settings):
    ask(settings.publish_postgres, "create schema holdfast_exports")
    with postgres_target(settings, MARTS, print, print) as target:
        target.forget_contacts(["ann"])
        target.withdraw_contacts(JUNE)
    export(replace(settings, export_as=("csv", "postgres")), JUNE, "a-mail")
    assert len(contacts(settings)) == 1


def test_without_being_asked_no_address_leaves_for_postgres(settings):
    export(settings, JUNE, "a-mail")
    assert "holdfast_exports" not in schemas(settings)
