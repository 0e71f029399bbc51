"""What the engine of Spark does on this side of it, without Spark."""

import subprocess
import sys

import duckdb
import pytest

from assets.dbt.engine import DuckDBEngine, choose_engine
from assets.dbt.spark.engine import (
    SparkEngine,
    _with_views_read,
    hand_over,
    remove_other_places,
    run_worker,
    spark_tables,
)
from assets.dbt.spark.inputs import hand_in, spark_type
from assets.dbt.spark.job import Job, Registered
from assets.shared.errors import UserError
from assets.shared.settings import Settings, load_settings

TABLE = "features.outlier_accounts"


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(home=tmp_path, sources=("toy",))


@pytest.fixture
def con():
    with duckdb.connect() as made:
        yield made


def written(con, folder, rows: str) -> dict:
    """A table as the worker answers."""
    from assets.shared.tables import declared_table

    folder.mkdir(parents=True)
    names = declared_table(TABLE).duckdb_types
    columns = ", ".join(f"cast({rows if n == 'customer_id' else 'null'} as {t}) as {n}" for n, t in names.items())
    con.execute(f"copy (select {columns}) to '{folder}/part-0.parquet' (format parquet)")
    return {"files": [f"{folder}/part-0.parquet"], "folder": str(folder), "columns": "`customer_id` string"}


def test_a_job_comes_back_as_it_was_written(tmp_path):
    job = Job("h", "local[1]", 100, "p", (Registered("a.b", "f", "`x` int"),), ("m",), ("t",), {"v": 1}, True)
    job.write(tmp_path / "job.json")
    assert Job.read(tmp_path / "job.json") == job


@pytest.mark.parametrize(
    ("duckdb_type", "expected"),
    [
        ("VARCHAR", "string"),
        ("DECIMAL(18,4)", "decimal(18,4)"),
        ("TIMESTAMP", "timestamp_ntz"),
        ("HUGEINT", "bigint"),
        ("VARCHAR[]", "array<string>"),
    ],
)
def test_types_of_spark(duckdb_type, expected):
    assert spark_type(duckdb_type) == expected


def test_a_type_that_no_table_has_is_an_error():
    with pytest.raises(KeyError):
        spark_type("STRUCT(a INTEGER)")


def test_small_tables_are_copied_with_the_types_that_spark_reads(con, tmp_path):
    con.execute("create schema platform; create table platform.x as select 3::hugeint as n, date '2024-01-02' as day")
    (given,) = hand_in(con, ["platform.x"], tmp_path)
    assert given == Registered("platform.x", str(tmp_path / "platform.x"), "`n` bigint, `day` date")
    assert con.execute(f"select typeof(n), n from '{given.folder}/*.parquet'").fetchall() == [("BIGINT", 3)]


def test_files_of_batches_are_linked_unless_the_view_shows_other_columns(con, tmp_path):
    file = tmp_path / "data.parquet"
    con.execute(f"copy (select 'c1' as customer_id, 1 as n) to '{file}' (format parquet)")
    con.execute(
        "create schema ingest; create table ingest.batch_files (batch_id varchar, entity varchar, path varchar)"
    )
    con.execute("insert into ingest.batch_files values ('b', 'lines', $1), ('b', 'people', $1)", [str(file)])
    con.execute(f"create view ingest.lines as from '{file}'; create view ingest.people as select n from '{file}'")
    lines, people = hand_in(con, ["ingest.lines", "ingest.people"], tmp_path)
    assert [p.stat().st_ino for p in (tmp_path / "ingest.lines").iterdir()] == [file.stat().st_ino]
    assert lines.columns == "`customer_id` string, `n` int"
    assert con.execute(f"select * from '{people.folder}/*.parquet'").fetchall() == [(1,)]


