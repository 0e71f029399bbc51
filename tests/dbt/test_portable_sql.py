"""The dbt project means the same on DuckDB and Spark: every compiled text is read and none is run, without a JVM."""

import json
import re
from pathlib import Path

import duckdb
import jinja2
import portability
import pytest

from assets.dbt.runner import dbt_vars, invoke_dbt
from assets.shared import warehouse
from assets.shared.errors import UserError
from assets.shared.params import DBT_PROJECT_DIR, load_params
from assets.shared.settings import Settings, prepare_home
from assets.shared.tables import declared_tables

DIALECT = DBT_PROJECT_DIR / "macros" / "dialect"
VARS = dbt_vars(load_params(), "2018-01-01", "run", ["2017-10-01", "2017-11-01"])
#: A body of `duckdb__datediff` and of `duckdb__generate_series`, whose own text no other engine reads: as a function
#: that the rules know, and with the type that Spark gives.
DBT_MACROS = {
    "macro.dbt_duckdb.duckdb__datediff": """{% macro duckdb__datediff(first_date, second_date, datepart) -%}
        dialect__datediff_{{ datepart }}({{ first_date }}, {{ second_date }}) {%- endmacro %}""",
    "macro.dbt_duckdb.duckdb__generate_series": """{% macro duckdb__generate_series(upper_bound) -%}
        select cast(1 as double) as generated_number {%- endmacro %}""",
}


def opaque(name: str, signature: str) -> str:
    """A text of the DuckDB variant that gives, in place of its SQL, a call of `dialect__NAME` with its arguments."""
    arguments = ", ".join("{{ " + argument.split("=")[0].strip() + " }}" for argument in signature.split(","))
    return f"{{% macro duckdb__{name}({signature}) -%}} dialect__{name}({arguments}) {{%- endmacro %}}"


def signatures() -> dict[str, str]:
    """The macros of macros/dialect by name, with what they take."""
    found = {}
    for path in sorted(DIALECT.glob("*.sql")):
        found[path.stem] = re.search(rf"macro {path.stem}\((.*?)\)", path.read_text())[1]
    return found


@pytest.fixture(scope="module")
def manifest(project):
    """The parsed project, its dialect macros opaque: what is left is the text that all engines share."""
    manifest = project.manifest.deepcopy()
    for name, signature in signatures().items():
        manifest.macros[f"macro.holdfast.duckdb__{name}"].macro_sql = opaque(name, signature)
    for unique_id, text in DBT_MACROS.items():
        manifest.macros[unique_id].macro_sql = text
    return manifest


@pytest.fixture(scope="module")
def schema(project) -> dict[str, dict[str, dict[str, str]]]:
    """The columns of every table, declared in YAML, with their types."""
    tables: dict[str, dict[str, dict[str, str]]] = {}
    for node in [*project.manifest.nodes.values(), *project.manifest.sources.values()]:
        if node.resource_type in {"model", "source"}:
            columns = {column.name: column.data_type for column in node.columns.values()}
        elif node.resource_type == "seed":
            columns = dict(node.config.column_types)
        else:
            continue
        tables.setdefault(node.schema, {})[node.identifier] = columns
    return tables


@pytest.fixture(scope="module")
def home(tmp_path_factory, schema) -> Settings:
    """A home with every declared table, empty: dbt then takes incremental models for built."""
    settings = Settings(home=tmp_path_factory.mktemp("portable"), sources=("toy",))
    prepare_home(settings)
    with warehouse.connect(settings) as con:
        for folder, tables in schema.items():
            con.execute(f"create schema if not exists {folder}")
            for name, columns in tables.items():
                described = ", ".join(f"{warehouse.quoted(column)} {kind}" for column, kind in columns.items())
                con.execute(f"create table {folder}.{name} ({described})")
        # changed_day_range() asks the engine while it is compiled.
        con.execute("create macro dialect__datediff_day(a, b) as date_diff('day', a, b)")
    return settings


@pytest.fixture(scope="module")
def compiled(home, manifest) -> dict[str, str]:
    """Text by name of every model and data test, built for the first time and continued, with fixed and own nodes."""
    texts = {}
    for label, arguments, variables in (
        ("continued", [], VARS),
        ("first", ["--full-refresh"], {**VARS, "lifecycle_mode": "auto", "train_cutoff_dates": ""}),
    ):
        arguments = ["--exclude", "resource_type:unit_test", *arguments, "--vars", json.dumps(variables)]
        result = invoke_dbt(home, ["compile", *arguments], manifest=manifest)
        for node in (each.node for each in result.result.results):
            if node.resource_type in {"model", "test"}:
                texts[f"{node.name} ({label})"] = node.compiled_code
    for macro in ("changed_day_ranges()", "changed_month_starts()"):
        result = invoke_dbt(home, ["compile", "--inline", f"{{{{ {macro} }}}}"], manifest=manifest)
        texts[macro] = result.result.results[-1].node.compiled_code
    return texts


