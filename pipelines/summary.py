"""What a person reads after a run: tables, who to keep, how good the model is, where things are.

In: the published set and the card of its model. Out: text.
"""

import textwrap
from datetime import date

import duckdb

from assets.model import model_store
from assets.publish.morning.page import PAGE
from assets.shared.commands import command
from assets.shared.published_history import shown_contents
from assets.shared.quoting import path_literal, quoted
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_row, fetch_value
from pipelines.money import money

_METRICS = (
    ("auc", "ranks risk (ROC AUC)", "higher is better"),
    ("average_precision", "average precision", "higher is better"),
    ("brier", "Brier score", "lower is better"),
    ("ece", "calibration error", "lower is better"),
)


def render(settings: Settings, as_of: date, behind: str | None = None) -> str:
    """The summary of the published set, as plain text of at most 110 columns. `behind`: a sentence on sources that
    have not delivered what they should have."""
    contents = shown_contents(settings)
    assert contents is not None, "a night that succeeded has published"
    with duckdb.connect() as con:
        con.execute("create schema marts")
        for table, path in contents.marts(settings.published).items():
            con.execute(f"create view marts.{quoted(table)} as select * from read_parquet({path_literal(path)})")
        parts = [
            _heading(as_of, contents.as_of_date, contents.run_id),
            _tables(con),
            _input(con, behind),
            _customers(con),
            _plan(con),
            _model(con, settings),
            _where(settings),
        ]
    return "\n\n".join(parts)


def _heading(as_of: date, current: date, run_id: str) -> str:
    line = f"Published as of {current} (run {run_id})"
    if current != as_of:
        line += (
            f"\nThe run of {as_of} was an older date: it is in schema history; marts keep the newest set, {current}."
        )
    return line


def _tables(con: duckdb.DuckDBPyConnection) -> str:
    names = [
        r[0]
        for r in con.execute(
            "select view_name from duckdb_views() where schema_name = 'marts' order by view_name"
        ).fetchall()
    ]
    rows = [(name, fetch_value(con, f"select count(*) from marts.{quoted(name)}")) for name in names]
    return "Published tables (schema marts)\n" + "\n".join(f"  {name:<22}{n:>10,} rows" for name, n in rows)


def _input(con: duckdb.DuckDBPyConnection, behind: str | None) -> str:
    """Rows in and out of the files, and what of the input needs a look."""
    rows_in, accepted, quarantined, left_out = fetch_row(
        con, "select rows_in, rows_accepted, rows_quarantined, rows_left_out from marts.run_manifest"
    )
    on_purpose = f" + {left_out:,} left out on purpose" if left_out else ""
    lines = [f"Input: {rows_in:,} rows in = {accepted:,} accepted + {quarantined:,} quarantined{on_purpose}"]
    lines += _wrapped(behind) if behind else []
    odd = con.execute(
        "select replace(case when kind = 'extract' then rule else kind end, '_', ' '), reason from marts.data_quality "
        # The latest days first: they are the ones that make customers look silent.
        "where kind in ('refused_file', 'extract') and not passed order by kind desc, reason desc limit 6"
    ).fetchall()
    lines += [line for kind, reason in odd for line in _wrapped(f"{kind}: {reason}")]
    return "\n".join(lines)


def _customers(con: duckdb.DuckDBPyConnection) -> str:
    rows = con.execute(
        """
        select
            customer_id, value_at_risk, churn_probability, next_action_decision, next_action_label,
            next_action_channel, next_action_reason_not_contacted, decision_reason, currency, reason_1, reason_2,
            reason_3
        from marts.customer_360
        where is_eligible and value_at_risk is not null
        order by value_at_risk desc, customer_id
        limit 10
        """
    ).fetchall()
    if not rows:
        return "No customer is eligible for a score on this date."
    lines = ["The ten customers most worth keeping (value at risk = churn probability x margin if they stay)"]
    for n, (customer, at_risk, probability, decision, label, channel, why_not, why, currency, *reasons) in enumerate(
        rows, 1
    ):
        lines.append(
            f"  {n:>2}. customer {customer}: {money(at_risk, currency)} at risk ({probability:.0%} likely to leave)"
        )
        lines += _wrapped("; ".join(reason.rstrip(".") for reason in reasons if reason))
        lines += _wrapped("-> " + (why if decision is None else _next_action(decision, label, channel, why_not)))
    return "\n".join(lines)


