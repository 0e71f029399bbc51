"""A source looked at before anything is loaded: which columns, which dates, what would be refused and why.

In: the path of a source YAML. Out: a `CheckReport` and its plain text. Nothing is written; the home is not needed.
The same records, conversion and rules as in landing are used, on the beginning of each file.
"""

import filecmp
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from assets.ingest.batch_files import refused_with_days_sql
from assets.ingest.canonical import ENTITIES
from assets.ingest.conversion import convert_records
from assets.ingest.engine import landing_connection
from assets.ingest.extracts import Extract
from assets.ingest.guesses import guess_settings, guess_together
from assets.ingest.landing import is_the_files_fault
from assets.ingest.lost_columns import refuse_lost, refuse_retyped
from assets.ingest.mapping.rules import LEFT_OUT
from assets.ingest.mapping.source import TableMapping
from assets.ingest.mapping.yaml_file import load_mapping
from assets.ingest.personal_ids import refuse_personal_ids
from assets.ingest.records.quoted_lines import MAX_QUOTED_LINES
from assets.ingest.records.records import Records
from assets.ingest.records.typed import damaged_parquet
from assets.ingest.refusals import WAITING_RULES, FileRefused
from assets.ingest.sources import mapped_source
from assets.shared.commands import command
from assets.shared.errors import UserError
from assets.shared.intervals import above_chance
from assets.shared.params import Params, load_params
from assets.shared.plausibility import (
    CHANGED_IDS,
    DAY_DOUBTS,
    DOUBTS,
    MAX_CHANGED_IDS,
    MAX_SCALE_RATIO,
    MIN_FILES,
    MIN_ROWS,
    ONE_SCALE_REMEDY,
    TOTAL_ROWS,
    UNREAD_SIGNS,
    UNUSUAL_SIGN,
    USUAL_AMOUNT,
    changed_ids_sql,
    ends_sql,
    newest_days_doubted_sql,
    refused_days_sql,
    total_rows_sql,
    unusual_sign_sql,
)
from assets.shared.warehouse import fetch_row, fetch_value

SAMPLE_ROWS = 20_000
#: Of many files the first and the last ones are looked at: old habits and new ones.
SAMPLE_FILES = 6
#: So few and small files are read whole: what is not looked at may be what stops the night.
WHOLE_FILES, WHOLE_BYTES = 500, 20_000_000
EXAMPLES = 3
_EXAMPLE_WIDTH = 100
#: What is kept of accepted sales, to compare files with each other.
_SALES_COLUMNS = (
    "customer_id", "occurred_at", "amount", "quantity", "product_id", "order_id", "line_id", "is_return"
)  # fmt: skip
_SALES = ", ".join(f"{name} {ENTITIES['transactions'].column(name).type}" for name in _SALES_COLUMNS)


@dataclass(frozen=True)
class RuleReport:
    """Rows that one rule would quarantine; `examples` are (line number, reason, raw text)."""

    rule: str
    n_rows: int
    examples: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True)
class FileReport:
    """One sampled file. `error` (what, remedy) is set when the whole file is unusable; the rest is then empty. `lost`:
    why it would be refused for what its rows hold."""

    file: str
    entity: str
    error: tuple[str, str] | None = None
    columns: tuple[str, ...] = ()
    mapped: tuple[tuple[str, str], ...] = ()
    unmapped: tuple[str, ...] = ()
    n_rows: int = 0
    n_accepted: int = 0
    n_left_out: int = 0
    is_sample: bool = False
    rules: tuple[RuleReport, ...] = ()
    first_day: date | None = None
    last_day: date | None = None
    n_customers: int = 0
    amounts: tuple[Decimal, float, Decimal] | None = None
    n_negative: int = 0
    n_returns: int | None = None
    currencies: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    is_waiting: bool = False
    lost: str | None = None
    refused_at_an_end: float | None = None

    @property
    def n_wanted(self) -> int:
        return self.n_rows - self.n_left_out

    @property
    def n_refused(self) -> int:
        return self.n_rows - self.n_accepted - self.n_left_out


