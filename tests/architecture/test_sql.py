"""SQL that Python writes: values go in as parameters or through `assets.shared.quoting`, and so do identifiers."""

import ast
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.shared.quoting import identifier, literal, quoted

ROOT = Path(__file__).resolve().parents[2]

#: What carries values from outside: the date and run of a night, a row's own, and everything of the user's.
FROM_OUTSIDE = {
    "as_of",
    "as_of_date",
    "run_id",
    "customer_id",
    "campaign_id",
    "value",
    "text",
    "password",
    "uri",
    "secret",
    "params",
    "settings",
    "arguments",
    "argv",
    "environ",
    "context",
    "overrides",
    "row",
    "mark",
    "since",
    "until",
}
#: What makes a value or a name safe to paste.
QUOTING = {
    "quoted",
    "literal",
    "literals",
    "identifier",
    "path_literal",
    "path_list",
    "ordering",
    "int",
    "len",
    "_list",
    "_relation",
}
FETCHES = {"fetch_row", "fetch_value"}
STATEMENTS = {"execute", "sql", "query", "executemany", "rows", "from_query"}


def statement_of(node: ast.AST) -> ast.expr | None:
    """The argument of a call that is a statement: the first of `con.execute(…)`, the second of `fetch_row(con, …)`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in STATEMENTS:
        return node.args[0] if node.args else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in FETCHES:
        return node.args[1]
    return None


def pasted(code: str) -> list[tuple[int, str, bool]]:
    """(line, expression, whether it stands between quotes) of everything that is pasted into a statement."""
    found = []
    for node in ast.walk(ast.parse(code)):
        statement = statement_of(node)
        if statement is None:
            continue
        for text in (n for n in ast.walk(statement) if isinstance(n, ast.JoinedStr)):
            before = ""
            for part in text.values:
                if isinstance(part, ast.FormattedValue):
                    found.append((part.lineno, ast.unparse(part.value), before.rstrip("%").endswith("'")))
                else:
                    before = part.value
        for call in (n for n in ast.walk(statement) if isinstance(n, ast.Call)):
            if isinstance(call.func, ast.Attribute) and call.func.attr == "format":
                found.append((call.lineno, ast.unparse(call), False))
    return found


def unsafe(expression: str) -> bool:
    """Whether an expression is something from outside that no quoting function has seen."""
    tree = ast.parse(expression, mode="eval").body
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in QUOTING:
                return False
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    return bool(names & FROM_OUTSIDE)


@pytest.mark.parametrize(
    "path",
    sorted(p for folder in ("assets", "expectations", "pipelines") for p in (ROOT / folder).rglob("*.py")),
    ids=lambda p: p.relative_to(ROOT).as_posix(),
)
def test_no_statement_pastes_a_value(path):
    for line, expression, between_quotes in pasted(path.read_text()):
        where = f"{path.relative_to(ROOT)}:{line} pastes {expression!r}"
        assert not unsafe(expression), f"{where}: pass it as a parameter"
        # A constant of the module, written in capitals, is our own word; n_… is a count.
        own = expression.split(".")[-1].isupper() or expression.startswith("n_")
        assert not between_quotes or own, f"{where} between quotes: use literal()"


@pytest.mark.parametrize(
    "code",
    [
        "con.execute(f\"select * from t where run_id = '{name}'\")",
        "con.execute(f'select * from t where day < {as_of_date}')",
        "con.sql('select ' + f'{settings.home}')",
        "fetch_value(con, f'select count(*) from t where day < {as_of_date}')",
        "con.execute('select {}'.format(name))",
        "con.execute(f\"attach '{path}' as x\")",
    ],
)
def test_the_rule_finds_what_it_is_about(code):
    assert any(unsafe(e) or quotes or ".format(" in e for _, e, quotes in pasted(code))


def test_the_rule_lets_quoted_names_pass():
    code = "con.execute(f'select {quoted(column)} from {quoted(table)} where day < ?', [as_of_date])"
    assert not any(unsafe(e) or quotes for _, e, quotes in pasted(code))


NASTY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


def doubled_quotes(code: str) -> list[int]:
    """Lines that double a quote, as who quotes for SQL does."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "replace"
        and [getattr(argument, "value", None) for argument in node.args] in (["'", "''"], ['"', '""'])
    ]


def test_quoting_has_one_home():
    folders = ("assets", "expectations", "pipelines", "simulation", "campaigns", "benchmarks")
    found = {
        p.relative_to(ROOT).as_posix()
        for f in folders
        for p in (ROOT / f).rglob("*.py")
        if doubled_quotes(p.read_text())
    }
    assert found == {"assets/shared/quoting.py"}


@settings(deadline=None, max_examples=50)
@given(NASTY)
def test_a_literal_comes_back_as_it_was(text):
    assert duckdb.execute(f"select {literal(text)}").fetchone() == (text,)


@settings(deadline=None, max_examples=25)
@given(NASTY.filter(lambda name: "." not in name))
def test_a_quoted_name_is_one_name(name):
    with duckdb.connect() as con:
        con.execute(f"create table {quoted(name)} as select 1 as {quoted(name)}")
        assert [row[0] for row in con.execute("select table_name from duckdb_tables()").fetchall()] == [name]


@pytest.mark.parametrize("text", ["a'b", "a''b", "'; drop schema marts; --", "\\'", "a\\"])
def test_postgres_text_and_names_stay_inside_their_quotes(text):
    inside = literal(text)
    assert inside.startswith("'") and inside.endswith("'") and "'" not in inside[1:-1].replace("''", "")
    assert identifier('a"; drop schema marts; --') == '"a""; drop schema marts; --"'
