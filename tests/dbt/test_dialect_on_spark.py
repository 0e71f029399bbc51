"""What the lint of SQL rests on, asked of both engines: needs Java and pyspark.

`make test-spark` installs pyspark and runs it (about a minute).
"""

import math
import random
from decimal import Decimal
from pathlib import Path

import duckdb
import jinja2
import portability
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from assets.shared.params import DBT_PROJECT_DIR

pytestmark = pytest.mark.spark
DIALECT = DBT_PROJECT_DIR / "macros" / "dialect"


def variants(macro: str, *arguments: object) -> tuple[str, str]:
    """The text of a dialect macro for DuckDB and for Spark."""
    module = jinja2.Environment().from_string((DIALECT / f"{macro}.sql").read_text()).module
    return tuple(getattr(module, f"{engine}__{macro}")(*arguments) for engine in ("duckdb", "spark"))


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    """A session as dbt-spark makes it: ANSI mode off, UTC, timestamps without zone."""
    pytest.importorskip("pyspark", reason="pyspark is in requirements-bench.lock alone")
    from pyspark.sql import SparkSession

    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.ansi.enabled": "false",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
        "spark.sql.warehouse.dir": str(tmp_path_factory.mktemp("spark-warehouse")),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    builder = SparkSession.builder.master("local[2]")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()


@pytest.fixture(scope="module")
def both(spark, tmp_path_factory):
    """A function from a text, or one for each engine, and an Arrow table `t` to the rows of DuckDB and of Spark."""
    folder: Path = tmp_path_factory.mktemp("both")

    def rows_of(duckdb_text: str, spark_text: str | None = None, table: pa.Table | None = None) -> tuple[list, list]:
        with duckdb.connect() as con:
            if table is not None:
                pq.write_table(table, folder / "t.parquet")
                con.execute(f"create view t as select * from '{folder}/t.parquet'")
                spark.read.parquet(str(folder / "t.parquet")).createOrReplaceTempView("t")
            there = spark.sql(spark_text or duckdb_text).collect()
            return con.execute(duckdb_text).fetchall(), [tuple(row) for row in there]

    return rows_of


def doubles() -> list[float | None]:
    """Ties at every scale and their neighbours, large and tiny numbers, zeros of both signs, nothing."""
    draw = random.Random(1)
    values: list[float | None] = [None, 0.0, -0.0, 0.00005, -0.00005, 1.00005, 2.675, 1.005, 0.49999999999999994]
    for scale in (0, 2, 4, 6):
        for _ in range(400):
            bound = 10 ** draw.randint(1, 16)
            tie = (draw.randint(-bound, bound) + 0.5) / 10**scale
            values += [tie, math.nextafter(tie, math.inf), math.nextafter(tie, -math.inf), tie + 0.1 / 10**scale]
    values += [draw.choice([-1, 1]) * 10 ** draw.uniform(-12, 21) for _ in range(2000)]
    return values


@pytest.mark.parametrize(("precision", "scale"), [(28, 4), (28, 6), (18, 4), (18, 2), (28, 0)])
def test_as_decimal_rounds_alike(both, precision, scale):
    largest = 9 * 10.0 ** (precision - scale - 1)
    values = [x for x in doubles() if x is None or abs(x) <= largest]
    assert len(values) > 5000
    table = pa.table({"i": range(len(values)), "x": pa.array(values, pa.float64())})
    texts = [f"select i, {text} as y from t order by i" for text in variants("as_decimal", "x", precision, scale)]
    here, there = both(*texts, table)
    assert here == there and here[0][1] is None
    # What the macro is for: Spark's own cast rounds other numbers.
    assert both(texts[0], texts[0], table)[1] != here


def test_as_decimal_of_an_expression_is_rounded_once(both):
    texts = [f"select {text} as y from t" for text in variants("as_decimal", "x - y", 28, 4)]
    here, there = both(*texts, pa.table({"x": [10.0, 0.3], "y": [2.00005, 0.1]}))
    assert here == there == [(Decimal("8.0000"),), (Decimal("0.2000"),)]


def test_as_decimal_out_of_range_is_null_on_spark(spark):
    text = variants("as_decimal", "cast(1e25 as double)", 28, 4)[1]
    assert spark.sql(f"select {text} as y").collect()[0].y is None


def test_md5_number_lower_is_the_same_number(both):
    draw = random.Random(2)
    letters = [*range(32, 127), *range(0xA1, 0x250), *range(0x4E00, 0x4F00), *range(0x1F600, 0x1F640)]
    texts = ["".join(chr(draw.choice(letters)) for _ in range(draw.randrange(40))) for _ in range(4000)]
    values = [None, "", "0", "ß", "İ", "客户", *texts]
    table = pa.table({"i": range(len(values)), "t": pa.array(values, pa.string())})
    numbers = variants("md5_number_lower", "t")
    here, there = both(*(f"select i, {number}, {number} % 1000000 from t order by i" for number in numbers), table)
    assert here == there and here[0] == (0, None, None)
    assert max(row[1] for row in here[1:]) > 2**63