@dataclass(frozen=True)
class CheckReport:
    """What a look at a source found. `ok`: every sampled file can be landed and few enough rows would be refused."""

    path: Path
    name: str
    files: tuple[FileReport, ...]
    files_not_sampled: int = 0
    is_sample: bool = False
    hints: tuple[str, ...] = ()
    problems: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        return not self.problems

    def render(self) -> str:
        """The report as plain text, one block a file, the verdict last."""
        lines = [f"source {self.name} ({self.path})"]
        for report in self.files:
            lines += ["", *_file_lines(report)]
        if self.files_not_sampled:
            lines += ["", f"{self.files_not_sampled} more files were not looked at"]
        lines += ["", *(f"hint: {hint}" for hint in self.hints), *(f"problem: {problem}" for problem in self.problems)]
        lines.append(self._verdict())
        return "\n".join(lines)

    def _verdict(self) -> str:
        if not self.ok:
            return "result: not ok"
        if not self.is_sample:
            return "result: ok, the source can be loaded"
        everything = command("check-source", self.path.resolve(), "--all")
        return f"result: ok as far as it was looked at; `{everything}` reads every row"


def check_source(yaml_path: Path | str, sample_rows: int = SAMPLE_ROWS, whole: bool = False) -> CheckReport:
    """Look at the source's files: at all of them where they are few and small, or the `whole` is asked for, else at the
    first `sample_rows` rows of some. Nothing is written.

    Raises UserError when the YAML itself is wrong or a table has no file; whatever is wrong with a file is reported.
    """
    path = Path(yaml_path)
    source = mapped_source(load_mapping(path))
    params = load_params()
    extracts = source.extracts()
    whole = whole or (sample_rows == SAMPLE_ROWS and _is_small(extracts))
    sampled = extracts if whole else _sampled(extracts)
    with landing_connection() as con:
        con.execute("create temp table sampled_ids (entity varchar, customer_id varchar)")
        con.execute(f"create temp table sampled_sales (file varchar, {_SALES})")
        con.execute("create temp table sampled_refusals (day date)")
        files = tuple(
            _check_file(con, extract, None if whole else sample_rows, sampled[:at])
            for at, extract in enumerate(sampled)
        )
        hints = tuple(guess_together(con))
        sales = source.mapping.tables["transactions"]
        problems = (*_problems(files, params), *_doubts(con, files, sales, params))
    n_left = len(extracts) - len(sampled)
    return CheckReport(
        path=path,
        name=source.name,
        files=files,
        files_not_sampled=n_left,
        is_sample=n_left > 0 or any(report.is_sample for report in files),
        hints=hints,
        problems=problems,
    )


def _is_small(extracts: Sequence[Extract]) -> bool:
    """Can all of it be read in a few seconds?"""
    paths = [path for extract in extracts for path in extract.paths]
    sizes = [path.stat().st_size for path in paths if path.is_file()]
    return len(paths) == len(sizes) <= WHOLE_FILES and sum(sizes) <= WHOLE_BYTES and bool(sizes)


def _sampled(extracts: Sequence[Extract]) -> list[Extract]:
    kept: list[Extract] = []
    for entity in dict.fromkeys(extract.entity for extract in extracts):
        own = [extract for extract in extracts if extract.entity == entity]
        half = SAMPLE_FILES // 2
        kept += own if len(own) <= SAMPLE_FILES else [*own[:half], *own[-half:]]
    return kept


