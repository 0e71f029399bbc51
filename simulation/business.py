"""A whole simulated business in one folder: what its systems would deliver, night by night, and the hidden truth.

In: size, seed and a folder. Out: `landing/`, `nights/<day>/`, `source.yml`, `last_date`, `truth/`. The pipeline reads
`landing/` through `source.yml`; nothing in it matches `truth/`.
"""

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import duckdb

from assets.shared.errors import UserError
from assets.shared.quoting import literal
from assets.shared.settings import Settings
from assets.shared.warehouse import configure, fetch_value
from simulation import baskets, customers, draws, knowable, purchases, records, seasons, truth
from simulation.population import Population, Variant, for_size, orders_wanted

#: The days after the last night for which purchases are simulated too, so that outcomes of the truth are known.
HORIZONS = (30, 90)
#: Marks a folder as made here, so that it may be made again.
MARK = "simulation.json"
#: Customers of the pilot that finds the pace at which a business of the wanted size buys.
PILOT_CUSTOMERS = 4_000
#: How often a pace that gives too many orders is divided by four.
PACES = 6


@dataclass(frozen=True)
class Request:
    """What was asked for. cutoffs: months back for which truth is written, as for the last date and each night."""

    lines: int
    customers: int
    seed: int
    nights: int
    out: Path
    variant: Variant = "shop"
    years: float = 3.0
    start: date = date(2021, 1, 1)
    cutoffs: int = 12
    knowable_customers: int = 20_000
    threads: int | None = None

    @property
    def history_days(self) -> int:
        whole = int(self.years)
        # the 29th of February has no anniversary in most years
        day = min(self.start.day, 28) if self.start.month == 2 else self.start.day
        anniversary = self.start.replace(year=self.start.year + whole, day=day)
        return (anniversary - self.start).days + round((self.years - whole) * 365.25)

    @property
    def last_date(self) -> date:
        """The as-of date of the history: its first day without data."""
        return self.start + timedelta(days=self.history_days)

    @property
    def all_customers(self) -> int:
        """Those of the history, and those who join in the nights at the pace of the last year."""
        return self.customers + round(self.customers * 0.55 / self.history_days * self.nights)

    @property
    def first_end_day(self) -> int:
        return self.history_days + self.nights

    @property
    def all_days(self) -> int:
        """Days of the calendar: history, nights, and the longest horizon after them."""
        return self.first_end_day + max(HORIZONS) + 2


def check_request(request: Request) -> None:
    """Raises UserError for sizes that no business has, and for a folder that holds something else."""
    if request.customers < 1 or request.lines < 1:
        raise UserError("a business needs customers and lines", "give --lines and --customers above 0")
    if request.lines < request.customers:
        raise UserError(
            f"{request.lines:,} lines are fewer than {request.customers:,} customers, who each buy at least once",
            "ask for more lines or fewer customers",
        )
    if request.lines > 2000 * request.customers * request.years:
        raise UserError(
            f"{request.lines:,} lines in {request.years:g} years are more than 5 a day for each of "
            f"{request.customers:,} customers",
            "ask for more customers, more years or fewer lines",
        )
    if request.customers > 50_000_000 or request.lines > 5_000_000_000:
        raise UserError("a business of this size does not fit one machine", "ask for fewer lines and customers")
    if request.nights < 0 or request.nights > 366:
        raise UserError(f"{request.nights} nights are not between 0 and 366", "give --nights from 0 to 366")
    if not 0.5 <= request.years <= 20:
        raise UserError(f"{request.years:g} years are not between 0.5 and 20", "give --years from 0.5 to 20")
    if request.cutoffs < 0 or request.knowable_customers < 0:
        raise UserError(
            f"{request.cutoffs} earlier dates with truth or {request.knowable_customers} customers: fewer than none",
            "give --truth-months and --knowable-customers from 0 on",
        )
    if request.seed < 0:
        raise UserError(f"seed {request.seed} is negative", "give --seed from 0 on")
    if not request.start.year >= 1950 or request.start + timedelta(days=request.all_days + 1) > date(2199, 1, 1):
        raise UserError(f"a history from {request.start} on leaves the years 1950 to 2199", "choose another --start")
    if request.out.exists() and not request.out.is_dir():
        raise UserError(f"{request.out} is a file", "give --out a folder")
    if request.out.is_dir() and any(request.out.iterdir()) and not (request.out / MARK).is_file():
        raise UserError(
            f"{request.out} holds something that is no former simulation", "give --out a new or empty folder"
        )