def test_every_model_and_data_test_means_the_same(compiled, schema, project):
    nodes = [node for node in project.manifest.nodes.values() if node.resource_type in {"model", "test"}]
    assert len(compiled) == 2 * len(nodes) + 2 > 200
    # Most texts are the same built for the first time and continued: each is read once.
    found = {text: portability.differences(text, schema) for text in set(compiled.values())}
    assert {name: found[text] for name, text in compiled.items() if found[text]} == {}


def test_every_model_returns_the_types_it_declares_on_spark(compiled, schema, project):
    models = [node for node in project.manifest.nodes.values() if node.resource_type == "model"]
    for node in models:
        declared = {column: kind.replace(" ", "") for column, kind in schema[node.schema][node.name].items()}
        for text in {compiled[f"{node.name} ({label})"] for label in ("first", "continued")}:
            types = portability.spark_types(text, schema)
            assert {column: kind.replace(" ", "") for column, kind in types.items()} == declared, node.name


def test_every_model_returns_the_types_it_declares_on_duckdb(home, project):
    result = invoke_dbt(home, ["compile", "--vars", json.dumps(VARS)], manifest=project.manifest)
    models = [each.node for each in result.result.results if each.node.resource_type == "model"]
    with warehouse.connect(home) as con:
        for node in models:
            declared = declared_tables()[f"{node.schema}.{node.alias}"].duckdb_types
            returned = {row[0]: row[1].lower() for row in con.execute(f"describe {node.compiled_code}").fetchall()}
            assert returned == {column: kind.replace(" ", "") for column, kind in declared.items()}, node.name


def calls(source: str) -> set[str]:
    """Names before a parenthesis in the SQL of a source file: its plain text and the texts quoted in its Jinja."""
    parts = [value for _, kind, value in jinja2.Environment().lex(source) if kind in {"data", "string"}]
    return {name.lower() for part in parts for name in re.findall(r"\b(\w+)\(", re.sub(r"--.*", "", part))}


@pytest.mark.parametrize("folder", ["models", "macros", "tests"])
def test_no_source_calls_a_function_of_duckdb_alone(folder):
    """Hooks and statements that a macro runs are in no compiled text."""
    with duckdb.connect() as con:
        known = {row[0] for row in con.execute("select function_name from duckdb_functions()").fetchall()}
    for path in (DBT_PROJECT_DIR / folder).rglob("*.sql"):
        if path.parent != DIALECT:
            alien = calls(path.read_text()) & known - portability.FUNCTIONS
            assert not alien, f"{path.relative_to(DBT_PROJECT_DIR)} calls {alien}: use a macro of macros/dialect"


def test_the_sources_are_searched_everywhere():
    source = """{{ config(pre_hook="delete from x where epoch(y) > 1") }}
    {# of(f) #} select strftime(x) -- as in list(x)
    {%- do run_query('select hash(' ~ column ~ ')') -%} from {{ range(3) }}"""
    assert calls(source) == {"epoch", "strftime", "hash"}


# -- the macros of dialects -------------------------------------------------------------------------------------------


def test_a_file_of_dialect_holds_one_macro_for_both_engines():
    assert signatures().keys() == {name.removeprefix("dialect__") for name in portability.DISPATCHED} - {"datediff_day"}
    for name, signature in signatures().items():
        text = (DIALECT / f"{name}.sql").read_text()
        prefixes = ("", "default__", "duckdb__", "spark__")
        assert re.findall(r"\{% macro (\w+\(.*?\))", text) == [f"{prefix}{name}({signature})" for prefix in prefixes]


@pytest.mark.parametrize("name", sorted(signatures()))
def test_an_engine_without_a_text_is_named(name, home, project):
    manifest, events = project.manifest.deepcopy(), []
    del manifest.macros[f"macro.holdfast.duckdb__{name}"]
    arguments = ", ".join("1" for _ in signatures()[name].split(","))
    inline = ["compile", "--inline", f"select {{{{ {name}({arguments}) }}}}"]
    with pytest.raises(UserError):
        invoke_dbt(home, inline, manifest=manifest, callbacks=[lambda event: events.append(event.info.msg)])
    assert any(f"macro {name} has no text for the adapter duckdb" in message for message in events)


