"""A source looked at before anything is loaded: which columns, which dates, what would be refused and why.

In: the path of a source YAML. Out: a `CheckReport` and its plain text. Nothing is written; the home is not needed.
The same records, conversion and rules as in landing are used, on the beginning of each file.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from assets.ingest.canonical import ENTITIES
from assets.ingest.conversion import convert_records
from assets.ingest.engine import landing_connection
from assets.ingest.extracts import Extract
from assets.ingest.guesses import guess_settings, guess_together
from assets.ingest.mapping.rules import LEFT_OUT
from assets.ingest.mapping.yaml_file import load_mapping
from assets.ingest.personal_ids import refuse_personal_ids
from assets.ingest.records.quoted_lines import MAX_QUOTED_LINES
from assets.ingest.records.records import Records
from assets.ingest.sources import mapped_source
from assets.shared.errors import UserError
from assets.shared.intervals import above_chance
from assets.shared.params import Params, load_params
from assets.shared.plausibility import DOUBTS, MAX_SCALE_RATIO, MIN_FILES, MIN_ROWS, UNREAD_SIGNS, USUAL_AMOUNT
from assets.shared.warehouse import fetch_row, fetch_value

SAMPLE_ROWS = 20_000
#: Of many files the first and the last ones are looked at: old habits and new ones.
SAMPLE_FILES = 6
EXAMPLES = 3
_EXAMPLE_WIDTH = 100


@dataclass(frozen=True)
class RuleReport:
    """Rows that one rule would quarantine; `examples` are (line number, reason, raw text)."""

    rule: str
    n_rows: int
    examples: tuple[tuple[int, str, str], ...]


@dataclass(frozen=True)
class FileReport:
    """One sampled file. `error` (what, remedy) is set when the whole file is unusable; the rest is then empty."""

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
    doubts: Mapping[str, float] = field(default_factory=dict)
    usual_amount: float | None = None

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
        lines.append("result: ok, the source can be loaded" if self.ok else "result: not ok")
        return "\n".join(lines)


def check_source(yaml_path: Path | str, sample_rows: int = SAMPLE_ROWS) -> CheckReport:
    """Look at the first `sample_rows` rows of the source's files. Nothing is written.

    Raises UserError when the YAML itself is wrong or a table has no file; whatever is wrong with a file is reported.
    """
    path = Path(yaml_path)
    source = mapped_source(load_mapping(path))
    params = load_params()
    extracts = source.extracts()
    sampled = _sampled(extracts)
    with landing_connection() as con:
        con.execute("create temp table sampled_ids (entity varchar, customer_id varchar)")
        files = tuple(_check_file(con, extract, sample_rows) for extract in sampled)
        hints = tuple(guess_together(con))
    return CheckReport(
        path=path,
        name=source.name,
        files=files,
        files_not_sampled=len(extracts) - len(sampled),
        hints=hints,
        problems=tuple(_problems(files, params)),
    )


def _sampled(extracts: Sequence[Extract]) -> list[Extract]:
    kept: list[Extract] = []
    for entity in dict.fromkeys(extract.entity for extract in extracts):
        own = [extract for extract in extracts if extract.entity == entity]
        half = SAMPLE_FILES // 2
        kept += own if len(own) <= SAMPLE_FILES else [*own[:half], *own[-half:]]
    return kept


def _check_file(con: duckdb.DuckDBPyConnection, extract: Extract, sample_rows: int) -> FileReport:
    entity, table = ENTITIES[extract.entity], extract.table
    try:
        if extract.refused is not None:
            raise extract.refused
        records = extract.read(con, sample_rows)
        convert_records(con, records, entity, table, extract.reading("sample"))
        refuse_personal_ids(con, extract.file, table)
    except UserError as error:
        return FileReport(extract.file, extract.entity, error=(error.what, error.remedy))
    is_sample = _drop_cutoff_end(con, records, sample_rows)
    con.execute("insert into sampled_ids select ?, customer_id from converted where rule is null", [extract.entity])
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
        hints=tuple(guess_settings(con, records, entity, table)),
        doubts=_observed(con) if amounts else {},
        usual_amount=fetch_value(con, f"select {USUAL_AMOUNT} from converted where rule is null") if amounts else None,
    )


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


def _observed(con: duckdb.DuckDBPyConnection) -> dict[str, float]:
    """Rule -> what the release gate would observe of the accepted rows."""
    shown = ", ".join(doubt.observed for doubt in DOUBTS)
    values = fetch_row(con, f"select {shown} from converted where rule is null")
    return {doubt.rule: float(value) for doubt, value in zip(DOUBTS, values, strict=True)}


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
    failed = [(report.file, report.error[0]) for report in files if report.error]
    problems = [what if file in what else f"{file}: {what}" for file, what in failed]
    readable = [report for report in files if not report.error]
    n_rows, n_refused = sum(r.n_wanted for r in readable), sum(r.n_refused for r in readable)
    if n_rows and n_refused > limit * n_rows:
        problems.append(
            f"{n_refused / n_rows:.1%} of the sampled rows would be quarantined; a run publishes nothing above "
            f"{limit:.0%} (parameter validate_max_quarantine_share)"
        )
    for report in readable if not problems else []:
        if (
            report.entity == "transactions"
            and report.n_refused > above_chance(of_a_file, report.n_wanted) * report.n_wanted
        ):
            problems.append(
                f"{report.file}: {report.n_refused / report.n_wanted:.1%} of its sampled rows would be quarantined; a "
                f"run publishes nothing above {of_a_file:.0%} of a file (parameter validate_max_file_quarantine_share)"
            )
    if len(currencies := sorted({code for report in readable for code in report.currencies})) > 1:
        problems.append(
            f"several currencies ({', '.join(currencies)}): amounts are added up as they are; convert the others, or "
            "leave them out of the files"
        )
    if not problems and not any(r.n_accepted for r in readable if r.entity == "transactions"):
        problems.append("no transaction would be accepted")
    return [*problems, *_doubts([r for r in readable if r.entity == "transactions" and r.n_accepted])]


def _doubts(sales: Sequence[FileReport]) -> list[str]:
    """What the release gate would find implausible in these files, or in all of them together."""
    found = []
    for doubt in DOUBTS:
        judged = [(report, report.doubts[doubt.rule]) for report in sales if report.n_accepted >= MIN_ROWS]
        if doubt.per == "source" and judged:
            n = sum(report.n_accepted for report, _ in judged)
            share = sum(observed * report.n_accepted for report, observed in judged) / n
            if share > doubt.allowed:
                found.append(f"{share:.0%} {doubt.words}; {doubt.remedy}")
        elif doubt.per == "file":
            for report, observed in judged:
                if observed > doubt.allowed:
                    how_many = "" if doubt.allowed == 0 else f"{observed:.0%} "
                    found.append(f"{report.file}: {how_many}{doubt.words}; {doubt.remedy}")
    usual = {r.file: r.usual_amount for r in sales if r.usual_amount is not None and r.n_accepted >= MIN_ROWS}
    if len(usual) >= MIN_FILES:
        middle = statistics.median(usual.values())
        found += [
            f"{file}: its median amount {own:.2f} is not of the scale of the other files' ({middle:.2f}): another "
            "unit, such as cents? Give such files a source of their own with amount: {column: …, scale: 0.01}"
            for file, own in usual.items()
            if max(own / middle, middle / own) > MAX_SCALE_RATIO
        ]
    refused = sum(rule.n_rows for report in sales for rule in report.rules if rule.rule in UNREAD_SIGNS)
    if refused > 2 and not any(report.n_negative for report in sales):
        found.append(
            f"all {refused:,} sampled amounts with a minus would be refused, so no refund would count; say how they "
            "are written: replace, strip or sign"
        )
    return found


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