def _check_file(
    con: duckdb.DuckDBPyConnection, extract: Extract, sample_rows: int | None, looked_at: Sequence[Extract]
) -> FileReport:
    """`looked_at`: the files before this one."""
    entity, table = ENTITIES[extract.entity], extract.table
    try:
        if extract.refused is not None:
            raise extract.refused
        records = extract.read(con, sample_rows)
        refuse_retyped(records, entity, table)
        convert_records(con, records, entity, table, extract.reading(f"sample{len(looked_at)}"))
        refuse_personal_ids(con, extract.file, table)
    except UserError as error:
        waits = isinstance(error, FileRefused) and error.rule in WAITING_RULES
        return FileReport(extract.file, extract.entity, error=(error.what, error.remedy), is_waiting=waits)
    except duckdb.Error as error:
        if not is_the_files_fault(extract, error):
            raise
        damage = damaged_parquet(extract.file, error)
        return FileReport(extract.file, extract.entity, error=(damage.what, damage.remedy))
    is_sample = sample_rows is not None and _drop_cutoff_end(con, records, sample_rows)
    con.execute("insert into sampled_ids select ?, customer_id from converted where rule is null", [extract.entity])
    twin = _twin(extract, looked_at)
    if extract.entity == "transactions" and twin is None:
        con.execute(
            f"insert into sampled_sales select ?, {', '.join(_SALES_COLUMNS)} from converted where rule is null",
            [extract.file],
        )
        con.execute(f"insert into sampled_refusals select day from ({refused_with_days_sql(entity)}) as refused")
    day = f"cast({entity.event} as date)" if entity.event else "cast(null as date)"
    n_rows, n_accepted, n_left_out, first, last, customers = fetch_row(
        con,
        f"""
        select
            count(*), count(*) filter (rule is null), count(*) filter (rule = '{LEFT_OUT}'),
            min({day}) filter (rule is null), max({day}) filter (rule is null),
            count(distinct customer_id) filter (rule is null)
        from converted
        """,
    )
    amounts, n_negative, n_returns = _amounts(con) if extract.entity == "transactions" else (None, 0, None)
    codes = "select distinct currency from converted where rule is null and currency is not null order by 1"
    return FileReport(
        file=extract.file,
        entity=extract.entity,
        lost=_lost(con, extract, n_rows),
        refused_at_an_end=None if is_sample else _refused_at_an_end(con, n_rows, load_params()),
        columns=records.header,
        mapped=tuple((name, column.origin) for name, column in table.columns.items()),
        unmapped=tuple(records.unmapped),
        n_rows=n_rows,
        n_accepted=n_accepted,
        n_left_out=n_left_out,
        is_sample=is_sample,
        rules=_rules(con),
        first_day=first,
        last_day=last,
        n_customers=customers,
        amounts=amounts,
        n_negative=n_negative,
        n_returns=n_returns,
        currencies=tuple(code for (code,) in con.execute(codes).fetchall()) if amounts else (),
        hints=(*_of_twin(twin), *guess_settings(con, records, entity, table)),
    )


def _twin(extract: Extract, looked_at: Sequence[Extract]) -> str | None:
    """A file of the same content that was looked at before: both are one batch."""
    for other in looked_at:
        if other.entity == extract.entity and len(other.paths) == len(extract.paths) == 1:
            one, two = other.paths[0], extract.paths[0]
            if one.is_file() and two.is_file() and filecmp.cmp(one, two, shallow=False):
                return other.file
    return None


def _of_twin(twin: str | None) -> list[str]:
    return [] if twin is None else [f"it is {twin}, byte for byte, and counts once"]


def _refused_at_an_end(con: duckdb.DuckDBPyConnection, n_rows: int, params: Params) -> float | None:
    """The share of refused rows among the first or last lines, where it is too large."""
    row = con.execute(
        ends_sql(
            f"select 'file' as subject, line_number from converted where rule <> '{LEFT_OUT}'",
            f"select 'file' as subject, {n_rows} as rows_in",
            "$allowed",
        ),
        {"allowed": params.validate_max_file_quarantine_share},
    ).fetchone()
    return row[1] if row is not None and row[1] > row[2] else None


def _lost(con: duckdb.DuckDBPyConnection, extract: Extract, n_rows: int) -> str | None:
    """Why the whole file would be refused for its rows; None where it would not."""
    try:
        refuse_lost(con, extract.file, extract.canonical, n_rows)
    except FileRefused as error:
        return error.what
    return None


def _drop_cutoff_end(con: duckdb.DuckDBPyConnection, records: Records, sample_rows: int) -> bool:
    """Was the file longer than the sample? Then a quote that is open at the sample's end is no mistake."""
    last = fetch_value(con, "select max(line_number) from converted") or 0
    if last < sample_rows:
        return False
    if records.is_text:
        con.execute(
            "delete from converted where rule = 'malformed_quotes' and line_number > ?", [last - MAX_QUOTED_LINES]
        )
    return True


def _amounts(con: duckdb.DuckDBPyConnection) -> tuple[tuple[Decimal, float, Decimal] | None, int, int | None]:
    """(smallest, median, largest) amount, rows below zero, rows declared returns (None: the sign decides)."""
    low, middle, high, negative, declared, returns = fetch_row(
        con,
        """
        select
            min(amount), median(cast(amount as double)), max(amount), count(*) filter (amount < 0),
            count(is_return), count(*) filter (is_return)
        from converted where rule is null
        """,
    )
    return (None if low is None else (low, middle, high)), negative, (returns if declared else None)