# -- the rules --------------------------------------------------------------------------------------------------------

SMALL = {
    "s": {
        "t": {
            **{"k": "int", "i": "int", "n": "bigint", "x": "double", "y": "double", "m": "decimal(18, 4)"},
            **{"d": "date", "e": "date", "at": "timestamp", "c": "string", "b": "boolean"},
        }
    }
}


@pytest.mark.parametrize(
    ("expression", "finding"),
    [
        # functions
        ("md5_number_lower(c)", "md5_number_lower() is not on the list"),
        ("epoch(at)", "epoch() is not on the list"),
        ("strftime(d, '%Y')", "strftime() is not on the list"),
        ("regexp_replace(c, 'a', 'b')", "regexp_replace() is not on the list"),
        ("concat('a', c)", "concat() is not on the list"),
        ("log(x)", "log() is not on the list"),
        ("hash(c)", "hash() is not on the list"),
        ("arg_max(c, k)", "arg_max() is not on the list"),
        ("dialect__datediff_month(d, e)", "dialect__datediff_month() is not on the list"),
        # operators and syntax
        ("x::int", ":: is no operator"),
        ("k // 2", "// is no operator"),
        ("x ^ 2", "^ is no operator"),
        ("x ** 2", "** is no operator"),
        ('"c"', '"c" is a text on Spark'),
        ("* exclude (k)", "name the columns"),
        ("* replace (k + 1 as k)", "name the columns"),
        ("[k, i]", "array"),
        ("{'a': k}", "syntax not seen"),
        ("c ~ 'a'", "regexp"),
        ("c ilike 'a'", "ILike"),
        ("c[1]", "Bracket"),
        # windows
        ("sum(n) over w - n", "over w -: Spark reads one name"),
        ("k + sum(n) over w\n + n", "over w +: Spark reads one name"),
        ("row_number() over (order by k)", "order by k: say nulls first or nulls last"),
        ("row_number() over (order by k asc nulls last, d desc)", "order by d: say nulls first or nulls last"),
        # percentiles
        ("median(x)", "median() is not on the list"),
        ("quantile_cont(x, 0.5)", "quantile_cont() is not on the list"),
        ("percentile_cont(x, 0.5)", "say within group"),
        ("approx_quantile(x, 0.5)", "approx_quantile() is not on the list"),
        ("percentile_disc(0.5) within group (order by x)", "order by x: say nulls"),
        ("percentile_cont(0.5) within group (order by m asc nulls last)", "the mean of decimals"),
        ("avg(m)", "the mean of decimals"),
        # types
        ("cast(x as decimal(28, 4))", "a DOUBLE rounds otherwise; use as_decimal()"),
        ("cast(n / 3 as decimal(28, 4))", "a DOUBLE rounds otherwise"),
        ("cast(1.5e0 as decimal(28, 4))", "a DOUBLE rounds otherwise"),
        ("cast(c as decimal(28, 4))", "rounds otherwise"),
        ("dialect__as_decimal(m, 28, 4)", "as_decimal() is for doubles, not DECIMAL"),
        ("cast(x as int)", "floor, ceil or round first"),
        ("cast(m as bigint)", "floor, ceil or round first"),
        ("cast(c as int)", "floor, ceil or round first"),
        ("cast(x as string)", "doubles are written otherwise"),
        ("sum(x)", "a sum of doubles"),
        ("sum(m * x)", "a sum of doubles"),
        # products
        ("k * i", "an int product beyond 2^31"),
        ("2 * 1073741824", "an int product beyond 2^31"),
        ("extract(year from d) * 214770", "an int product beyond 2^31"),
        ("dialect__datediff_day(d, e) * dialect__datediff_day(d, e)", "an int product beyond 2^31"),
        ("2 * row_number() over (order by k asc nulls last)", "an int product beyond 2^31"),
        ("case when b then 2 when k > 1 then 1000000 end * 3000", "an int product beyond 2^31"),
        # dates
        ("d + interval 1 day", "a date with an interval"),
        ("at - interval 2 hours", "a date with an interval"),
        ("d + k * interval 1 month", "a date with an interval"),
        ("d - e", "days are an interval on Spark"),
        ("date_trunc('month', d)", "a date or a timestamp, by engine"),
        ("date_trunc('month', d) = e", "a date or a timestamp, by engine"),
        # divisions
        ("m / 3", "decimals divide"),
        ("0.5 / k", "decimals divide"),
        ("m / nullif(m, 0)", "decimals divide"),
        ("x / k", "inf on one engine"),
        ("x / 0", "inf on one engine"),
        ("x / nullif(k, 1)", "inf on one engine"),
        ("mod(k, i)", "inf on one engine"),
        # nulls
        ("max_by(c, d)", "null values count on one engine"),
        ("min_by(c, d) filter (where k > 1)", "null values count on one engine"),
        ("min_by(c, d) filter (where c is not null or k > 1)", "null values count on one engine"),
        ("max_by(x / nullif(k, 0), d) filter (where x is not null)", "null values count on one engine"),
    ],
)
def test_what_differs_is_refused(expression, finding):
    found = portability.differences(f"select {expression} from s.t window w as (partition by c)", SMALL)
    assert any(finding.lower() in each.lower() for each in found), found


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("select k from s.t order by k", "order by k: say nulls"),
        ("select k from s.t order by k desc, d asc nulls first", "order by k: say nulls"),
        ("select k from s.t qualify row_number() over (order by k asc nulls last) = 1", "Qualify"),
        ("select t.k from s.t as t semi join s.t as u on t.k = u.k", "SEMI join"),
        ("select t.k from s.t as t asof join s.t as u on t.k >= u.k", "ASOF join"),
        ("select n from unnest(c) as u", "unnest() is not on the list"),
        ("select k from s.t using sample 10", "TableSample"),
        ("select k from (values (1), (2)) as v (k)", "values() is not on the list"),
        ("with a as (select x as z from s.t) select cast(z as decimal(9, 2)) as z from a", "use as_decimal()"),
        ("select cast(u.a as int) as a from (select avg(k) as a from s.t) as u", "round first"),
    ],
)
def test_a_text_that_differs_is_refused(text, finding):
    found = portability.differences(text, SMALL)
    assert any(finding.lower() in each.lower() for each in found), found


