"""What in a SQL text would mean something else on Spark than on DuckDB, read from the text alone.

In: the text as dbt compiled it, and the declared columns of the tables it reads. Out: one sentence a finding. Every
rule stands for a difference seen when both engines ran it (DuckDB 2.0.0, pyspark 4.3.0, ANSI mode off as dbt-spark
sets it, timestamps without zone): some fail on Spark, most answer something else without a word. Types are Spark's.
test_dialect_on_spark.py asks both engines again.
"""

import re
from collections.abc import Callable, Iterator, Mapping

import sqlglot
from sqlglot import exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.dialects.duckdb import DuckDB
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.tokens import Token, TokenType

#: Declared columns: schema, table, column, type.
Schema = Mapping[str, Mapping[str, Mapping[str, str]]]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Functions seen to answer alike, by the name they have on both. `lower` but for İ and a final Σ: for words of our own.
FUNCTIONS = _words(
    """
    abs avg bit_count bit_or bool_or cast ceil coalesce concat_ws count date_trunc exp extract floor greatest instr
    lag last_day least ln lower lpad make_date max max_by md5 min min_by mod nullif percentile_cont percentile_disc
    power rank replace round row_number sign split_part sqrt substr sum try_cast
    """
)
#: Dispatched macros, whose text differs on purpose: name of the opaque function, Spark's type of its value.
DISPATCHED = {
    "dialect__as_decimal": exp.DType.DECIMAL,
    "dialect__decimal_text": exp.DType.TEXT,
    "dialect__hash_share": exp.DType.DOUBLE,
    "dialect__md5_number_lower": exp.DType.DECIMAL,
    "dialect__datediff_day": exp.DType.INT,
}
#: Words that stand before a parenthesis and are no functions.
_WORDS = _words(
    """
    all and as between by cube distinct decimal else except exists filter from group having in intersect join like not
    on or order over select sets then union using when where with within
    """
)
#: Syntax seen to mean the same, and the functions above as the parser has them: some have a syntax without a name.
_SYNTAX = _words(
    """
    Add Alias And Between Boolean CTE Case Column Cube DPipe DataType DataTypeParam Distinct Div EQ Except Exists Filter
    From GT GTE Group GroupingSets Having Identifier If In Intersect Interval Is Join LT LTE Like Limit Literal Mod Mul
    NEQ Neg Not Null NullSafeEQ NullSafeNEQ Or Order Ordered Paren Select Star Sub Subquery Table TableAlias Tuple Union
    Var Where Window WindowSpec With WithinGroup
    Abs Anonymous ArgMax ArgMin Avg BitwiseCount BitwiseOrAgg Cast Ceil Coalesce ConcatWs Count DateFromParts Exp
    Extract Floor Greatest Lag LastDay Least Ln LogicalAnd LogicalOr Lower MD5 Max Min Nullif Pad PercentileCont
    PercentileDisc Pow Rank Replace Round RowNumber Sign SplitPart Sqrt StrPosition Substring Sum TimestampTrunc TryCast
    """
)
_LARGEST_INT = 2**31 - 1
_PARTS = {"YEAR": 9999, "QUARTER": 4, "MONTH": 12, "DAY": 31}
_WHOLE = {exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT}
_OPERATORS = _words("+ - * / % || = <> != < <= > >=")


def differences(sql: str, schema: Schema) -> list[str]:
    """What Spark would take otherwise than DuckDB, one sentence each, without repeats; [] where nothing was found.

    Raises sqlglot's ParseError for a text that is no SQL, its OptimizeError for a column that no table declares.
    """
    tokens = DuckDB().tokenize(sql)
    found = [*_unknown_functions(tokens), *_operators_after_named_windows(tokens), *_operators_of_one_engine(tokens)]
    tree = _parsed(sql)
    found += [*_unknown_syntax(tree), *_implicit_nulls(sql)]
    # Types of a text in another language would be guesses.
    if not found:
        typed = _with_types(_without_digits(tree), _without_digits_in(schema))
        found += [finding for node in typed.walk() for rule in _RULES for finding in rule(node)]
    return list(dict.fromkeys(found))


def spark_types(sql: str, schema: Schema) -> dict[str, str]:
    """Spark's type of each column that the text returns, in its order; 'unknown' where it cannot be known."""
    typed = _with_types(_parsed(sql), schema)
    types = {column.alias_or_name: column.type.sql("spark").lower() for column in typed.selects}
    return {column: kind.replace("timestamp_ntz", "timestamp") for column, kind in types.items()}