def _rules(con: duckdb.DuckDBPyConnection) -> tuple[RuleReport, ...]:
    rows = con.execute(
        """
        with numbered as (
            select line_number, rule, reason, row_number() over (partition by rule order by line_number) as place,
                count(*) over (partition by rule) as n
            from converted where rule is not null and rule <> ?
        )
        select numbered.rule, numbered.n, numbered.line_number, numbered.reason, record_texts.raw_text
        from numbered
        left join record_texts on record_texts.line_number = numbered.line_number
        where numbered.place <= ?
        order by numbered.n desc, numbered.rule, numbered.line_number
        """,
        [LEFT_OUT, EXAMPLES],
    ).fetchall()
    counts = {rule: n for rule, n, *_ in rows}
    return tuple(
        RuleReport(rule, n, tuple((line, reason, raw) for r, _, line, reason, raw in rows if r == rule))
        for rule, n in counts.items()
    )


def _problems(files: Sequence[FileReport], params: Params) -> list[str]:
    limit, of_a_file = params.validate_max_quarantine_share, params.validate_max_file_quarantine_share
    # Why, and what to do, stands with the file; most reasons begin with its name.
    failed = [(report.file, report.error[0]) for report in files if report.error and not report.is_waiting]
    problems = [what if file in what else f"{file}: {what}" for file, what in failed]
    readable = [report for report in files if not report.error]
    # Sales by themselves first: a list of customers beside them would halve their share.
    for judged, of_what in (([r for r in readable if r.entity == "transactions"], " of transactions"), (readable, "")):
        n_rows, n_refused = sum(r.n_wanted for r in judged), sum(r.n_refused for r in judged)
        if not n_rows or n_refused <= limit * n_rows:
            continue
        problems.append(
            f"{n_refused / n_rows:.1%} of the sampled rows{of_what} would be quarantined; a run publishes nothing "
            f"above {limit:.0%} (parameter validate_max_quarantine_share)"
        )
        break
    for report in readable if not problems else []:
        if (
            report.entity == "transactions"
            and report.n_refused > above_chance(of_a_file, report.n_wanted) * report.n_wanted
        ):
            problems.append(
                f"{report.file}: {report.n_refused / report.n_wanted:.1%} of its sampled rows would be quarantined; a "
                f"run publishes nothing above {of_a_file:.0%} of a file (parameter validate_max_file_quarantine_share)"
            )
    for report in readable if not problems else []:
        if report.entity == "transactions" and report.refused_at_an_end is not None:
            problems.append(
                f"{report.file}: {report.refused_at_an_end:.0%} of its first or last lines would be quarantined, where "
                f"the newest stand; a run publishes nothing above {of_a_file:.0%} and chance"
            )
    if not problems:
        problems += [report.lost for report in readable if report.lost is not None]
    if len(currencies := sorted({code for report in readable for code in report.currencies})) > 1:
        problems.append(
            f"several currencies ({', '.join(currencies)}): amounts are added up as they are; convert them by "
            "their rates (base_currency, rates), or leave the others out with `where`"
        )
    if not problems and not any(r.n_accepted for r in readable if r.entity == "transactions"):
        problems.append("no transaction would be accepted")
    return problems