def test_built_tables_are_shown_with_their_declared_columns_and_a_table_gives_way(con, tmp_path):
    con.execute("create schema features; create table features.outlier_accounts (customer_id varchar)")
    hand_over(con, {TABLE: written(con, tmp_path / "one" / "t", "'c1'")})
    assert con.execute(f"select customer_id from {TABLE}").fetchall() == [("c1",)]
    hand_over(con, {TABLE: written(con, tmp_path / "two" / "t", "'c2'")})
    assert con.execute(f"select customer_id from {TABLE}").fetchall() == [("c2",)]
    assert spark_tables(con)[TABLE].folder == str(tmp_path / "two" / "t")


def test_a_table_without_files_is_shown_empty(con, tmp_path):
    hand_over(con, {TABLE: {"files": [], "folder": str(tmp_path), "columns": "`customer_id` string"}})
    assert con.execute(f"select count(*) from {TABLE}").fetchall() == [(0,)]


def test_tables_are_handed_over_all_or_none(con, tmp_path):
    hand_over(con, {TABLE: written(con, tmp_path / "one" / "t", "'c1'")})
    with pytest.raises(KeyError):  # the second is declared nowhere
        hand_over(con, {TABLE: written(con, tmp_path / "two" / "t", "'c2'"), "features.zzz": {"files": []}})
    con.execute("rollback")
    assert con.execute(f"select customer_id from {TABLE}").fetchall() == [("c1",)]


def test_folders_that_no_table_is_in_are_removed(settings):
    from assets.shared.warehouse import connect

    with connect(settings) as con:
        hand_over(con, {TABLE: written(con, settings.spark_place / "now" / "outlier_accounts", "'c1'")})
    (settings.spark_place / "now" / "in").mkdir()
    (settings.spark_place / "dead" / "in").mkdir(parents=True)
    remove_other_places(settings)
    assert [path.name for path in settings.spark_place.iterdir()] == ["now"]
    assert [path.name for path in (settings.spark_place / "now").iterdir()] == ["outlier_accounts"]


def test_a_table_whose_folder_is_gone_is_not_continued(con, tmp_path):
    engine = SparkEngine()
    assert not engine.has_tables(con, [TABLE])
    hand_over(con, {TABLE: written(con, tmp_path / "one" / "t", "'c1'")})
    assert engine.has_tables(con, [TABLE])
    (tmp_path / "one" / "t").rename(tmp_path / "elsewhere")
    assert not engine.has_tables(con, [TABLE])


def test_views_that_a_stage_reads_are_made_on_spark_too(project):
    models = _with_views_read(project, ["model.holdfast.customer_day"], [])
    assert {"model.holdfast.customer_day", "model.holdfast.stg_transactions"} <= models
    assert "model.holdfast.stg_customers" not in models


def test_a_process_of_spark_that_fails_is_an_error_that_names_its_log(settings, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/bin/false")
    place = settings.spark_place / "x"
    place.mkdir(parents=True)
    job = Job(str(settings.home), "local[1]", 100, str(place), (), (), (), {}, False)
    with pytest.raises(UserError, match="ended with code 1") as error:
        run_worker(settings, job, place, lambda uid, seconds: None)
    assert "spark.log" in error.value.remedy and not place.exists()


def test_the_target_comes_from_the_environment(home, monkeypatch):
    assert isinstance(choose_engine(load_settings()), DuckDBEngine)
    monkeypatch.setenv("HOLDFAST_TARGET", "spark")
    monkeypatch.setenv("HOLDFAST_THREADS", "2")
    assert isinstance(choose_engine(load_settings()), SparkEngine)
    assert load_settings().spark_url == "local[2]"
    monkeypatch.setenv("HOLDFAST_TARGET", "flink")
    with pytest.raises(UserError, match="HOLDFAST_TARGET names 'flink'"):
        load_settings()


def test_a_night_on_duckdb_imports_nothing_of_spark():
    text = (
        "import sys, pipelines.build; print([m for m in sys.modules if m.startswith(('pyspark', 'assets.dbt.spark'))])"
    )
    said = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True, timeout=120)
    assert said.stdout.strip() == "[]"
