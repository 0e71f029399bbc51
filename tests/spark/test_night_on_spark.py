"""The stages that grow with lines on a real Spark: equal to DuckDB in every row, over nights that continue tables, and
nothing lost where Spark fails. Needs Java and `make spark`; `make test-spark` runs it.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from simulation.business import Request, simulate
from tests.integration.code_location import Dagster, refusal, succeeded
from tests.spark.parity import differences

pytest.importorskip("pyspark", reason="pyspark comes with `make spark`")
pytestmark = [pytest.mark.spark, pytest.mark.slow, pytest.mark.timeout(1800)]

TOYSHOP = Path(__file__).resolve().parents[1] / "toyshop"
STAGES = ("staging", "features", "segments")
BUILT = ",".join(f"group:{group}" for group in ("ingest", "identity", "playbook", *STAGES))


#: For tables of a few thousand rows, most of Spark's time is the compilation of each statement.
DEFAULTS = """
spark.sql.codegen.wholeStage false
spark.sql.codegen.factoryMode NO_CODEGEN
spark.driver.extraJavaOptions -XX:TieredStopAtLevel=1
"""


@pytest.fixture(scope="module", autouse=True)
def quick_start(tmp_path_factory):
    """What Spark reads its settings from."""
    folder = tmp_path_factory.mktemp("conf")
    (folder / "spark-defaults.conf").write_text(DEFAULTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SPARK_CONF_DIR", str(folder))
        yield


@contextmanager
def night_shift(home: Path, source: Path, **settings: str) -> Iterator[Dagster]:
    """A code location on `home`, with settings of the environment."""
    before = dict(os.environ)
    os.environ |= {"HOLDFAST_HOME": str(home), "HOLDFAST_SOURCES": str(source), "HOLDFAST_SPARK_URL": "local[2]"}
    os.environ |= settings
    location = Dagster(home)
    try:
        yield location
    finally:
        location.instance.dispose()
        os.environ.clear()
        os.environ.update(before)


def build(home: Path, source: Path, night: str, target: str, **settings: str) -> None:
    with night_shift(home, source, HOLDFAST_TARGET=target, **settings) as location:
        succeeded(location.materialize(BUILT, night))


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Path:
    """The toy shop as it was on the first of two nights: lines of August are still to come."""
    folder = tmp_path_factory.mktemp("shop") / "toyshop"
    shutil.copytree(TOYSHOP, folder)
    lines = (folder / "transactions.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    late = [line for number, line in enumerate(lines[1:]) if number % 40 == 7]
    (folder / "transactions.csv").write_text("".join(x for x in lines if x not in late), encoding="utf-8")
    (folder / "late.txt").write_text(lines[0] + "".join(late), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def homes(tmp_path_factory, shop) -> dict[str, Path]:
    """A home of each engine after the first night."""
    folder = tmp_path_factory.mktemp("homes")
    for target in ("duckdb", "spark"):
        build(folder / target, shop / "toyshop.yml", "2024-08-31", target)
    return {target: folder / target for target in ("duckdb", "spark")}


def unequal(homes: dict[str, Path]) -> dict[str, str]:
    return differences(homes["spark"] / "warehouse.duckdb", homes["duckdb"] / "warehouse.duckdb", STAGES)


def shown(home: Path, sql: str) -> list[tuple]:
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as con:
        return con.execute(sql).fetchall()


def test_a_first_night_is_equal_in_every_row(homes):
    assert unequal(homes) == {}
    kinds = dict(shown(homes["spark"], "select view_name, sql from duckdb_views() where schema_name = 'features'"))
    assert "read_parquet" in kinds["customer_features"]
    assert shown(homes["duckdb"], "select count(*) from duckdb_views() where schema_name = 'features'") == [(0,)]


def test_late_lines_continue_the_tables_and_a_failure_of_spark_loses_nothing(homes, shop):
    before = shown(homes["spark"], "select * from features.customer_day order by all")
    (shop / "late.txt").rename(shop / "transactions_late.csv")
    with night_shift(
        homes["spark"], shop / "toyshop.yml", HOLDFAST_TARGET="spark", HOLDFAST_SPARK_URL="local[none]"
    ) as location:
        said = refusal(location.materialize(BUILT, "2024-09-01"))
    assert "the process of Spark ended" in said and "HOLDFAST_SPARK_URL" in said
    assert shown(homes["spark"], "select * from features.customer_day order by all") == before

    for target, home in homes.items():
        build(home, shop / "toyshop.yml", "2024-09-01", target)
    assert unequal(homes) == {}
    after = shown(homes["spark"], "select * from features.customer_day order by all")
    assert len(after) > len(before)
    # The folder of the first night and that of the one that failed are gone.
    assert len(list((homes["spark"] / "spark").iterdir())) == 1


@pytest.mark.campaign
def test_a_bank_with_ties_and_many_values_is_equal(tmp_path):
    simulate(Request(60_000, 2_000, 2, 3, tmp_path / "in", "bank", cutoffs=0))
    homes = {target: tmp_path / target for target in ("duckdb", "spark")}
    for target, home in homes.items():
        build(home, tmp_path / "in" / "source.yml", (tmp_path / "in" / "last_date").read_text().strip(), target)
    assert unequal(homes) == {}
    assert shown(homes["spark"], "select count(distinct net_amount) > 10000 from staging.stg_transactions") == [(True,)]