def _doubts(
    con: duckdb.DuckDBPyConnection, files: Sequence[FileReport], table: TableMapping, params: Params
) -> list[str]:
    """What the release gate would find implausible in what was read: of each file and of all together, over all days
    and over the last ones, by which alone a night is judged."""
    recent = (
        "select * from sampled_sales where cast(occurred_at as date) > (select cast(max(occurred_at) as date)"
        f" from sampled_sales) - {params.validate_compare_days}"
    )
    found = []
    for doubt in DOUBTS:
        for rows, when in (("select * from sampled_sales", ""), (recent, " in the last days")):
            per_file = doubt.per == "file"
            judged = con.execute(
                f"select {'file' if per_file else 'null'} as file, {doubt.observed} from ({rows}) as looked_at"
                f" group by {'file' if per_file else 'all'} having count(*) >= {MIN_ROWS} order by 1"
            ).fetchall()
            for file, observed in judged:
                if observed is not None and observed > doubt.allowed:
                    how_many = "" if doubt.allowed == 0 else f"{observed:.0%} "
                    where = "" if file is None else f"{file}: "
                    found.append((doubt.rule, file, f"{where}{how_many}{doubt.words}{when}; {doubt.remedy}"))
    # Said once of a file, for all its days or else for the last ones.
    said = list({(rule, file): words for rule, file, words in reversed(found)}.values())[::-1]
    of_files = [*said, *_signs(con), *(_units(con) if table.amount_scales == "one" else [])]
    return [
        *of_files,
        *_total_rows(con),
        # What is said of a file is so of its days.
        *([] if of_files else _newest_days(con, recent, table, params)),
        *_ids(con),
        *_unread_signs(files),
        *_repeated(con, table, params),
    ]


