"""Does this night look like the nights released before it? Volumes and the distribution of scores, within bounds.

In: the marts of the night, the manifests of earlier releases in the published set, parameters. Out: the figures of this
night, which its own manifest keeps, and one `CheckResult` a rule. The first release has nothing to compare with and
says so. Agreement inside the night does not belong here (`reconciliations`).

Only releases before the date count, so a backfill judges each date as its night did; and only recent ones, since what
is normal changes with the season. Bounds start from the range of these releases, not from their mean.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

import duckdb

from assets.model.drift import stability_index
from assets.shared.errors import UserError
from assets.shared.params import Params
from assets.shared.published_history import shown_contents
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_row
from assets.validate.checks import CheckResult, Severity

BANDS = ("low", "medium", "high", "critical")
N_BINS = 10

#: The 0.999 quantile of chi-squared with nine degrees of freedom: n m / (n + m) times the stability index of two
#: samples of one distribution over ten bins stays below it (B. Yurdakul and J. Naranjo 2020).
_CHANCE_CHI2 = 27.88
#: A young business may sell in one day this many times its average day.
GROWTH_FACTOR = 3.0
#: Three standard errors, for shares and counts.
_CHANCE_SD = 3.0


@dataclass(frozen=True)
class Figures:
    """What a release is compared by. `bins`: scored customers by tenth of the probability; `bands`: by churn band."""

    n_customers: int
    n_scored: int
    predicted_margin: float
    mean_probability: float | None
    bins: tuple[int, ...]
    bands: tuple[int, ...]
    scored_by: str
    horizon_days: int
    band_bounds: tuple[float, ...]
    #: Which model scored; empty in the manifests of releases that did not say.
    model_version: str = ""
    #: Orders and net sales of all history, and its length; None in the manifests of releases that did not say.
    n_orders: int | None = None
    net_sales: float | None = None
    history_days: int | None = None

    @classmethod
    def from_json(cls, text: str) -> "Figures":
        facts: dict[str, Any] = json.loads(text)
        read: dict[str, Any] = {n: tuple(value) if isinstance(value, list) else value for n, value in facts.items()}
        return cls(**read)

    def to_json(self) -> str:
        return json.dumps(asdict(self))


@dataclass(frozen=True)
class Release:
    """An earlier released night."""

    as_of_date: date
    figures: Figures
    table_rows: dict[str, int]


def figures_of(con: duckdb.DuckDBPyConnection, params: Params) -> Figures | None:
    """The figures of the scores in the marts now; None where that table is missing or lacks a column."""
    bins = ", ".join(
        f"count(churn_probability) filter (where least(floor(churn_probability * {N_BINS}), {N_BINS - 1}) = {n})"
        for n in range(N_BINS)
    )
    bands = ", ".join(f"count(*) filter (where churn_band = '{band}')" for band in BANDS)
    try:
        n, n_scored, margin, mean, scored_by, model_version, *counts = fetch_row(
            con,
            "select count(*), count(churn_probability), coalesce(sum(predicted_margin), 0), avg(churn_probability),"
            " coalesce(string_agg(distinct scored_by, ', '), ''),"
            " coalesce(string_agg(distinct model_version, ', ' order by model_version), ''),"
            f" {bins}, {bands} from marts.churn_scores",
        )
    except (duckdb.CatalogException, duckdb.BinderException):
        return None
    n_orders, net_sales, history_days = _history(con)
    return Figures(
        n,
        n_scored,
        round(float(margin), 2),
        mean if mean is None else round(mean, 9),
        tuple(counts[:N_BINS]),
        tuple(counts[N_BINS:]),
        scored_by,
        params.churn_horizon_days,
        (params.churn_band_medium_min, params.churn_band_high_min, params.churn_band_critical_min),
        model_version,
        n_orders,
        net_sales,
        history_days,
    )


def _history(con: duckdb.DuckDBPyConnection) -> tuple[int | None, float | None, int | None]:
    """(orders, net sales, days) of all history in the marts; None where the table is missing or lacks a column."""
    try:
        n_orders, net_sales, days = fetch_row(
            con,
            "select sum(n_orders), sum(net_sales_total), max(as_of_date) - min(first_order_on) from marts.customer_360",
        )
    except (duckdb.CatalogException, duckdb.BinderException):
        return None, None, None
    return n_orders, None if net_sales is None else round(float(net_sales), 2), days


def earlier_releases(
    con: duckdb.DuckDBPyConnection, settings: Settings, as_of_date: date, params: Params
) -> list[Release]:
    """The releases to compare with, newest first: from the history of the published set. Empty when there is none, or
    when it cannot be read."""
    first = as_of_date - timedelta(days=params.validate_compare_days)
    try:
        contents = shown_contents(settings)
        manifests = {} if contents is None else contents.paths(settings.published, "run_manifest")
        recent = [str(path) for day, path in manifests.items() if first <= day < as_of_date]
        if not recent or params.validate_compare_releases == 0:
            return []
        rows = con.execute(
            "select as_of_date, release_figures, table_rows from read_parquet($files, union_by_name = true)"
            " where release_figures is not null order by as_of_date desc limit $n",
            {"files": recent, "n": params.validate_compare_releases},
        ).fetchall()
    except (UserError, duckdb.Error):
        return []
    return [Release(day, Figures.from_json(figures), json.loads(tables)) for day, figures, tables in rows]


def check_release(
    now: Figures | None, table_rows: dict[str, int], releases: Sequence[Release], params: Params
) -> list[CheckResult]:
    """Every rule of the comparison, passed with a word where there is nothing to compare."""
    if now is None:
        return [_result("volume_of_customers", "marts.churn_scores", False, "could not be checked", _CUSTOMERS)]
    figures = [release.figures for release in releases]
    alike = [f for f in figures if (f.scored_by, f.horizon_days) == (now.scored_by, now.horizon_days) and f.n_scored]
    same_bands = [f for f in alike if f.band_bounds == now.band_bounds]
    return [
        _customers(now, figures, params),
        _fall("volume_of_scored_customers", [f.n_scored for f in figures], now.n_scored, params, _SCORED, chance=True),
        *_growth(now, releases[0] if releases else None, params),
        _margin(now, alike, params),
        _mean(now, alike, params),
        _bands(now, same_bands, params),
        _stability(now, alike, params),
        _emptied(table_rows, releases),
    ]


_CUSTOMERS = (
    "Customers once seen stay, so their number changes slowly: a fall means that data was lost, a jump that ids changed"
    " or a file was loaded twice (validate_max_volume_drop, validate_max_volume_growth)."
)
_SCORED = (
    "The number of customers that can be scored does not fall off from one release to the next; if it does, recent"
    " purchases are probably missing and everybody looks gone (validate_max_volume_drop)."
)
_GROWTH = (
    "Orders and net sales of all history grow by some days' worth from one release to the next; a jump means that"
    " history was delivered again or that amounts are written in another unit (validate_max_history_growth). Where a"
    " new branch or older years joined, release the night."
)
_MARGIN = (
    "The expected margin of all customers together neither falls off nor jumps from one release to the next; if it"
    " does, look at amounts, currency and returns of the newest files (validate_max_volume_drop,"
    " validate_max_volume_growth). Between nights of one model only data can move it, and a change blocks; a new model"
    " has a level of its own, and is a warning."
)
_MEAN = "The mean churn probability stays near that of the last releases (validate_max_mean_probability_shift)."
_BAND = "The share of each churn band stays near that of the last releases (validate_max_band_share_shift)."
_PSI = (
    "The probabilities are spread as in the last releases, by the population stability index over ten bins"
    " (validate_max_score_psi). Between nights of one model only data can move them, and a larger shift blocks; a new"
    " model, or a rule learned again, may spread them otherwise about the same mean, and is a warning."
)
_EMPTY = "A table that had rows in all of the last releases has rows again."

_NOTHING = "nothing to compare with: no release of the days before is known"
_OTHER = "nothing to compare with: no release of the days before was scored in the same way"


def _result(
    rule: str, table: str, passed: bool, observed: str, reason: str, severity: Severity = "blocking"
) -> CheckResult:
    why = reason if passed else f"{reason} Observed: {observed}."
    return CheckResult("release", table, rule, None, severity, passed, 1, int(not passed), observed, why)


def _customers(now: Figures, before: Sequence[Figures], params: Params) -> CheckResult:
    if not before:
        return _result("volume_of_customers", "marts.customer_360", True, _NOTHING, _CUSTOMERS)
    counts = [f.n_customers for f in before]
    low = _low(min(counts), params.validate_max_volume_drop)
    high = max(counts) * (1 + params.validate_max_volume_growth) + _CHANCE_SD * math.sqrt(max(counts))
    words = f"{now.n_customers:,} customers, {_were(counts)}, allowed {max(low, 0):,.0f} to {high:,.0f}"
    return _result("volume_of_customers", "marts.customer_360", low <= now.n_customers <= high, words, _CUSTOMERS)


def _growth(now: Figures, newest: Release | None, params: Params) -> list[CheckResult]:
    """All history next to that of the newest release."""
    found = []
    for rule, name in (("growth_of_orders", "n_orders"), ("growth_of_sales", "net_sales")):
        own, was = getattr(now, name), None if newest is None else getattr(newest.figures, name)
        if own is None or was is None or was <= 0 or not now.history_days or newest is None:
            found.append(_result(rule, "marts.customer_360", True, _NOTHING, _GROWTH))
            continue
        n_days = now.history_days - (newest.figures.history_days or now.history_days)
        high = was * (1 + params.validate_max_history_growth + GROWTH_FACTOR * max(n_days, 0) / now.history_days)
        words = f"{own:,.0f}, was {was:,.0f} on {newest.as_of_date}, at most {high:,.0f} expected"
        found.append(_result(rule, "marts.customer_360", own <= high, words, _GROWTH))
    return found


def _fall(rule: str, before: Sequence[float], now: float, params: Params, reason: str, chance: bool) -> CheckResult:
    if not before:
        return _result(rule, "marts.churn_scores", True, _NOTHING, reason)
    least = min(before)
    low = _low(least, params.validate_max_volume_drop) if chance else least * (1 - params.validate_max_volume_drop)
    words = f"{now:,.0f}, {_were(before)}, at least {max(low, 0):,.0f} expected"
    return _result(rule, "marts.churn_scores", now >= min(low, least), words, reason)


def _margin(now: Figures, before: Sequence[Figures], params: Params) -> CheckResult:
    same_model = [f for f in before if f.model_version == now.model_version]
    margins = [f.predicted_margin for f in same_model or before]
    result = _fall("expected_margin", margins, now.predicted_margin, params, _MARGIN, chance=False)
    high = max(margins, default=0) * (1 + params.validate_max_volume_growth)
    if result.passed and margins and now.predicted_margin > high > 0:
        words = f"{now.predicted_margin:,.0f}, {_were(margins)}, at most {high:,.0f} expected"
        result = _result("expected_margin", "marts.churn_scores", False, words, _MARGIN)
    return result if same_model else replace(result, severity="warning")


def _mean(now: Figures, before: Sequence[Figures], params: Params) -> CheckResult:
    rule, table = "mean_churn_probability", "marts.churn_scores"
    means = [f.mean_probability for f in before if f.mean_probability is not None]
    if not means or now.mean_probability is None:
        return _result(rule, table, True, _OTHER, _MEAN)
    slack = params.validate_max_mean_probability_shift + _chance(now, before)
    low, high = max(min(means) - slack, 0), min(max(means) + slack, 1)
    words = f"{now.mean_probability:.3f}, was {min(means):.3f} to {max(means):.3f}, allowed {low:.3f} to {high:.3f}"
    return _result(rule, table, low <= now.mean_probability <= high, words, _MEAN)


def _bands(now: Figures, before: Sequence[Figures], params: Params) -> CheckResult:
    rule, table = "churn_band_shares", "marts.churn_scores"
    if not before or not now.n_scored:
        return _result(rule, table, True, _OTHER, _BAND)
    slack = params.validate_max_band_share_shift + _chance(now, before)
    far = []
    for position, band in enumerate(BANDS):
        shares = [f.bands[position] / f.n_scored for f in before]
        share = now.bands[position] / now.n_scored
        if not min(shares) - slack <= share <= max(shares) + slack:
            far.append(f"{band} {share:.1%}, was {min(shares):.1%} to {max(shares):.1%}")
    words = "; ".join(far) or ", ".join(
        f"{band} {n / now.n_scored:.1%}" for band, n in zip(BANDS, now.bands, strict=True)
    )
    return _result(rule, table, not far, words, _BAND)


def _stability(now: Figures, before: Sequence[Figures], params: Params) -> CheckResult:
    rule, table = "score_stability", "marts.churn_scores"
    if not before or not now.n_scored:
        return _result(rule, table, True, _OTHER, _PSI)
    same_model = [f for f in before if f.model_version == now.model_version]
    before = same_model or before
    reference = [sum(counts) for counts in zip(*(f.bins for f in before), strict=True)]
    index = stability_index(reference, now.bins)
    smallest = min(f.n_scored for f in before)
    bound = params.validate_max_score_psi + _CHANCE_CHI2 * (1 / now.n_scored + 1 / smallest)
    words = f"index {index:.3f}, at most {bound:.3f} expected, against {len(before)} releases"
    return _result(rule, table, index <= bound, words, _PSI, "blocking" if same_model else "warning")


def _emptied(table_rows: dict[str, int], releases: Sequence[Release]) -> CheckResult:
    if not releases:
        return _result("emptied_tables", "marts.run_manifest", True, _NOTHING, _EMPTY, "warning")
    emptied = sorted(
        table for table, n in table_rows.items() if n == 0 and all(r.table_rows.get(table, 0) for r in releases)
    )
    words = f"empty now: {', '.join(emptied)}" if emptied else "none is empty that was not"
    return _result("emptied_tables", "marts.run_manifest", not emptied, words, _EMPTY, "warning")


def _low(least: float, drop: float) -> float:
    return least * (1 - drop) - _CHANCE_SD * math.sqrt(least)


def _chance(now: Figures, before: Sequence[Figures]) -> float:
    """Three standard errors of the difference of two shares, at most."""
    smallest = min(f.n_scored for f in before)
    return _CHANCE_SD * 0.5 * math.sqrt(1 / now.n_scored + 1 / smallest)


def _were(values: Sequence[float]) -> str:
    n = len(values)
    return f"{min(values):,.0f} to {max(values):,.0f} in the last {n} release{'s' if n > 1 else ''}"


def model_age(con: duckdb.DuckDBPyConnection, as_of_date: date, params: Params) -> CheckResult:
    """Whether the model behind the scores is young enough. Its version begins with the date it was trained as of."""
    reason = (
        "The model that scores is not older than validate_max_model_age_days: customers change, and an old model"
        " misjudges them with the same confidence."
    )
    try:
        versions = [
            row[0]
            for row in con.execute(
                "select distinct model_version from score.churn_scores order by 1 nulls first"
            ).fetchall()
        ]
    except duckdb.Error:
        return _result("model_is_young", "marts.churn_scores", False, "could not be checked", reason)
    ages = [age for version in versions if (age := _age(version, as_of_date)) is not None]
    if len(ages) < len(versions):
        return _result("model_is_young", "marts.churn_scores", False, "a model of unknown age", reason)
    oldest = max(ages, default=0)
    words = f"trained as of {oldest} days before the date, at most {params.validate_max_model_age_days} allowed"
    return _result(
        "model_is_young", "marts.churn_scores", 0 <= oldest <= params.validate_max_model_age_days, words, reason
    )


def _age(version: Any, as_of_date: date) -> int | None:
    try:
        return (as_of_date - date.fromisoformat(str(version)[:10])).days
    except ValueError:
        return None
