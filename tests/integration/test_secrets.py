"""Everything a run wrote, searched: no secret anywhere, no person outside the places for persons."""

import csv
import os
import stat
from pathlib import Path

import duckdb
import pytest

from tests.integration.command_line import holdfast, ran

pytestmark = pytest.mark.campaign

TOYSHOP = Path(__file__).resolve().parents[1] / "toyshop"

SECRETS = ("s3cr3t-of-postgres", "t0ken-of-the-webhook", "an0ther-secret")
ENVIRONMENT = {
    # Nobody listens there: the copy to Postgres and the notice of its failure fail, and must not say where they tried.
    "HOLDFAST_PUBLISH_POSTGRES": f"postgresql://loader:{SECRETS[0]}@127.0.0.1:9/shop",
    "HOLDFAST_WEBHOOK_URL": f"http://127.0.0.1:9/{SECRETS[1]}",
    "AWS_SECRET_ACCESS_KEY": SECRETS[2],
}
#: Where persons may be: what the source delivered, what of it was refused, and the addresses of those to be contacted.
OF_PERSONS = ("raw", "quarantine", "exports")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """(home, everything said) after a night that failed with secrets around and one that succeeded."""
    home = tmp_path_factory.mktemp("secrets") / "home"
    before = dict(os.environ)
    arguments = ("--source", str(TOYSHOP / "toyshop.yml"), "--as-of", "2024-09-01")
    os.environ.update(ENVIRONMENT)
    try:
        failed = holdfast(home, "run", *arguments)
        del os.environ["HOLDFAST_PUBLISH_POSTGRES"]
        said = ran(home, *arguments)
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert failed.returncode, "nobody listens at that address"
    assert "HOLDFAST_PUBLISH_POSTGRES" in failed.stderr and "notice: " in failed.stderr
    return home, failed.stdout + failed.stderr + said


@pytest.fixture(scope="module")
def persons():
    """Names, addresses and birthdays of the source, as it wrote them."""
    with (TOYSHOP / "customers.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    found = {row[column] for row in rows for column in ("E-Mail", "Name") if row[column]}
    assert len(found) > 50
    return found


def files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file() and not path.is_symlink()]


def tables_of(path: Path) -> list[tuple[str, list[tuple]]]:
    """(name, rows as text) of every table in a DuckDB or Parquet file."""
    if path.suffix == ".parquet":
        rows = duckdb.execute("select cast(t as varchar) from read_parquet(?) as t", [str(path)]).fetchall()
        return [(path.name, rows)]
    with duckdb.connect(str(path), read_only=True) as con:
        names = con.execute(
            "select table_schema, table_name from information_schema.tables where table_schema not in ('pg_catalog')"
        ).fetchall()
        return [
            (f"{schema}.{name}", con.execute(f'select cast(t as varchar) from "{schema}"."{name}" as t').fetchall())
            for schema, name in names
        ]


def test_no_secret_is_written_or_said(written):
    home, said = written
    for secret in SECRETS:
        assert secret not in said
        for path in files(home):
            assert secret.encode() not in path.read_bytes(), path
            if path.suffix in {".duckdb", ".parquet"}:
                for table, rows in tables_of(path):
                    assert not [row for row in rows if secret in row[0]], f"{path} {table}"


def test_persons_are_in_schema_personal_and_in_what_was_delivered_only(written, persons):
    home, said = written
    exported = files(home / "exports")
    assert exported and not [path for path in exported if path.stat().st_mode & 0o077], "for their owner only"
    assert not [person for person in persons if person in said]
    found_personal = False
    for path in files(home):
        if path.relative_to(home).parts[0] in OF_PERSONS:
            continue
        if path.suffix in {".duckdb", ".parquet"}:
            for table, rows in tables_of(path):
                here = [row for row in rows if any(person in row[0] for person in persons)]
                if table.startswith("personal.") or table == "ingest.quarantined_rows":
                    found_personal |= bool(here)
                else:
                    assert not here, f"{path} {table}: {here[:1]}"
        else:
            content = path.read_bytes()
            assert not [person for person in persons if person.encode() in content], path
    assert found_personal, "a search that finds nobody anywhere proves nothing"


def test_the_published_file_holds_marts_and_history_and_nothing_else(written):
    home, _ = written
    with duckdb.connect(str(home / "published" / "holdfast.duckdb"), read_only=True) as con:
        schemas = {r[0] for r in con.execute("select distinct schema_name from duckdb_tables()").fetchall()}
        schemas |= {
            r[0] for r in con.execute("select distinct schema_name from duckdb_views() where not internal").fetchall()
        }
    assert schemas == {"marts", "history"}


def test_only_their_own_user_may_enter_the_folders_of_state(written):
    home, _ = written
    mode = {path.name: stat.S_IMODE(path.stat().st_mode) for path in home.iterdir()}
    for name in ("raw", "quarantine", "ledgers", "models", "dagster", "dbt"):
        assert mode[name] == 0o700, name
    assert mode["warehouse.duckdb"] == 0o600
    for path in (home / "published").rglob("*"):
        assert path.is_symlink() or stat.S_IMODE(path.stat().st_mode) & 0o044 == 0o044, f"{path}: BI cannot read it"
