"""The table of a campaign: read, checked, and every row accounted for.

In: a CSV or Parquet file and the names of its columns. Out: `Campaign`, arrays with an element a person.
"""

import difflib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from assets.shared.errors import UserError
from assets.shared.quoting import identifier, literals, path_literal

#: Rows beyond it are left out by chance, and counted: the intervals are narrow by then, and memory is not endless.
MOST_ROWS = 1_000_000

#: A name of the arm that got nothing, where the user does not say which it is.
CONTROL_NAMES = {"0", "control", "none", "no", "false", "holdout", "held out", "no contact", "no e-mail", "no email"}

#: What an outcome may be, as text.
YES, NO = ("1", "true", "yes", "t", "y", "1.0"), ("0", "false", "no", "f", "n", "0.0")

READERS = {".csv": "read_csv({}, sample_size = -1)", ".parquet": "read_parquet({})"}


@dataclass(frozen=True)
class Columns:
    """What the user says of the columns."""

    arm: str
    outcome: str
    control: str | None = None
    revenue: str | None = None
    #: A column with the cost of each person's contact and offer.
    cost: str | None = None
    covariates: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()


@dataclass(frozen=True)
class Campaign:
    """One row a person, n in all, in the order of the file."""

    arm_names: list[str]  # the control group first
    arm: NDArray[np.int64]  # place in arm_names
    outcome: NDArray[np.float64]  # 1 if the person did what the campaign is for
    revenue: NDArray[np.float64] | None  # money a person
    cost: NDArray[np.float64] | None  # money a person
    covariate_names: list[str]
    covariates: NDArray[np.float64]  # (n, covariates); codes of a category from 0; NaN is unknown
    is_category: list[bool]
    n_rows: int  # rows in = n + those left out
    left_out: dict[str, int]  # reason: rows
    unused_columns: dict[str, str]  # column: why it is no covariate
    notes: list[str]


#: A category beyond so many, by frequency, is "another one".
MOST_CATEGORIES = 30


def read_campaign(path: Path, columns: Columns, most_rows: int = MOST_ROWS) -> Campaign:
    """Raises UserError, with what to do, for a file or column that cannot be read or means nothing."""
    with _opened(path) as con:
        types = dict(
            con.execute("select column_name, data_type from duckdb_columns() where table_name = 'rows'").fetchall()
        )
        types.pop(_LINE)
        _require(columns, types, path)
        n_rows = _count(con, "true")
        notes: list[str] = []
        arm_names = _arms(con, columns, path, notes)
        left_out = _leave_out(con, columns, path, most_rows)
        _require_outcome(con, columns, path)
        codes = {name: code for code, name in enumerate(arm_names)}
        arm = np.array(
            [codes[a] for (a,) in con.execute(f"select {_text(columns.arm)} from rows order by {_LINE}").fetchall()],
            dtype=np.int64,
        )
        given = columns.covariates or tuple(name for name in types if name not in _used(columns))
        names, arrays, is_category, unused = _covariates(con, given, types)
        return Campaign(
            arm_names=arm_names,
            arm=arm,
            outcome=_numbers(con, f"case when lower({_text(columns.outcome)}) in {literals(YES)} then 1 else 0 end"),
            revenue=_numbers(con, f"cast({identifier(columns.revenue)} as double)") if columns.revenue else None,
            cost=_numbers(con, f"coalesce(cast({identifier(columns.cost)} as double), 0)") if columns.cost else None,
            covariate_names=names,
            covariates=np.column_stack(arrays) if arrays else np.empty((len(arm), 0)),
            is_category=is_category,
            n_rows=n_rows,
            left_out=left_out,
            unused_columns=unused,
            notes=notes,
        )


_LINE = "holdfast_line"