def _total_rows(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Rows that are the sums of others."""
    rows = con.execute(
        total_rows_sql("select 'source' as subject, file, cast(occurred_at as date) as day, amount from sampled_sales")
    ).fetchall()
    return [f"{', '.join(sorted(part for _, part in rows)[:EXAMPLES])}: {TOTAL_ROWS}"] if rows else []


def _newest_days(con: duckdb.DuckDBPyConnection, recent: str, table: TableMapping, params: Params) -> list[str]:
    """Newest days that are unlike the weeks before them, each doubt once, of the day or days where it is largest."""
    found = []
    rows = (
        "select 'source' as subject, file, cast(occurred_at as date) as day, amount,"
        f" max(cast(occurred_at as date)) over () as newest from ({recent}) as looked_at"
    )
    for doubt in DAY_DOUBTS:
        if doubt.rule == "last_days_keep_the_scale" and table.amount_scales != "one":
            continue
        judged = (
            f"select *, part || ' (' || files || ')' as place from ({newest_days_doubted_sql(doubt, rows)}) as found"
        )
        if (worst := _worst(con, judged, {}, "place")) is not None:
            found.append(f"{worst[0]}: {worst[1]:.0%} {doubt.words}; {doubt.remedy}")
    refused = refused_days_sql(
        "select 'source' as subject, day from sampled_refusals",
        "select 'source' as subject, cast(occurred_at as date) as day, count(*) as n from sampled_sales group by all",
        "$allowed",
    )
    worst = _worst(con, refused, {"allowed": params.validate_max_file_quarantine_share})
    if worst is not None:
        found.append(
            f"{worst[0]}: {worst[1]:.0%} of the rows would be quarantined; a run publishes nothing above"
            f" {params.validate_max_file_quarantine_share:.0%} and chance of the newest days (parameter"
            " validate_max_file_quarantine_share)"
        )
    return found


def _worst(
    con: duckdb.DuckDBPyConnection, judged: str, values: dict[str, object], named: str = "part"
) -> tuple[str, float] | None:
    """(column `named`, share) of the result of `judged` (subject, part, observed, bound) that lies furthest above its
    bound; None where none does."""
    return con.execute(
        f"select {named}, observed from ({judged}) as found where observed > bound order by observed - bound desc, part"
        " limit 1",
        values or None,
    ).fetchone()


def _units(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Files whose amounts are not of the scale of the others'."""
    usual = {
        file: own
        for file, own in con.execute(
            f"select file, {USUAL_AMOUNT} as usual from sampled_sales group by file"
            f" having count(*) >= {MIN_ROWS} order by file"
        ).fetchall()
        if own is not None
    }
    if len(usual) < MIN_FILES:
        return []
    middle = statistics.median(usual.values())
    # Of two files each is judged by the other one.
    of_others = {file: middle if len(usual) > MIN_FILES else sum(usual.values()) - own for file, own in usual.items()}
    return [
        f"{file}: its median amount {own:.2f} is not of the scale of the other files' ({of_others[file]:.2f}): another "
        f"unit, such as cents? In that case {ONE_SCALE_REMEDY}"
        for file, own in usual.items()
        if max(own / of_others[file], of_others[file] / own) > MAX_SCALE_RATIO
    ]


def _signs(con: duckdb.DuckDBPyConnection) -> list[str]:
    """Files of mostly negative amounts among others."""
    rows = con.execute(unusual_sign_sql("select 'source' as subject, file, amount from sampled_sales")).fetchall()
    return [f"{file}: {observed:.0%} {UNUSUAL_SIGN}" for _, file, observed in sorted(rows)]


def _ids(con: duckdb.DuckDBPyConnection) -> list[str]:
    rows = con.execute(
        changed_ids_sql("select distinct 'source' as subject, customer_id from sampled_sales")
    ).fetchall()
    return [f"{observed:.0%} {CHANGED_IDS}" for _, observed in rows if observed > MAX_CHANGED_IDS]


def _unread_signs(files: Sequence[FileReport]) -> list[str]:
    found = []
    for report in files:
        refused = sum(rule.n_rows for rule in report.rules if rule.rule in UNREAD_SIGNS)
        if report.entity == "transactions" and refused > 2 and not report.n_negative:
            found.append(
                f"{report.file}: all {refused:,} amounts with a minus would be refused, so no refund would count; say "
                "how they are written: replace, strip or sign"
            )
    return found


def _repeated(con: duckdb.DuckDBPyConnection, table: TableMapping, params: Params) -> list[str]:
    """Files most of whose lines stand in another file of the same days too, where nothing says which one counts."""
    if table.replaces != "lines" or table.corrects is not None:
        return []
    rows = con.execute(
        f"""
        with counted as (
            select * from sampled_sales
            qualify row_number() over (
                partition by cast(occurred_at as date), order_id, line_id order by file
            ) = 1
        ),

        alike as (
            select file, customer_id, occurred_at, amount, quantity, product_id, count(*) as n from counted group by all
        ),

        elsewhere as (
            select file, n,
                sum(n) over (partition by customer_id, occurred_at, amount, quantity, product_id) - n as n_elsewhere
            from alike
        )

        select file, cast(sum(least(n, n_elsewhere)) as double) / sum(n) as share
        from elsewhere group by file having sum(n) >= {MIN_ROWS} and share > ? order by file
        """,
        [params.validate_max_repeated_share],
    ).fetchall()
    return [
        f"{file}: {share:.0%} of its lines stand in another file of the same days too and would count twice; say "
        "delivery: full where each file is a whole export, corrections: replace_days, or map ids that come again "
        "(order_id, line_id); if these are second sales, delivery: delta"
        for file, share in rows
    ]


def _file_lines(report: FileReport) -> list[str]:
    lines = [f"{report.file} as {report.entity}"]
    if report.error:
        return [*lines, f"  cannot be loaded: {report.error[0]}", f"  remedy: {report.error[1]}"]
    first = "first " if report.is_sample else ""
    lines.append(f"  columns found: {', '.join(report.columns)}")
    lines.append(f"  mapped: {', '.join(f'{name} <- {origin}' for name, origin in report.mapped)}")
    lines.append(f"  not mapped: {', '.join(report.unmapped) or 'none'}")
    lines.append(f"  {first}{report.n_rows:,} rows, {report.n_customers:,} customers")
    if report.first_day is not None:
        lines.append(f"  days: {report.first_day} to {report.last_day}")
    if report.amounts is not None:
        low, middle, high = report.amounts
        returns = "by sign" if report.n_returns is None else f"{report.n_returns:,} declared"
        lines.append(
            f"  amount: {low:.2f} to {high:.2f}, median {middle:.2f}, {report.n_negative:,} below zero; "
            f"returns: {returns}"
        )
    if report.n_left_out:
        lines.append(f"  left out on purpose: {report.n_left_out:,} rows ({report.n_left_out / report.n_rows:.1%})")
    share = f" ({report.n_refused / report.n_wanted:.1%})" if report.n_wanted else ""
    lines.append(f"  would be quarantined: {report.n_refused:,} rows{share}")
    for rule in report.rules:
        lines.append(f"    {rule.rule}: {rule.n_rows:,} rows")
        for line_number, reason, raw in rule.examples:
            shown = (raw or "").replace("\n", "\\n")
            shown = shown if len(shown) <= _EXAMPLE_WIDTH else shown[: _EXAMPLE_WIDTH - 1] + "…"
            lines.append(f"      {report.file} line {line_number}: {reason}")
            lines.append(f"        {shown}")
    lines += [f"  hint: {hint}" for hint in report.hints]
    return lines