def simulate(
    request: Request,
    settings: Settings | None = None,
    population: Population | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Population:
    """Write the business; returns its population with the pace that was fitted. `settings`: memory limit. `population`:
    instead of the default one of that size; its pace is fitted all the same.

    Raises UserError for impossible requests. A former simulation in the folder is replaced."""
    check_request(request)
    work = request.out / ".work"
    try:
        _clear(request.out)
        work.mkdir(parents=True)
        (request.out / MARK).write_text(_mark(request))
    except OSError as error:
        raise UserError(
            f"{request.out} cannot be written: {error.strerror}", "give --out a folder that you may write"
        ) from None
    try:
        con = duckdb.connect(str(work / "simulation.duckdb"))
        try:
            _configure(con, request, settings, work)
            p = population or for_size(request.variant, request.lines, request.customers)
            p = fit_pace(con, p, request, say)
            p, factor = generate_fitting(con, p, request, say)
            _write(con, p, request, factor, say)
            return p
        finally:
            con.close()
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _clear(out: Path) -> None:
    for name in ("landing", "nights", "truth", ".work"):
        shutil.rmtree(out / name, ignore_errors=True)
    for name in ("source.yml", "last_date", "live.json", "live_contacts.csv"):
        (out / name).unlink(missing_ok=True)


def _mark(request: Request) -> str:
    fields = {name: value for name, value in vars(request).items() if name not in {"out", "threads"}}
    return json.dumps(fields, indent=1, sort_keys=True, default=str) + "\n"


def _configure(con: duckdb.DuckDBPyConnection, request: Request, settings: Settings | None, work: Path) -> None:
    if settings is not None:
        configure(con, settings)
    if request.threads:
        con.execute("set threads = ?", [request.threads])
    con.execute("set temp_directory = ?", [str(work / "spill")])
    con.execute("set enable_progress_bar = false")


def _prepare(con: duckdb.DuckDBPyConnection, p: Population, request: Request, n_customers: int) -> None:
    """The tables that come before the first purchase."""
    draws.create_macros(con, request.seed)
    purchases.create_clock_macros(con)
    seasons.create_clock(con, p, request.start, request.all_days)
    customers.create_customers(con, p, n_customers, request.customers, request.history_days, request.first_end_day)
    customers.create_contacts(con, p, request.start, request.all_days)
    purchases.create_stretches(con)


def fit_pace(con: duckdb.DuckDBPyConnection, p: Population, request: Request, say: Callable[[str], None]) -> Population:
    """The population with the pace at which the first customers make the wanted number of orders. Fitted on a pilot of
    the first customers, whose draws are those of the real run. Raises UserError when no pace does."""
    n = min(PILOT_CUSTOMERS, request.customers)
    wanted = orders_wanted(p, request.lines, request.customers)
    scale, tried = wanted / request.history_days * 2.5, []
    for _ in range(14):
        p = replace(p, rate_scale=scale)
        _prepare(con, p, request, n)
        purchases.create_orders(con, p, request.history_days, n)
        found = fetch_value(con, "select count(*) / ? from orders", [n])
        if abs(found - wanted) < 0.01 * wanted:
            break
        tried.append((scale, found))
        # Orders grow more slowly than the pace, because the first one always comes and leaving ends the others.
        scale *= max(0.2, min(5.0, (max(wanted - 0.97, 1e-3) / max(found - 0.97, 1e-3)) ** 1.15))
    say(f"pace: {found:.2f} orders a customer, {p.mean_lines:.2f} lines an order")
    return p


def generate_fitting(
    con: duckdb.DuckDBPyConnection, p: Population, request: Request, say: Callable[[str], None]
) -> tuple[Population, float]:
    """`generate`, with the population that it was done with: where there is next to one line a customer, chance may
    bring more orders than lines, and the pace is lowered until they fit."""
    for _ in range(PACES):
        try:
            return p, generate(con, p, request, say)
        except baskets.TooManyOrders as error:
            say(f"{error.what}; at a slower pace again")
            p = replace(p, rate_scale=p.rate_scale / 4)
    return p, generate(con, p, request, say)


def generate(con: duckdb.DuckDBPyConnection, p: Population, request: Request, say: Callable[[str], None]) -> float:
    """All tables of the business in `con`; returns the factor of lines (see `baskets.fit_lines`)."""
    began = time.monotonic()

    def progress(done: int, total: int) -> None:
        say(f"purchases: {done:,} of {total:,} customers, {_pace(began, done, total)}")

    _prepare(con, p, request, request.all_customers)
    purchases.create_orders(con, p, request.all_days - 1, request.all_customers, progress)
    return baskets.fit_lines(con, request.lines, request.history_days)


def _write(con: duckdb.DuckDBPyConnection, p: Population, request: Request, factor: float, say) -> None:
    # Rows are sorted and files must keep that order at any number of threads.
    con.execute("set preserve_insertion_order = true")
    landing = request.out / "landing"
    landing.mkdir()
    months = _months(request.start, request.last_date)
    began, start = time.monotonic(), request.start.isoformat()
    written = 0
    for number, (first, end) in enumerate(months, start=1):
        sql = baskets.lines_sql(p, factor, (first - request.start).days, (end - request.start).days, start)
        written += _copy(con, sql, landing / f"transactions_{first:%Y-%m}.parquet")
        if number % 6 == 0 or number == len(months):
            say(f"lines: {written:,}, {number} of {len(months)} months, {_pace(began, number, len(months))}")
    for entity, make in _records(p).items():
        _copy(con, make(p, 0, request.history_days, start), landing / f"{entity}.parquet")
    say("customers, consents, interactions, surveys, referrals, contacts written")
    for night in range(request.nights):
        day = request.history_days + night
        folder = request.out / "nights" / (request.start + timedelta(days=day)).isoformat()
        folder.mkdir(parents=True)
        write_day(con, p, request, factor, day, folder)
    (request.out / "last_date").write_text(request.last_date.isoformat() + "\n")
    (request.out / "source.yml").write_text(source_yaml(p, _years(request)))
    _write_truth(con, p, request, factor, say)


def write_day(
    con: duckdb.DuckDBPyConnection,
    p: Population,
    request: Request,
    factor: float,
    day: int,
    folder: Path,
    more: dict[str, Callable[..., str]] | None = None,
) -> dict[str, int]:
    """Write what the business's systems deliver of one day into `folder`, a file an entity and one a name of `more`;
    returns the rows of each."""
    on, start = request.start + timedelta(days=day), request.start.isoformat()
    rows = {
        "transactions": _copy(
            con, baskets.lines_sql(p, factor, day, day + 1, start), folder / f"transactions_{on}.parquet"
        )
    }
    for entity, make in (_records(p) | (more or {})).items():
        rows[entity] = _copy(con, make(p, day, day + 1, start), folder / f"{entity}_{on}.parquet", keep_empty=False)
    return rows


def _records(p: Population) -> dict[str, Callable[..., str]]:
    made = {
        "customers": records.customers_sql,
        "consents": records.consents_sql,
        "interactions": records.interactions_sql,
        "surveys": records.surveys_sql,
        "referrals": records.referrals_sql,
        "contacts": records.contacts_sql,
    }
    return made | ({"balances": records.balances_sql} if p.variant == "bank" else {})


def _years(request: Request) -> range:
    """The calendar years that a simulation touches."""
    return range(request.start.year, (request.start + timedelta(days=request.all_days)).year + 1)


def _months(start: date, end: date) -> list[tuple[date, date]]:
    """[first, end) of each calendar month between two dates."""
    spans, first = [], start
    while first < end:
        following = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        spans.append((first, min(following, end)))
        first = following
    return spans


def _copy(con: duckdb.DuckDBPyConnection, sql: str, path: Path, keep_empty: bool = True) -> int:
    """Write a query to a Parquet file, as it comes; returns the number of rows."""
    rows = fetch_value(con, f"copy ({sql}) to {literal(path)} (format parquet, row_group_size 122880)")
    if not rows and not keep_empty:
        path.unlink()
    return rows


def cutoff_days(request: Request) -> list[tuple[int, date]]:
    """(business day, date) of every as-of date with a truth: months back, the last date, and the morning after each
    night. Oldest first."""
    back = [request.history_days - round(30.4375 * month) for month in range(request.cutoffs, 0, -1)]
    days = [d for d in back if d >= 60] + list(range(request.history_days, request.first_end_day + 1))
    return [(day, request.start + timedelta(days=day)) for day in days]


def _write_truth(con: duckdb.DuckDBPyConnection, p: Population, request: Request, factor: float, say) -> None:
    folder = request.out / "truth"
    for name in ("churn", "effects"):
        (folder / name).mkdir(parents=True)
    truth.create_counts(con, p)
    cutoffs: Sequence[tuple[int, date]] = cutoff_days(request)
    _predict_knowable(con, p, request, cutoffs, say)
    _copy(con, truth.customers_sql(p), folder / "customers.parquet")
    changes = truth.changes_sql(p, request.first_end_day, request.start.isoformat())
    _copy(con, changes, folder / "changes.parquet")
    began = time.monotonic()
    for number, (day, as_of) in enumerate(cutoffs, start=1):
        truth.own_clock(con, day)
        parts = " union all ".join(
            f"({truth.outlook_sql(p, day, horizon, factor, as_of.isoformat())})" for horizon in HORIZONS
        )
        _copy(con, f"select * from ({parts}) order by horizon_days, customer_id", folder / "churn" / f"{as_of}.parquet")
        if day >= request.history_days:
            parts = " union all ".join(
                f"({truth.effects_sql(p, day, horizon, as_of.isoformat())})" for horizon in HORIZONS
            )
            _copy(
                con,
                f"select * from ({parts}) order by horizon_days, action_id, customer_id",
                folder / "effects" / f"{as_of}.parquet",
            )
        say(f"truth: {as_of}, {_pace(began, number, len(cutoffs))}")


def _predict_knowable(con: duckdb.DuckDBPyConnection, p: Population, request: Request, cutoffs, say) -> None:
    """Table `knowable`: day, horizon, customer, p, orders (null but on the last date)."""
    import numpy as np
    import pyarrow as pa

    con.execute(
        "create or replace table knowable (day integer, horizon integer, customer bigint, p double, orders double)"
    )
    if not request.knowable_customers:
        return
    campaigns = knowable.read_campaigns(con, p)
    b0 = con.execute("select b0 from days order by day").fetchnumpy()["b0"]
    moments = [
        knowable.Moment(
            day, float(b0[day]), tuple((h, day + h, float(b0[day + h])) for h in HORIZONS), day == request.history_days
        )
        for day, _ in cutoffs
    ]
    chosen = knowable.sample(con, request.knowable_customers)
    everything = knowable.read_histories(con, p, chosen, len(campaigns.day))
    # Where no contact could have worked, the kinds of response need not be distinguished.
    touched = everything.contacted.any(axis=1)
    began, done = time.monotonic(), 0
    for group in (chosen[~touched], chosen[touched]):
        for first in range(0, len(group), knowable.CHUNK):
            part = everything.of(group[first : first + knowable.CHUNK])
            for moment, found in knowable.predict(p, part, campaigns, moments):
                n = len(found.customer)
                rows = pa.table(
                    {
                        "day": np.full(n, moment.day),
                        "horizon": np.full(n, found.horizon),
                        "customer": found.customer,
                        "p": found.p_no_purchase,
                        "orders": pa.nulls(n, pa.float64()) if found.expected_orders is None else found.expected_orders,
                    }
                )
                con.register("rows_found", rows)
                con.execute("insert into knowable select * from rows_found")
                con.unregister("rows_found")
            done += len(part.customer)
            if (first // knowable.CHUNK) % 8 == 7:
                say(f"knowable truth: {done:,} of {len(chosen):,} customers, {_pace(began, done, len(chosen))}")


def source_yaml(p: Population, years: Iterable[int]) -> str:
    """The description that `holdfast run --source` reads. years: those whose moving holidays it names."""
    tables = {
        "transactions": (
            "customer_id",
            "order_id",
            "line_id",
            "occurred_at",
            "amount",
            "quantity",
            "discount_amount",
            "product_id",
            "category",
            "channel",
            "store_id",
        ),
        "customers": (
            "customer_id",
            "joined_on",
            "region",
            "age_band",
            "income_band",
            "household_size",
            "household_type",
            "birth_date",
            "full_name",
            "email",
            "phone",
            "postal_code",
        ),
        "consents": ("customer_id", "channel", "purpose", "status", "lawful_basis", "valid_from"),
        "interactions": ("customer_id", "occurred_at", "kind", "score", "resolved_at"),
        "surveys": (
            "customer_id",
            "answered_at",
            "attribute",
            "recommendation",
            "repurchase_intention",
            "trust",
            "satisfaction",
            "importance",
        ),
        "referrals": ("customer_id", "referrer_customer_id", "referred_on"),
        "contacts": (
            "contact_id",
            "customer_id",
            "campaign_id",
            "action_id",
            "channel",
            "sent_at",
            "cost",
            "offer_cost",
            "outcome",
            "outcome_at",
            "window_ends_on",
        ),
    }
    if p.variant == "bank":
        tables["balances"] = ("customer_id", "account_id", "day", "balance")
    lines = [
        f"# A simulated {p.variant}, by `holdfast simulate`. Copy nights/<date>/* into landing/ as they arrive.",
        f"name: simulated_{p.variant}",
        f"business: {p.variant}",
        "folder: landing",
        "currency: EUR",
        "tables:",
    ]
    for entity, columns in tables.items():
        lines += [f"  {entity}:", f'    files: "{entity}*.parquet"', "    columns:"]
        lines += [f"      {column}: {column}" for column in columns]
        if entity == "transactions":
            closed = ", ".join(f'"{day}"' for day in seasons.shut_days(years))
            lines += ["    returns: negative_quantity", f"    expects: {{closed_on: [{closed}]}}"]
    return "\n".join(lines) + "\n"


def _pace(began: float, done: int, total: int) -> str:
    elapsed = time.monotonic() - began
    return f"{elapsed:.0f} s, about {elapsed * (total - done) / max(done, 1):.0f} s left"


def announce_simulation(line: str) -> None:
    """Progress for a person: one line on stderr."""
    print(f"simulate: {line}", file=sys.stderr, flush=True)