def _next_action(decision: str, label: str | None, channel: str | None, why_not: str | None) -> str:
    if decision == "contact":
        return f"tonight: {label}, by {channel}"
    return f"{label}: {decision.replace('_', ' ')}, {why_not}"


def _wrapped(words: str) -> list[str]:
    return textwrap.wrap(words, 106, initial_indent="      ", subsequent_indent="      ")


def _plan(con: duckdb.DuckDBPyConnection) -> str:
    currency, paying, profit, cost, care, care_cost = fetch_row(
        con,
        "select max(currency), count(*) filter (where needs_profit), "
        "coalesce(sum(expected_incremental_profit) filter (where needs_profit), 0), "
        "coalesce(sum(contact_cost + offer_cost * redeem_probability) filter (where needs_profit), 0), "
        "count(*) filter (where not needs_profit), "
        "coalesce(sum(contact_cost + offer_cost * redeem_probability) filter (where not needs_profit), 0) "
        "from marts.retention_actions where decision = 'contact'",
    )
    mix = con.execute(
        "select action_label_en, channel, count(*) from marts.retention_actions where decision = 'contact' "
        "group by all order by 3 desc, 1, 2 limit 5"
    ).fetchall()
    others = con.execute(
        "select replace(decision, '_', ' '), coalesce(reason_not_contacted, ''), count(*) "
        "from marts.retention_actions where decision <> 'contact' group by all order by 3 desc, 1, 2 limit 4"
    ).fetchall()
    basis = con.execute("select distinct uplift_basis from marts.retention_actions order by 1").fetchall()
    lines = [
        f"Contact plan: {paying:,} contacts that pay, expected cost {money(cost, currency)}, "
        f"expected incremental profit {money(profit, currency)} (uplift: {', '.join(b[0] for b in basis) or 'none'})",
        f"  and {care:,} of care and service, which cost {money(care_cost, currency)}",
    ]
    lines += [f"  {n:>6,} contact: {label}, by {channel}" for label, channel, n in mix]
    lines += [f"  {n:>6,} {decision}: {reason}" for decision, reason, n in others]
    return "\n".join(lines)


def _model(con: duckdb.DuckDBPyConnection, settings: Settings) -> str:
    scored_by, scoring, version, horizon, day = fetch_row(
        con,
        "select max(scored_by), max(scoring_model), max(model_version), max(horizon_days), max(as_of_date) "
        "from marts.churn_scores",
    )
    quality = {
        (candidate_model, metric): (value, low, high)
        for candidate_model, metric, value, low, high in con.execute(
            "select candidate_model, metric, value, low, high from marts.model_performance "
            "where basis = 'backtest' and population = 'active' and cutoff_date is null"
        ).fetchall()
    }
    card, checks = model_store.load_card(settings.models, version), model_store.checks(settings.models, version)
    reason = model_store.decision_on(card, checks, day)["reason"]
    lines = [f"Scored by the {scored_by} ({scoring}), version {version}, horizon {horizon} days:", *_wrapped(reason)]
    lines.append("  Out-of-time quality on active customers (95 % interval):")
    n_words = len(lines)
    for metric, words, better in _METRICS:
        if ("model", metric) in quality or ("rule", metric) in quality:
            cells = [
                f"{candidate_model} {_interval(quality.get((candidate_model, metric)))}"
                for candidate_model in ("model", "rule")
            ]
            lines.append(f"  {words:<24}{cells[0]:<34}{cells[1]:<34}{better}")
    if len(lines) == n_words:
        lines.append("  none yet: too little history for an out-of-time test")
    return "\n".join(lines)


def _interval(cell: tuple[float, float, float] | None) -> str:
    if cell is None or cell[0] is None:
        return "–"
    value, low, high = cell
    return f"{value:.3f}" + (f" ({low:.3f} to {high:.3f})" if low is not None and high is not None else "")


def _where(settings: Settings) -> str:
    path = settings.published_db
    exported = max(settings.exports.glob("[0-9]*"), default=None)
    return "\n".join(
        [
            *([f"To be sent, a file a channel: {exported}"] if exported else []),
            f"Published database: {path}",
            f"  open it read-only:  duckdb -readonly {path}",
            f"  or in Python:       duckdb.connect({str(path)!r}, read_only=True).sql('from marts.churn_scores')",
            f"Morning page: {settings.published_db.with_name(PAGE)}",
            f"Dagster UI: {command('ui')}, then http://127.0.0.1:3000",
        ]
    )
