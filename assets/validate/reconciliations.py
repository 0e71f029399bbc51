"""Agreement between tables: rows, money and people that must add up from the raw files to the plan.

In: the working warehouse and the parameters. Out: one `CheckResult` a rule, with what was observed and expected.
Rules about a single table do not belong here (`expectations`).

Each rule is one SQL query returning rows (subject, observed, expected); `equal` rules hold when both are the same on
every row, `at_most` rules when observed is no more than expected. Money is compared as exact decimals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import duckdb

from assets.shared.params import Params
from assets.shared.quoting import quoted
from assets.validate.checks import CheckResult, Severity
from assets.validate.failed_rows import N_KEYS, in_words

ENTITIES = (
    "transactions",
    "customers",
    "customer_aliases",
    "consents",
    "interactions",
    "surveys",
    "referrals",
    "balances",
    "contracts",
    "contacts",
)
CHANNELS = ("email", "sms", "phone", "mail")

#: Rounding of doubles in sums that are compared with a parameter; far below a cent.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Reconciliation:
    """One rule. `table` is the table it is reported at; `values` are the query's named parameters. `rows_sql` gives the
    keys of the rows that break it, where single rows do."""

    name: str
    table: str
    sql: str
    reason: str
    holds: Literal["equal", "at_most"] = "equal"
    severity: Severity = "blocking"
    values: Mapping[str, Any] | None = None
    rows_sql: str | None = None


def reconciliations(as_of_date: Any, params: Params) -> list[Reconciliation]:
    """All rules between tables as of `as_of_date`, those of `complete_marts` apart."""
    return [
        *rows_of_files(params),
        *_money(as_of_date),
        *_customers(),
        *_plan(params),
    ]


def complete_marts(as_of_date: Any, run_id: str, marts: Sequence[str]) -> Reconciliation:
    """Every row of every table of `marts` is of this date and run, so that no reader ever sees two nights mixed."""
    rows = " union all ".join(
        f"select '{mart}' as subject, count(*) filter (where as_of_date is distinct from $as_of_date"
        f" or run_id is distinct from $run_id) as observed, 0 as expected from marts.{quoted(mart)}"
        for mart in marts
    )
    return Reconciliation(
        "one_date_one_run",
        "marts.run_manifest",
        rows or "select 'marts' as subject, 0 as observed, 1 as expected",
        "Every row of every mart is of this date and this run: otherwise part of them was not rebuilt.",
        values={"as_of_date": as_of_date, "run_id": run_id},
    )


def run_reconciliations(con: duckdb.DuckDBPyConnection, rules: Sequence[Reconciliation]) -> list[CheckResult]:
    """Run `rules`. One that cannot run, for instance because a table is missing, fails as blocking."""
    return [_result(con, rule) for rule in rules]


def _result(con: duckdb.DuckDBPyConnection, rule: Reconciliation) -> CheckResult:
    def found(severity: Severity, n_checked: int, failed: Sequence[tuple], observed: str, reason: str) -> CheckResult:
        return CheckResult(
            "reconciliation",
            rule.table,
            rule.name,
            None,
            severity,
            not failed and severity == rule.severity,
            n_checked,
            len(failed),
            observed,
            reason,
        )

    try:
        rows = con.execute(rule.sql, rule.values or {}).fetchall()
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        message = str(error).splitlines()[0]
        return CheckResult(
            "reconciliation",
            rule.table,
            rule.name,
            None,
            "blocking",
            False,
            0,
            0,
            "could not be checked",
            f"{rule.reason} This could not be checked: {message}",
        )
    failed = [row for row in rows if not _holds(rule, row[1], row[2])]
    if not failed:
        observed = _sentence(rule, rows[0]) if len(rows) == 1 else f"{len(rows)} subjects agree"
        return found(rule.severity, len(rows), [], observed, rule.reason)
    observed = "; ".join(_sentence(rule, row) for row in failed[:3])
    result = found(rule.severity, len(rows), failed, observed, f"{rule.reason} Observed: {observed}.")
    return replace(result, failed_keys=_failed_keys(con, rule, failed))


def _failed_keys(con: duckdb.DuckDBPyConnection, rule: Reconciliation, failed: Sequence[tuple]) -> str | None:
    """Keys of the rows that break the rule; where it is about totals, the subjects that disagree."""
    if rule.rows_sql is None:
        return in_words(("subject",), [(row[0],) for row in failed], len(failed)) if len(failed) > 1 else None
    found = con.execute(f"{rule.rows_sql} order by all limit {N_KEYS + 1}")
    names, rows = [column[0] for column in found.description], found.fetchall()
    return in_words(names, rows, len(rows))


def _holds(rule: Reconciliation, observed: Any, expected: Any) -> bool:
    if rule.holds == "equal":
        return observed == expected
    return observed is not None and expected is not None and float(observed) <= float(expected) + TOLERANCE


def _sentence(rule: Reconciliation, row: tuple) -> str:
    subject, observed, expected = row
    words = "expected" if rule.holds == "equal" else "at most"
    return f"{subject}: {_number(observed)} ({words} {_number(expected)})"


def _number(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def rows_of_files(params: Params) -> list[Reconciliation]:
    """Rules over what was landed and what was refused, by the ledger."""
    per_entity = " union all ".join(
        f"select '{entity}' as subject, (select count(*) from ingest.{entity}) as observed,"
        f" (select coalesce(sum(rows_accepted), 0) from ingest.batches where entity = '{entity}') as expected"
        for entity in ENTITIES
    )
    per_batch = " union all ".join(
        f"select batch_id, count(*) as n_rows from ingest.{entity} group by batch_id" for entity in ENTITIES
    )
    return [
        Reconciliation(
            "rows_in_add_up",
            "ingest.batches",
            "select batch_id as subject, rows_accepted + rows_quarantined + rows_left_out as observed,"
            " rows_in as expected from ingest.batches",
            "Every row of a file is accepted, in quarantine, or left out on purpose: none gets lost or counted twice.",
        ),
        Reconciliation(
            "ledger_matches_tables",
            "ingest.batches",
            per_entity,
            "The raw tables hold exactly the rows that the ledger says were accepted.",
        ),
        Reconciliation(
            "batches_match_tables",
            "ingest.batches",
            "select batch_id as subject, sum(n_rows) as observed, sum(n_accepted) as expected from"
            f" (select batch_id, n_rows, 0 as n_accepted from ({per_batch}) as held union all"
            " select batch_id, 0, rows_accepted from ingest.batches) as both_sides group by batch_id",
            "Each batch has exactly as many rows in the raw tables as were accepted, re-driven ones included.",
        ),
        Reconciliation(
            "no_refused_files",
            "ingest.refused_files",
            "select 'unusable files of transactions, consents or contacts' as subject, count(*) as observed,"
            " 0 as expected from ingest.refused_files where resolved_at is null and not is_waiting"
            " and entity in ('transactions', 'consents', 'contacts')",
            "No file whose absence would change who is scored or may be contacted is unusable; which and why is in"
            " ingest.refused_files. Correct or remove the file, or release without it: ingest_refused_files=warn.",
            severity="blocking" if params.ingest_refused_files == "block" else "warning",
            rows_sql="select source, file, reason, remedy from ingest.refused_files where resolved_at is null"
            " and not is_waiting and entity in ('transactions', 'consents', 'contacts')",
        ),
        Reconciliation(
            "extracts_arrived",
            "ingest.source_extracts",
            "select source || ' ' || day as subject, n_rows as observed, n_rows as expected"
            " from ingest.source_extracts where verdict not in ('absent', 'short') union all"
            " select source || ' ' || day || ' ' || verdict, n_rows, null from ingest.source_extracts"
            " where verdict in ('absent', 'short')",
            "Every source delivered as much as usual; a missing extract makes customers look as if they had left."
            " The last days before the date have stopped the run unless ingest_extract_guard is warn.",
            severity="warning",
        ),
        Reconciliation(
            "quarantine_matches_ledger",
            "ingest.quarantined_rows",
            "select batches.batch_id as subject, count(distinct held.line_number) as observed,"
            " any_value(batches.rows_quarantined) as expected"
            " from ingest.batches as batches left join ingest.quarantined_rows as held"
            " on batches.batch_id = held.batch_id group by batches.batch_id",
            "Each row in quarantine can be found with its reason.",
        ),
        Reconciliation(
            "quarantine_share",
            "ingest.batches",
            # Of sales by themselves too: a list of customers beside them would halve their share.
            " union all ".join(
                f"select {subject} as subject, cast(sum(rows_quarantined) as double)"
                " / nullif(sum(rows_in - rows_left_out), 0) as observed,"
                f" $allowed as expected from ingest.batches where {which} group by source"
                " having sum(rows_in - rows_left_out) > 0"
                for subject, which in (("source", "true"), ("source || ' transactions'", "entity = 'transactions'"))
            ),
            "Few rows of a source, and of its transactions, are in quarantine; above validate_max_quarantine_share"
            " its file or mapping is broken."
            " The rows with their reasons are in personal.quarantined_rows of the working warehouse.",
            holds="at_most",
            values={"allowed": params.validate_max_quarantine_share},
        ),
    ]


def _money(as_of_date: Any) -> list[Reconciliation]:
    return [
        Reconciliation(
            "net_sales_by_day",
            "features.customer_day",
            "select 'net sales before the date' as subject,"
            " (select coalesce(sum(net_sales), 0) from features.customer_day where day < $as_of_date) as observed,"
            " (select coalesce(sum(net_sales), 0) from staging.transaction_days where day < $as_of_date)"
            " as expected",
            "Daily sales add up to the lines they come from: a difference means days that were not recomputed.",
            values={"as_of_date": as_of_date},
        ),
        Reconciliation(
            "net_sales_by_customer",
            "features.customer_features",
            "select 'net sales before the date' as subject,"
            " (select coalesce(sum(cast(net_sales_total as decimal(28, 4))), 0) from features.customer_features)"
            " as observed,"
            " (select coalesce(sum(net_sales), 0) from features.customer_day where day < $as_of_date) as expected",
            "Sales per customer add up to the daily sales before the date: no customer is missing or counted twice.",
            values={"as_of_date": as_of_date},
        ),
        Reconciliation(
            "money_in_marts",
            "marts.customer_360",
            "select 'net sales before the date' as subject,"
            " (select coalesce(sum(net_sales_total), 0) from marts.customer_360) as observed,"
            " (select coalesce(sum(cast(net_sales_total as decimal(18, 2))), 0) from features.customer_features)"
            " as expected union all"
            " select 'value at risk',"
            " (select coalesce(sum(value_at_risk), 0) from marts.customer_360),"
            " (select coalesce(sum(cast(value_at_risk as decimal(18, 2))), 0) from score.churn_scores)",
            "The money that readers see is the money that was computed: no join on the way lost or doubled a customer.",
        ),
    ]


def _customers() -> list[Reconciliation]:
    covering = {
        "score.churn_scores": "Every customer seen before the date has exactly one score row.",
        "marts.churn_scores": "Every customer seen before the date has exactly one published score row.",
        "marts.customer_360": "Every customer seen before the date has exactly one row.",
        "marts.retention_decisions": "Every customer seen before the date has exactly one decision.",
    }
    segmented = {
        "segments.customer_rfm": "Every customer has exactly one RFM segment.",
        "segments.customer_value": "Every customer has exactly one value class.",
        "segments.customer_lifecycle": "Every customer is in exactly one lifecycle stage.",
        "marts.customer_segments": "Every customer seen before the date has exactly one row of segments.",
    }
    return [
        *(
            _covers(table, f"{reason} Left out: refuses profiling.", profiled=True)
            for table, reason in segmented.items()
        ),
        *(_covers(table, reason) for table, reason in covering.items()),
        Reconciliation(
            "reachable_or_not_is_everybody",
            "marts.unreachable_customers",
            "select purpose || ' by ' || channel as subject, sum(n_customers) as observed,"
            " any_value(n_all_customers) as expected from marts.unreachable_customers group by purpose, channel",
            "Each customer is reachable by a channel for a purpose, or there is one reason why not.",
        ),
        Reconciliation(
            "scored_are_the_eligible",
            "score.churn_scores",
            "select 'customers' as subject, count(*) filter (where scores.churn_probability is not null) as observed,"
            " count(*) filter (where seen.is_eligible) as expected from features.customer_features as seen"
            " left join score.churn_scores as scores on seen.customer_id = scores.customer_id",
            "Exactly the customers that the features call eligible have a probability.",
            rows_sql="select seen.customer_id from features.customer_features as seen"
            " left join score.churn_scores as scores on seen.customer_id = scores.customer_id"
            " where (scores.churn_probability is not null) <> seen.is_eligible",
        ),
    ]


def _covers(table: str, reason: str, profiled: bool = False) -> Reconciliation:
    """One row a customer; with `profiled` none of those who refuse profiling, and how many they are is said."""
    left_out = "coalesce(ineligible_reason, '') = 'refuses_profiling'"
    seen = f"(select customer_id from features.customer_features{f' where not {left_out}' if profiled else ''})"
    wrong = (
        f"(select customer_id, count(*) as n from {quoted(table)} group by customer_id) as here"
        f" full join {seen} as seen on here.customer_id = seen.customer_id"
        " where here.customer_id is null or seen.customer_id is null or here.n <> 1"
    )
    missing = "customers missing, extra or repeated"
    subject = (
        f"(select '{missing} (left out: refuses profiling: ' || count(*) || ')' from features.customer_features"
        f" where {left_out})"
        if profiled
        else f"'{missing}'"
    )
    return Reconciliation(
        "covers_every_customer",
        table,
        f"select {subject} as subject, count(*) as observed, 0 as expected from {wrong}",
        reason,
        rows_sql=f"select coalesce(here.customer_id, seen.customer_id) as customer_id from {wrong}",
    )


def _plan(params: Params) -> list[Reconciliation]:
    capacities = {f"{channel}_capacity": getattr(params, f"actions_{channel}_capacity") for channel in CHANNELS}
    known = " ".join(f"when '{channel}' then ${channel}_capacity" for channel in CHANNELS)
    share = params.actions_global_holdout_share
    in_experiment = (
        "from marts.retention_actions as plan where plan.decision = 'contact' and plan.needs_profit and exists ("
        "select 1 from candidates.plan_follow_up as past where past.customer_id = plan.customer_id"
        " and past.action_id <> plan.action_id and past.experiment_arm is not null and not past.is_night_released"
        f" and past.as_of_date > plan.as_of_date - {params.measure_outcome_window_days})"
    )
    return [
        Reconciliation(
            "plan_within_budget",
            "marts.retention_actions",
            "select case when needs_profit then 'money of contacts that pay' else 'money of care' end as subject,"
            " sum(contact_cost + offer_cost * redeem_probability) as observed,"
            " case when needs_profit then $budget else $care end as expected"
            " from marts.retention_actions where decision = 'contact' group by needs_profit",
            "Contacts and expected offers of the night cost no more than actions_daily_budget, care and service no more"
            " than actions_care_budget.",
            holds="at_most",
            values={"budget": params.actions_daily_budget, "care": params.actions_care_budget},
        ),
        Reconciliation(
            "plan_within_capacity",
            "marts.retention_actions",
            "select 'contacts by ' || coalesce(channel, 'no channel') as subject, count(*) as observed,"
            f" case channel {known} else 0 end as expected"
            " from marts.retention_actions where decision = 'contact' and not (channel = 'phone' and owner in"
            " (select owner from playbook.playbook_owners)) group by channel"
            " union all"
            " select 'calls of ' || plan.owner, count(*), any_value(owners.nightly_calls)"
            " from marts.retention_actions as plan join playbook.playbook_owners as owners on plan.owner = owners.owner"
            " where plan.decision = 'contact' and plan.channel = 'phone' group by plan.owner",
            "No channel gets more contacts than its capacity of the night (actions_<channel>_capacity), and no owner"
            " more calls than playbook_owners allows.",
            holds="at_most",
            values=capacities,
        ),
        Reconciliation(
            "control_group_is_left_alone",
            "marts.retention_actions",
            "select 'contacts of the control group' as subject, count(*) as observed, 0 as expected"
            " from marts.retention_actions as plan join marts.holdout_ledger as held"
            " on plan.customer_id = held.customer_id and plan.as_of_date >= held.valid_from"
            " and (held.valid_to is null or plan.as_of_date < held.valid_to)"
            " where plan.decision = 'contact' and plan.purpose <> 'service'",
            "Nobody of the persistent control group is contacted but in answer to a complaint of their own: it is what"
            " every effect is measured against.",
            rows_sql="select plan.customer_id from marts.retention_actions as plan join marts.holdout_ledger as held"
            " on plan.customer_id = held.customer_id and plan.as_of_date >= held.valid_from"
            " and (held.valid_to is null or plan.as_of_date < held.valid_to)"
            " where plan.decision = 'contact' and plan.purpose <> 'service'",
        ),
        Reconciliation(
            "decisions_are_those_of_the_plan",
            "marts.retention_decisions",
            "select 'customers decided ' || decision as subject,"
            " (select count(*) from marts.retention_decisions as own where own.decision = plan.decision) as observed,"
            " count(distinct customer_id) as expected"
            " from marts.retention_actions as plan where decision in ('contact', 'holdout') and not exists ("
            "select 1 from marts.retention_actions as first where plan.decision = 'holdout'"
            " and first.decision = 'contact' and first.customer_id = plan.customer_id) group by decision",
            "As many customers are decided to be contacted, and held out, as the plan contacts and holds out.",
        ),
        Reconciliation(
            "experiments_are_clean",
            "marts.retention_actions",
            "select 'contacts of people in another experiment' as subject, count(*) as observed, 0 as expected"
            f" {in_experiment}",
            "Whoever is being measured for an action, in either arm, gets no other paying action until the outcome"
            " window is closed: else the arms differ in more than the action.",
            rows_sql=f"select plan.customer_id {in_experiment}",
        ),
        Reconciliation(
            "control_group_has_its_size",
            "marts.holdout_ledger",
            # Four standard deviations of a random draw, and one person: chance alone stays inside.
            "select 'distance from the expected size' as subject,"
            " abs(count(distinct held.person_id) - $share * (select count(*) from features.customer_features))"
            " as observed,"
            " 4 * sqrt($share * (1 - $share) * (select count(*) from features.customer_features)) + 1 as expected"
            " from marts.holdout_ledger as held where held.valid_to is null",
            "The control group is a random share of all customers (actions_global_holdout_share); a size that chance"
            " cannot explain means that people were added or removed by hand.",
            holds="at_most",
            severity="warning",
            values={"share": share},
        ),
    ]