@contextmanager
def _opened(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory with the file's rows as table `rows`, numbered as in the file."""
    name = path.name.lower().removesuffix(".gz")
    reader = next((reader for ending, reader in READERS.items() if name.endswith(ending)), None)
    if not path.is_file():
        raise UserError(f"{path} is no file", "name a CSV or Parquet file with one row a person")
    if reader is None:
        raise UserError(f"{path} is neither .csv nor .parquet", "export the campaign as one of the two")
    with duckdb.connect() as con:
        try:
            con.execute(
                f"create table rows as select row_number() over () as {_LINE}, * from "
                + reader.format(path_literal(path))
            )
        except duckdb.Error as error:
            raise UserError(
                f"{path} cannot be read: {str(error).splitlines()[0]}", "export it again as CSV with one header line"
            ) from error
        yield con


def _require(columns: Columns, types: dict[str, str], path: Path) -> None:
    named = [columns.arm, columns.outcome, columns.revenue, columns.cost, *columns.covariates, *columns.ignore]
    for name in named:
        if name is not None and name not in types:
            close = difflib.get_close_matches(name, types, n=1)
            raise UserError(
                f"{path} has no column {name!r}",
                (f"did you mean {close[0]!r}? " if close else "") + f"its columns: {', '.join(types)}",
            )
    for name in (columns.revenue, columns.cost):
        if name is not None and not _is_number(types[name]):
            raise UserError(f"{path}: column {name!r} is {types[name]}, no number", "export it as a plain number")


def _arms(con: duckdb.DuckDBPyConnection, columns: Columns, path: Path, notes: list[str]) -> list[str]:
    """Names of the arms, the control group first and the others by name."""
    found = [
        name
        for (name,) in con.execute(
            f"select distinct {_text(columns.arm)} from rows where {identifier(columns.arm)} is not null order by 1"
        ).fetchall()
    ]
    if not 2 <= len(found) <= MOST_ARMS:
        raise UserError(
            f"{path}: column {columns.arm!r} has {len(found)} values; a campaign has 2 to {MOST_ARMS} arms",
            "name the column that says who was held out and who got which contact, with --arm",
        )
    control = columns.control
    if control is None:
        likely = [name for name in found if name.strip().lower() in CONTROL_NAMES]
        if len(likely) != 1:
            raise UserError(
                f"{path}: which arm got nothing? {columns.arm!r} has {', '.join(found)}", "name it with --control"
            )
        control = likely[0]
        notes.append(f"The control group is guessed from its name: {control}.")
    if control not in found:
        raise UserError(f"{path}: no row of {columns.arm!r} is {control!r}", f"name one of: {', '.join(found)}")
    return [control, *(name for name in found if name != control)]


#: More values than that are no arms of one campaign but something else, such as ids.
MOST_ARMS = 20


def _leave_out(con: duckdb.DuckDBPyConnection, columns: Columns, path: Path, most_rows: int) -> dict[str, int]:
    """Remove rows that say nothing about the campaign. Returns how many for which reason."""
    left_out = {}
    for column, reason in (
        (columns.arm, "no arm"),
        (columns.outcome, "outcome not known"),
        (columns.revenue, "revenue not known"),
    ):
        if column is not None:
            removed = _count(con, f"{identifier(column)} is null")
            con.execute(f"delete from rows where {identifier(column)} is null")
            left_out[reason] = removed
    n = _count(con, "true")
    if n > most_rows:
        con.execute(
            f"delete from rows where {_LINE} not in (select {_LINE} from rows order by hash({_LINE}) limit ?)",
            [most_rows],
        )
        left_out[f"beyond {most_rows:,} rows, by chance"] = n - most_rows
    if n == 0:
        raise UserError(f"{path} has no row with arm and outcome", "check the names after --arm and --outcome")
    return {reason: n for reason, n in left_out.items() if n}


def _require_outcome(con: duckdb.DuckDBPyConnection, columns: Columns, path: Path) -> None:
    outcome = _text(columns.outcome)
    odd = con.execute(
        f"select {_LINE}, {outcome} from rows where lower({outcome}) not in {literals(YES + NO)}"
        f" order by {_LINE} limit 1"
    ).fetchone()
    if odd is not None:
        raise UserError(
            f"{path}, row {odd[0]}: {columns.outcome} is {odd[1]!r}, an outcome is 1 or 0",
            "name a column with 1 for who stayed or bought and 0 for who did not; amounts belong to --revenue",
        )


def _covariates(
    con: duckdb.DuckDBPyConnection, given: Sequence[str], types: dict[str, str]
) -> tuple[list[str], list[NDArray[np.float64]], list[bool], dict[str, str]]:
    """Names, values, whether a category, and the columns that are of no use with the reason."""
    n = _count(con, "true")
    names, arrays, is_category, unused = [], [], [], {}
    for name in given:
        column, type_ = identifier(name), types[name]
        n_values, n_known = con.execute(f"select count(distinct {column}), count({column}) from rows").fetchall()[0]
        if n_values < 2:
            unused[name] = "the same for everybody"
        elif n_values == n and not type_.startswith(("DOUBLE", "FLOAT", "DECIMAL")):
            unused[name] = "another value in each row: an id"
        elif type_.startswith(("DATE", "TIMESTAMP")):
            names.append(name)
            arrays.append(_numbers(con, f"cast(date_diff('day', date '1970-01-01', cast({column} as date)) as double)"))
            is_category.append(False)
        elif _is_number(type_):
            names.append(name)
            arrays.append(_numbers(con, f"cast({column} as double)"))
            is_category.append(False)
        elif type_ in {"VARCHAR", "BOOLEAN"} and n_values <= max(MOST_CATEGORIES, n_known // ROWS_A_CATEGORY):
            names.append(name)
            arrays.append(_codes(con, name))
            is_category.append(True)
        else:
            unused[name] = "a text that is different for almost everybody" if type_ == "VARCHAR" else f"type {type_}"
    return names, arrays, is_category, unused


#: Rows that each text of a column must have on average; below it the column is an id or free text.
ROWS_A_CATEGORY = 20


def _codes(con: duckdb.DuckDBPyConnection, name: str) -> NDArray[np.float64]:
    """0 for the most frequent text, and so on; the rarest share the last code; NaN where there is none."""
    return _numbers(
        con,
        f"cast(case when {_text(name)} is not null then least(coalesce(place, {MOST_CATEGORIES}), {MOST_CATEGORIES})"
        " end as double)",
        f" left join (select {_text(name)} as value, row_number() over (order by count(*) desc, value) - 1 as place"
        f" from rows where {identifier(name)} is not null group by 1) as places on places.value = {_text(name)}",
    )


def _numbers(con: duckdb.DuckDBPyConnection, expression: str, join: str = "") -> NDArray[np.float64]:
    found = con.execute(f"select {expression} as number from rows{join} order by {_LINE}").fetchnumpy()["number"]
    return np.ma.filled(np.ma.asarray(found, dtype=np.float64), np.nan)


def _count(con: duckdb.DuckDBPyConnection, condition: str) -> int:
    return int(con.execute(f"select count(*) from rows where {condition}").fetchall()[0][0])


def _text(name: str) -> str:
    return f"cast({identifier(name)} as varchar)"


def _is_number(type_: str) -> bool:
    return type_.endswith("INT") or type_.startswith(("INTEGER", "DOUBLE", "FLOAT", "DECIMAL"))


def _used(columns: Columns) -> set[str | None]:
    return {columns.arm, columns.outcome, columns.revenue, columns.cost, *columns.ignore}