TABLE = pa.table(
    {
        "k": pa.array([1, 2, 3, None, 5, -7], pa.int32()),
        "i": pa.array([100000, 200000, None, 4, 5, 0], pa.int32()),
        "n": pa.array([1, -2, 3, 4, None, 9007199254740993], pa.int64()),
        "x": pa.array([0.5, 1.5, -2.5, 3.25, None, 1e17], pa.float64()),
        "m": pa.array([Decimal("0.1000"), Decimal("-2.5000"), None, Decimal("3.3333"), Decimal("5.0001"), Decimal(0)]),
        "d": pa.array([18000, 18001, 18062, None, 18800, 19000], pa.date32()),
        "seen": pa.array([10**15, 10**15 + 1, None, 0, 1, 2], pa.timestamp("us")),
        "c": pa.array(["a", "B", "é", None, "", "ab-cd"], pa.string()),
        "b": pa.array([True, False, None, True, True, False], pa.bool_()),
    }
)

#: An example, or several, for each function of the list.
EXAMPLES = {
    "abs": ["abs(x)", "abs(m)", "abs(n)"],
    "avg": ["avg(k) over ()", "avg(x) over (partition by b)"],
    "bit_count": ["bit_count(n)"],
    "bit_or": ["bit_or(n) over ()"],
    "bool_or": ["bool_or(b) over (partition by k > 2)", "bool_or(c is null) over ()"],
    "cast": ["cast(seen as date)", "cast(n as string)", "cast(d as string)", "cast(b as string)", "cast(b as int)"],
    "ceil": ["cast(ceil(x) as bigint)"],
    "coalesce": ["coalesce(c, 'x')", "coalesce(m, 0)"],
    "concat_ws": ["concat_ws('', 'a', c, cast(k as string))", "concat_ws('_x_', c, null, c)"],
    "count": ["count(n) over ()", "count(*) over (partition by b)"],
    "date_trunc": ["cast(date_trunc('month', d) as date)", "cast(date_trunc('day', seen) as timestamp)"],
    # Logarithms and powers of e may differ in their last digit.
    "exp": ["cast(round(1000000000 * exp(least(x, 3))) as bigint)"],
    "extract": ["extract(year from d)", "extract(month from d)", "extract(day from d)"],
    "floor": ["cast(floor(x) as bigint)", "cast(floor(k / 2) as bigint)"],
    "greatest": ["greatest(k, i)", "greatest(m, 0)", "greatest(d, cast('2020-01-01' as date))"],
    "instr": ["instr(c, 'b')", "instr(c, '')", "instr(c, 'é')"],
    "lag": ["lag(k) over (order by d asc nulls last)", "lag(k, 3) over (order by d desc nulls first)"],
    "last_day": ["last_day(d)"],
    "least": ["least(k, i)", "least(12, n)", "least(x, null)"],
    "ln": ["cast(round(1000000000 * ln(1 + abs(x))) as bigint)"],
    "lower": ["lower(c)"],
    "lpad": ["lpad(cast(k as string), 2, '0')", "lpad(c, 3, '0')"],
    "make_date": ["make_date(2000 + k, 3, 1)"],
    "max": ["max(c) over ()", "max(d) over (partition by b)", "max(m) over ()"],
    "max_by": ["max_by(coalesce(c, '?'), d) over (order by d asc nulls last)"],
    "md5": ["md5(c)"],
    "min": ["min(c) over ()", "min(x) over (partition by b)"],
    "min_by": ["min_by(coalesce(c, '?'), m) over (partition by k > 1)"],
    "mod": ["mod(n, 4)", "mod(k, 3)"],
    "nullif": ["nullif(k, 1)", "nullif(m, 0)"],
    "percentile_cont": [],
    "percentile_disc": [],
    "power": ["power(2, k)", "power(4, 13)", "cast(round(power(4, 30)) as bigint)"],
    "rank": ["rank() over (order by b asc nulls last)"],
    "replace": ["replace(c, 'a', 'zz')"],
    "round": ["round(x)", "cast(round(x) as bigint)", "round(m)", "round(0.075 * n)"],
    "row_number": ["row_number() over (order by x desc nulls last, n asc nulls first)"],
    "sign": ["cast(sign(k) as int)", "cast(sign(m) as int)"],
    "split_part": ["split_part(c, '-', 1)", "split_part(c, '-', 2)", "split_part(c, '-', 3)"],
    "sqrt": ["sqrt(abs(x))"],
    "substr": ["substr(c, 1, 1)", "substr(c, 2, 3)", "substr(md5(c), 1, 8)"],
    "sum": ["sum(m) over ()", "cast(sum(k) over (partition by b) as bigint)"],
    "try_cast": ["try_cast(c as int)", "try_cast('2020-02-30' as date)"],
}
#: The same for what aggregates rows and cannot stand over a window, and for syntax.
AGGREGATES = [
    "percentile_cont(0.5) within group (order by x asc nulls last)",
    "percentile_cont(0.3) within group (order by k desc nulls last)",
    "percentile_disc(0.2) within group (order by x asc nulls last)",
    "max_by(c, d) filter (where c is not null)",
    "min_by(c, d) filter (where c is not null)",
    "count(*) filter (where k > 1)",
    "sum(m) filter (where b)",
    "count(distinct b)",
]
SYNTAX = [
    "(sum(k) over (partition by b)) - k",
    "sum(m) over (order by cast(date_trunc('month', d) as date) asc nulls last"
    " range between interval 11 months preceding and current row)",
    "cast(d + k as date)",
    "cast(d - 30 as date)",
    "k is not distinct from i",
    "c || 'x'",
    "c like 'a%'",
    "k in (1, 2) or k between 4 and 6",
    "case c when 'a' then 1 when 'B' then 2 else 0 end",
    "x / nullif(k, 0)",
    "n % 3",
    "seen < cast('2001-09-09' as date)",
    "cast('2001-09-09' as timestamp)",
    "m * k + 1",
]