@pytest.mark.parametrize(
    "expression",
    [
        "(sum(n) over w) - n",
        "sum(n) over w as total",
        "row_number() over (order by k asc nulls last, d desc nulls first)",
        "sum(m) over (order by d asc nulls last range between interval 11 months preceding and current row)",
        "percentile_disc(0.5) within group (order by x asc nulls last)",
        "percentile_cont(0.5) within group (order by cast(m as double) asc nulls last)",
        "avg(k)",
        "dialect__as_decimal(x / 3, 28, 4)",
        "cast(m as decimal(38, 4))",
        "cast(n as decimal(28, 4))",
        "cast(floor(x) as int)",
        "cast((round(m)) as bigint)",
        "cast(ceil(x) as bigint)",
        "cast(b as int)",
        "cast(n as string)",
        "sum(dialect__as_decimal(x, 28, 4))",
        "1 * 2147483647",
        "extract(year from d) * 214769",
        "cast(k as bigint) * i",
        "case when b then 2 else 1000 end * 1000000",
        "x * k",
        "d + k",
        "cast(d - 30 as date)",
        "dialect__datediff_day(d, e)",
        "cast(date_trunc('month', d) as date)",
        "cast(m as double) / 3",
        "k / nullif(i, 0)",
        "x / power(2, k)",
        "n % 1000000",
        "max_by(c, d) filter (where c is not null and k > 1)",
        "max_by(k, d) filter (where k >= 1)",
        "max_by(coalesce(c, 'unknown'), d)",
        "max_by(x / nullif(k, 0), d) filter (where x is not null and k > 0)",
        "concat_ws('', 'a', c, cast(d as string))",
        "coalesce(m, 0) + 1",
        "c || 'a' like 'b%' or c is not distinct from 'a'",
    ],
)
def test_what_means_the_same_is_let_through(expression):
    assert portability.differences(f"select {expression} from s.t window w as (partition by c)", SMALL) == []


def test_types_are_those_of_spark():
    text = "select k, row_number() over (order by k asc nulls last) as r, floor(x) as f, sum(n) as s, m, at from s.t"
    assert portability.spark_types(text, SMALL) == {
        **{"k": "int", "r": "int", "f": "bigint", "s": "bigint"},
        **{"m": "decimal(18, 4)", "at": "timestamp"},
    }


def test_the_folder_of_dialects_is_where_the_rules_look_for_it():
    assert Path("macros/dialect/as_decimal.sql") in {p.relative_to(DBT_PROJECT_DIR) for p in DIALECT.glob("*.sql")}
