"""Connections to Postgres: what is refused, and that no secret is ever shown."""

import sys

import pytest

from assets.shared import postgres
from assets.shared.errors import UserError
from assets.shared.quoting import identifier, literal
from assets.shared.settings import DEFAULT_READER, Settings, load_settings

URI = "postgresql://ann:s3cr%40t@db.example:5432/shop?sslpassword=k3y&application_name=x"


def test_a_place_is_named_without_user_and_password():
    assert postgres.place(URI) == "db.example:5432/shop"
    assert postgres.place("postgresql:///shop?host=/run/pg") == "/run/pg/shop"
    assert postgres.place("postgresql://[broken") == "(unreadable URI)"


@pytest.mark.parametrize("told", [URI, "user ann, password s3cr%40t", "decoded s3cr@t", "key k3y"])
def test_secrets_are_taken_out_in_every_form(told):
    clean = postgres.redacted(f"failed: {told}", URI)
    assert "***" in clean and not any(secret in clean for secret in ("s3cr%40t", "s3cr@t", "k3y"))


@pytest.mark.parametrize(
    "uri",
    [
        "host=db password=s3cret",
        "mysql://ann:s3cret@db/x",
        "s3cret",
        "postgresql://[s3cret",
        # Passwords that hold what a URI takes for something else.
        *(f"postgresql://ann:12{c}s3cret@db:5432/x" for c in " /?#@\n"),
        "postgresql://ann:s3cret/12@db/x",
    ],
)
def test_what_is_no_uri_is_refused_without_being_shown(uri):
    with pytest.raises(UserError, match="SHOP_DB is no connection URI") as error, postgres.connect(uri, "SHOP_DB"):
        pass
    assert "s3cret" not in str(error.value)


def test_a_missing_driver_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql", None)
    with pytest.raises(UserError, match=r"holdfast\[postgres\]"), postgres.connect(URI, "SHOP_DB"):
        pass


def test_identifiers_and_literals_hold_anything():
    assert identifier('a"; drop table b; --') == '"a""; drop table b; --"'
    assert literal("it's \\ 100 %") == "'it''s \\ 100 %'"


def test_a_connection_attempt_ends():
    assert postgres._with_timeout("postgresql://db/x").endswith("/x?connect_timeout=10")
    assert postgres._with_timeout("postgresql://db/x?a=b").endswith("?a=b&connect_timeout=10")
    assert postgres._with_timeout("postgresql://db/x?connect_timeout=3").count("connect_timeout") == 1


def test_the_target_comes_from_the_environment_only_and_is_not_printed(monkeypatch, tmp_path):
    monkeypatch.setenv("HOLDFAST_PUBLISH_POSTGRES", f" {URI} ")
    settings = load_settings()
    assert (settings.publish_postgres, settings.postgres_reader) == (URI, DEFAULT_READER)
    assert "s3cr" not in repr(settings) and "s3cr" not in str(settings)
    monkeypatch.delenv("HOLDFAST_PUBLISH_POSTGRES")
    monkeypatch.setenv("HOLDFAST_POSTGRES_READER", "bi")
    assert (load_settings().publish_postgres, load_settings().postgres_reader) == (None, "bi")
    assert Settings(tmp_path, ("x",)).publish_postgres is None


def test_errors_inside_a_connection_are_told_without_the_secret(database):
    with pytest.raises(UserError, match="of SHOP_DB failed: .*division by zero") as error:
        uri = database.replace("postgres:@", "postgres:s3cret@")
        with postgres.connect(uri, "SHOP_DB") as pg:
            pg.rows("select 1 / 0 as s3cret")
    assert "s3cret" not in str(error.value)


def test_a_transaction_takes_effect_as_a_whole_or_not_at_all(database):
    with postgres.connect(database, "SHOP_DB") as pg:
        pg.execute("create table t (x int)")
        with pytest.raises(KeyError), pg.transaction():
            pg.execute("insert into t values ($1::int)", [1])
            raise KeyError
        with pg.transaction():
            pg.execute("insert into t values ($1::int)", [2])
        assert pg.rows("select x from t where x > $1::int", [0]) == [(2,)]