def test_every_function_of_the_list_has_an_example():
    assert EXAMPLES.keys() == portability.FUNCTIONS
    named = {name for name, examples in EXAMPLES.items() if examples}
    assert portability.FUNCTIONS - named == {"percentile_cont", "percentile_disc"}


def differing(both, expressions: list[str], ordered: str) -> dict[str, tuple]:
    """By expression over all rows of TABLE what DuckDB and Spark answer, where it is not the same."""
    columns = ", ".join(f"{expression} as y{number}" for number, expression in enumerate(expressions))
    here, there = both(f"select {columns} from t {ordered}", table=TABLE)
    answers = zip(expressions, zip(*here, strict=True), zip(*there, strict=True), strict=True)
    assert len(here) > 0
    return {expression: (ours, theirs) for expression, ours, theirs in answers if ours != theirs}


def test_what_is_let_through_means_the_same(both):
    expressions = [*(example for examples in EXAMPLES.values() for example in examples), *SYNTAX]
    assert differing(both, expressions, "order by d asc nulls last") == {}


def test_aggregates_that_are_let_through_mean_the_same(both):
    assert differing(both, AGGREGATES, "") == {}


#: Texts that the rules refuse, and that another answer comes from: the rows of Spark, or that it has none.
REFUSED = [
    "select max_by(c, k) as y from (select 1 as k, 'a' as c union all select 2, cast(null as string)) as u",
    "select concat('a', cast(null as string)) as y",
    "select cast(x as bigint) as y from t where x = 1.5",
    "select cast(m as bigint) as y from t where m = -2.5",
    "select cast(x as string) as y from t where x > 1e16",
    "select cast(cast(0.00015 as double) as decimal(28, 4)) as y",
    "select k * i as y from (select 100000 as k, 100000 as i) as u",
    "select m / 3 as y from t where m is not null order by m",
    "select avg(m) as y from t",
    "select x / 0 as y from t where x = 0.5",
    "select k from t order by k",
    "select sum(k) over w - k as y from t window w as (partition by b)",
    "select cast('2020-01-31' as date) + interval 1 month as y",
    "select cast('2020-01-31' as date) - cast('2020-01-01' as date) as y",
    'select "c" as y from t where k = 1',
    "select c[1] as y from (select 'abc' as c) as u",
    "select x::int as y from t where x = 1.5",
    "select 7 // 2 as y",
    "select 2 ^ 3 as y",
    "select median(m) as y from t",
    "select strftime(d, '%Y') as y from t where k = 1",
]


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_differs(both, text):
    kinds = {"int32": "int", "int64": "bigint", "double": "double", "date32[day]": "date", "bool": "boolean"}
    columns = {field.name: kinds.get(str(field.type), str(field.type).split("[")[0]) for field in TABLE.schema}
    columns |= {"m": "decimal(5, 4)", "c": "string"}
    assert portability.differences(text.replace("from t", "from s.t"), {"s": {"t": columns}})
    try:
        here, there = both(text, table=TABLE)
    except Exception as refused:
        # One engine has no answer: most often Spark, DuckDB where an int is too small.
        assert type(refused).__module__.startswith(("pyspark", "_duckdb")), refused
    else:
        assert repr(here) != repr(there)