def _parsed(sql: str, dialect: type[Dialect] = DuckDB) -> exp.Expression:
    tree = sqlglot.parse_one(sql, dialect=dialect)
    for table in tree.find_all(exp.Table):
        table.set("catalog", None)
    return tree


def _named(text: str) -> str:
    return " ".join(text.split())[:100]


# -- words ------------------------------------------------------------------------------------------------------------


def _unknown_functions(tokens: list[Token]) -> Iterator[str]:
    for token, following in zip(tokens, tokens[1:], strict=False):
        name = token.text.lower()
        is_call = following.token_type == TokenType.L_PAREN and re.fullmatch(r"\w+", name)
        if is_call and token.token_type != TokenType.NUMBER and name not in FUNCTIONS | _WORDS | set(DISPATCHED):
            yield f"{name}() is not on the list of functions that answer alike"


def _operators_after_named_windows(tokens: list[Token]) -> Iterator[str]:
    for over, name, following in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if over.token_type == TokenType.OVER and name.token_type == TokenType.VAR and following.text in _OPERATORS:
            yield f"over {name.text} {following.text}: Spark reads one name; put parentheses around the window"


def _operators_of_one_engine(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.token_type != TokenType.STRING and token.text in {"::", "//", "^", "**"}:
            yield f"{token.text} is no operator of Spark, or another one: write cast(), floor(a / b) or power()"


# -- syntax -----------------------------------------------------------------------------------------------------------


def _unknown_syntax(tree: exp.Expression) -> Iterator[str]:
    for node in tree.walk():
        kind = type(node).__name__
        if isinstance(node, exp.Star) and any(node.args.values()):
            yield f"{_named(node.sql('duckdb'))}: name the columns"
        elif isinstance(node, exp.Join) and (node.method or node.kind in {"SEMI", "ANTI", "POSITIONAL"}):
            yield f"{node.method or node.kind} join: not seen to be equal"
        elif isinstance(node, exp.Identifier) and node.quoted and not isinstance(node.parent, exp.Table):
            yield f'"{node.name}" is a text on Spark and no name'
        elif kind not in _SYNTAX:
            yield f"{kind} in {_named(node.sql('duckdb'))}: syntax not seen to mean the same"


class _NullsSmall(DuckDB):
    NULL_ORDERING = "nulls_are_small"


class _NullsLarge(DuckDB):
    NULL_ORDERING = "nulls_are_large"


def _implicit_nulls(sql: str) -> Iterator[str]:
    """An order that two readers with opposite habits place nulls in differently does not say where they go."""
    orders = (_parsed(sql, dialect).find_all(exp.Ordered) for dialect in (_NullsSmall, _NullsLarge))
    for small, large in zip(*orders, strict=True):
        if small.args["nulls_first"] != large.args["nulls_first"]:
            yield f"order by {_named(small.this.sql('duckdb'))}: say nulls first or nulls last"


# -- types ------------------------------------------------------------------------------------------------------------


def _of_this(self: object, node: exp.Expression) -> exp.Expression:
    node.type = node.this.type
    return node


def _of_literal(self: object, node: exp.Literal) -> exp.Literal:
    if node.is_string:
        node.type = exp.DType.VARCHAR
    elif re.fullmatch(r"\d+", node.name):
        node.type = exp.DType.INT if int(node.name) <= _LARGEST_INT else exp.DType.BIGINT
    else:
        node.type = exp.DType.DOUBLE if "e" in node.name.lower() else exp.DType.DECIMAL
    return node


def _of_unparsed(self: object, node: exp.Anonymous) -> exp.Anonymous:
    node.type = {**DISPATCHED, "bit_count": exp.DType.INT}.get(node.name.lower(), exp.DType.UNKNOWN)
    return node


_TYPES = {
    **Dialect.get_or_raise("spark").EXPRESSION_METADATA,
    exp.Anonymous: {"annotator": _of_unparsed},
    exp.ArgMax: {"annotator": _of_this},
    exp.ArgMin: {"annotator": _of_this},
    exp.BitwiseOrAgg: {"annotator": _of_this},
    exp.Literal: {"annotator": _of_literal},
    exp.TimestampTrunc: {"returns": exp.DType.TIMESTAMP},
    exp.DateTrunc: {"returns": exp.DType.TIMESTAMP},
}


def _without_digits(tree: exp.Expression) -> exp.Expression:
    """A copy with `decimal` for `decimal(18, 4)`: sqlglot takes a type with digits for wider than any other."""
    copied = tree.copy()
    for kind in copied.find_all(exp.DataType):
        kind.set("expressions", None)
    return copied


def _without_digits_in(schema: Schema) -> Schema:
    return {
        folder: {
            name: {column: kind.split("(")[0] for column, kind in columns.items()} for name, columns in tables.items()
        }
        for folder, tables in schema.items()
    }


def _with_types(tree: exp.Expression, schema: Schema) -> exp.Expression:
    qualified = qualify(
        tree.copy(), schema=schema, dialect="duckdb", validate_qualify_columns=False, quote_identifiers=False
    )
    return annotate_types(qualified, schema=schema, expression_metadata=_TYPES, dialect="spark")


def _type(node: exp.Expression) -> exp.DType:
    return node.type.this if node.type else exp.DType.UNKNOWN


def _double_to_decimal(node: exp.Expression) -> Iterator[str]:
    exact = _WHOLE | {exp.DType.DECIMAL, exp.DType.NULL}
    if isinstance(node, exp.Cast) and node.to.this == exp.DType.DECIMAL and _type(node.this) not in exact:
        yield f"{_named(node.sql())}: a {_type(node.this).value} rounds otherwise; use as_decimal()"


def _as_decimal_of_others(node: exp.Expression) -> Iterator[str]:
    is_macro = isinstance(node, exp.Anonymous) and node.name.lower() == "dialect__as_decimal"
    if is_macro and _type(node.expressions[0]) != exp.DType.DOUBLE:
        yield f"{_named(node.sql())}: as_decimal() is for doubles, not {_type(node.expressions[0]).value}"


def _fraction_to_whole(node: exp.Expression) -> Iterator[str]:
    if isinstance(node, exp.Cast) and node.to.this in _WHOLE:
        rounded = isinstance(node.this.unnest(), exp.Round | exp.Floor | exp.Ceil)
        if not rounded and _type(node.this) not in _WHOLE | {exp.DType.BOOLEAN, exp.DType.NULL}:
            yield f"{_named(node.sql())}: one engine rounds, the other cuts; floor, ceil or round first"


def _double_to_text(node: exp.Expression) -> Iterator[str]:
    is_text = isinstance(node, exp.Cast) and node.to.this in exp.DataType.TEXT_TYPES
    if is_text and _type(node.this) in {exp.DType.DOUBLE, exp.DType.FLOAT, exp.DType.UNKNOWN}:
        yield f"{_named(node.sql())}: doubles are written otherwise"


def _large_product(node: exp.Expression) -> Iterator[str]:
    is_int = isinstance(node, exp.Mul) and _type(node) in _WHOLE - {exp.DType.BIGINT}
    if is_int and _bound(node.this) * _bound(node.expression) > _LARGEST_INT:
        yield f"{_named(node.sql())}: an int product beyond 2^31 wraps on Spark; cast one side to bigint"


def _bound(node: exp.Expression) -> int:
    """The largest absolute value that a whole expression can have, as far as its text shows."""
    match node:
        case exp.Literal():
            return int(node.name)
        case exp.Paren() | exp.Neg() | exp.Abs():
            return _bound(node.this)
        case exp.Add() | exp.Sub():
            return _bound(node.this) + _bound(node.expression)
        case exp.Mul():
            return _bound(node.this) * _bound(node.expression)
        case exp.Extract():
            return _PARTS.get(node.name.upper(), _LARGEST_INT)
        case exp.Case():
            values = [branch.args["true"] for branch in node.args["ifs"]]
            return max(_bound(value) for value in [*values, *filter(None, [node.args.get("default")])])
        case exp.Null():
            return 0
        case exp.Cast() if _type(node.this) == exp.DType.BOOLEAN:
            return 1
    return _LARGEST_INT


def _date_arithmetic(node: exp.Expression) -> Iterator[str]:
    if isinstance(node, exp.Interval) and not node.find_ancestor(exp.WindowSpec):
        yield f"{_named(node.parent.sql())}: a date with an interval is a date or a timestamp; add days, or make_date()"
    if isinstance(node, exp.Sub) and {_type(node.this), _type(node.expression)} == {exp.DType.DATE}:
        yield f"{_named(node.sql())}: days are an interval on Spark; use dbt.datediff(.., .., 'day')"


def _uncast_trunc(node: exp.Expression) -> Iterator[str]:
    if isinstance(node, exp.TimestampTrunc | exp.DateTrunc) and not isinstance(node.parent, exp.Cast):
        yield f"{_named(node.sql('duckdb'))}: a date or a timestamp, by engine; cast it"


def _percentile(node: exp.Expression) -> Iterator[str]:
    if isinstance(node, exp.PercentileCont | exp.PercentileDisc) and not isinstance(node.parent, exp.WithinGroup):
        yield f"{_named(node.sql('duckdb'))}: say within group (order by ..), which is exact on both"


def _decimal_mean(node: exp.Expression) -> Iterator[str]:
    value = node.this if isinstance(node, exp.Avg) else None
    if isinstance(node, exp.WithinGroup) and isinstance(node.this, exp.PercentileCont):
        value = node.expression.expressions[0].this
    if value and _type(value) in {exp.DType.DECIMAL, exp.DType.UNKNOWN}:
        yield f"{_named(node.sql('duckdb'))}: the mean of decimals is cut by one engine; cast to double inside"


def _double_sum(node: exp.Expression) -> Iterator[str]:
    if isinstance(node, exp.Sum) and _type(node.this) in {exp.DType.DOUBLE, exp.DType.FLOAT, exp.DType.UNKNOWN}:
        yield f"{_named(node.sql())}: a sum of doubles depends on their order; sum decimals"


def _division(node: exp.Expression) -> Iterator[str]:
    if not isinstance(node, exp.Div | exp.Mod):
        return
    types = {_type(node.this), _type(node.expression)}
    if isinstance(node, exp.Div) and types & {exp.DType.DECIMAL, exp.DType.UNKNOWN} and exp.DType.DOUBLE not in types:
        yield f"{_named(node.sql())}: decimals divide to a double or to a cut decimal; cast one side to double"
    if not _is_never_zero(node.expression):
        yield f"{_named(node.sql())}: inf on one engine and null on the other; nullif(.., 0)"


def _is_never_zero(node: exp.Expression) -> bool:
    match node:
        case exp.Literal():
            return float(node.name) != 0
        case exp.Paren() | exp.Cast():
            return _is_never_zero(node.this)
        case exp.Nullif():
            return node.expression.is_number and float(node.expression.name) == 0
        case exp.Pow():
            return _is_never_zero(node.this)
    return False


def _best_of_nulls(node: exp.Expression) -> Iterator[str]:
    """DuckDB passes over rows whose value is null, Spark takes it. A filter that lets no null through says which."""
    if not isinstance(node, exp.ArgMax | exp.ArgMin) or _is_never_null(node.this):
        return
    over = node.parent
    if isinstance(over, exp.Filter):
        kept = over.expression.this.unnest()
        conditions = list(kept.flatten()) if isinstance(kept, exp.And) else [kept]
        if all(any(_rejects_null(c.unnest(), column) for c in conditions) for column in node.this.find_all(exp.Column)):
            return
    yield f"{_named(node.sql('duckdb'))}: null values count on one engine; filter (where .. is not null)"


def _is_never_null(node: exp.Expression) -> bool:
    return isinstance(node, exp.Coalesce) and any(isinstance(e, exp.Literal) for e in node.expressions)


def _rejects_null(condition: exp.Expression, column: exp.Column) -> bool:
    if isinstance(condition, exp.Not) and isinstance(condition.this, exp.Is):
        return condition.this.this == column and isinstance(condition.this.expression, exp.Null)
    compares = isinstance(condition, exp.EQ | exp.NEQ | exp.GT | exp.GTE | exp.LT | exp.LTE)
    return compares and column in (condition.this, condition.expression)


_RULES: tuple[Callable[[exp.Expression], Iterator[str]], ...] = (
    _double_to_decimal,
    _as_decimal_of_others,
    _fraction_to_whole,
    _double_to_text,
    _large_product,
    _date_arithmetic,
    _uncast_trunc,
    _percentile,
    _decimal_mean,
    _double_sum,
    _division,
    _best_of_nulls,
)
