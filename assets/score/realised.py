"""Realised quality: how the scores that were really published turned out, once their horizons closed.

In: the published history of churn_scores and customer_360, features.customer_day, staging.stg_contracts, and which ids
stand for others now (`identity.id_changes`).
Out: table `score.realised_quality`. The back-test of a model, before it is used, belongs to train.

All of it is SQL over counts by rounded probability, so that a hundred million published scores cost one aggregation.
"""

from collections.abc import Collection, Sequence
from datetime import date

import duckdb

from assets.model.open_days import closed_days, open_days_after
from assets.shared.params import Params
from assets.shared.published_history import shown_contents
from assets.shared.quoting import quoted
from assets.shared.settings import Settings
from assets.shared.tables import declared_table
from assets.shared.warehouse import count_rows

TABLE = "score.realised_quality"

#: Customers are ranked by probability to this many decimals: fewer groups, and no change of an AUC that anybody sees.
RANKED_DECIMALS = 4
#: Slices smaller than this say nothing and would name hardly anybody.
MIN_SLICE = 50
#: Sums are of decimals: a sum of doubles depends, in its last digit, on the order in which threads bring the rows.
_EXACT = "::decimal(38, 15)"
SLICES = ("value_class", "region", "tenure")

_EMPTY = f"create or replace table {quoted(TABLE)} ({declared_table(TABLE).column_list})"


def due_dates(
    published: Sequence[date], as_of: date, horizon_days: int, params: Params, closed: Collection[date] = ()
) -> list[date]:
    """Of the published as-of dates those to be judged as of `as_of`, newest first: horizons that closed, in open
    days, at least `measure_realised_spacing_days` apart, at most `measure_realised_dates`."""
    chosen: list[date] = []
    for day in sorted(set(published), reverse=True):
        if open_days_after(day, horizon_days, closed) > as_of:
            continue
        if not chosen or (chosen[-1] - day).days >= params.measure_realised_spacing_days:
            chosen.append(day)
        if len(chosen) == params.measure_realised_dates:
            break
    return chosen


def write_realised(con: duckdb.DuckDBPyConnection, settings: Settings, as_of: date, params: Params) -> int:
    """Replace `score.realised_quality`; returns its rows, none while no published horizon has closed. Raises UserError
    when the published set cannot be read.

    Label, as that of the training: no order day in [scored_on, scored_on + horizon), read from customer_day; where
    leaving was the end of a contract on that date (`churn_kind`), no contract on the last day of it. Candidate models:
    the score as published (`model` or `rule`, whoever scored that night) and the rule's probability of the same
    customers.
    """
    con.execute("create schema if not exists score")
    con.execute(_EMPTY)
    contents = shown_contents(settings)
    if contents is None:
        return 0
    scores, customers = (contents.paths(settings.published, table) for table in ("churn_scores", "customer_360"))
    closed = closed_days(con)
    days = due_dates([day for day in scores if day < as_of], as_of, params.churn_horizon_days, params, closed)
    if days:
        # The newest file has every column of today; one that an older file lacks is empty there.
        wanted = {*days, max(scores)}
        con.execute(
            _OUTCOMES,
            {
                "scores": [str(scores[day]) for day in sorted(wanted)],
                "customers": [str(path) for day, path in customers.items() if day in wanted],
                "days": days,
                "ends": [open_days_after(day, params.churn_horizon_days, closed) for day in days],
                "horizon": params.churn_horizon_days,
                "kind": params.churn_kind,
            },
        )
        con.execute(_QUALITY)
        con.execute("drop table realised_outcomes")
    return count_rows(con, TABLE)


# One row a published score of a closed horizon, with what happened. Another horizon than today's was another question.
_OUTCOMES = """
create or replace temp table realised_outcomes as
with
published as (
    select
        scores.as_of_date as scored_on,
        coalesce(changes.customer_id, scores.customer_id) as customer_id,
        scores.churn_probability,
        scores.baseline_probability,
        scores.scored_by,
        scores.model_version,
        coalesce(scores.is_active, false) as is_active,
        coalesce(customers.value_class, 'unknown') as value_class,
        coalesce(customers.region, 'unknown') as region,
        case
            when scores.as_of_date - customers.first_order_on < 90 then 'first 3 months'
            when scores.as_of_date - customers.first_order_on < 365 then 'first year'
            else 'over a year'
        end as tenure
    from read_parquet($scores, union_by_name = true) as scores
    inner join read_parquet($customers, union_by_name = true) as customers
        on scores.as_of_date = customers.as_of_date and scores.customer_id = customers.customer_id
    left join identity.id_changes as changes on scores.customer_id = changes.old_customer_id
    where
        list_contains($days, scores.as_of_date)
        -- Nothing is learned any more from who refuses profiling now.
        and coalesce(changes.customer_id, scores.customer_id)
            not in (select customer_id from features.profiling_refusals)
        and scores.churn_probability is not null
        and scores.horizon_days = $horizon
),
bought as (
    select distinct
        cutoffs.scored_on,
        days.customer_id
    from features.customer_day as days
    inner join (select unnest($days) as scored_on, unnest($ends) as ends_on) as cutoffs
        on days.day >= cutoffs.scored_on and days.day < cutoffs.ends_on
    where days.n_orders > 0
),
-- What leaving meant on each date: macro is_contractual, asked as of that date.
kinds as (
    select
        scored_on,
        $kind = 'contract' or (
            $kind = 'auto' and coalesce(scored_on > (select min(started_on) from staging.stg_contracts), false)
        ) as is_contractual
    from (select unnest($days) as scored_on)
),
covered as (
    select distinct
        kinds.scored_on,
        contracts.customer_id
    from staging.stg_contracts as contracts
    inner join kinds
        on contracts.started_on < kinds.scored_on + $horizon::integer
        and coalesce(contracts.ends_on, date '9999-12-31') >= kinds.scored_on + $horizon::integer - 1
        and coalesce(contracts.ended_on, date '9999-12-31') >= kinds.scored_on + $horizon::integer - 1
)
select
    published.*,
    case when kinds.is_contractual then covered.customer_id is null else bought.customer_id is null end as is_churned
from published
inner join kinds on published.scored_on = kinds.scored_on
left join bought on published.scored_on = bought.scored_on and published.customer_id = bought.customer_id
left join covered on published.scored_on = covered.scored_on and published.customer_id = covered.customer_id
"""

_CELLS = """
    select
        model_version, scored_on, {candidate_model} as candidate_model, {is_scoring} as is_scoring, is_active,
        value_class, region, tenure,
        round({probability}, {decimals}) as p,
        count(*) as n,
        count(*) filter (where is_churned) as k,
        sum(({probability}){exact}) as sum_p,
        sum(power(is_churned::integer - {probability}, 2){exact}) as sum_square,
        sum(power(is_churned::integer - {probability}, 4){exact}) as sum_fourth,
        sum(({loss}){exact}) as sum_loss,
        sum(power({loss}, 2){exact}) as sum_loss_square
    from realised_outcomes
    where {probability} is not null {only}
    group by all
"""


def _cells(candidate_model: str, is_scoring: str, probability: str, only: str = "") -> str:
    bounded = f"least(greatest({probability}, 1e-12), 1 - 1e-12)"
    loss = f"-ln(case when is_churned then {bounded} else 1 - {bounded} end)"
    return _CELLS.format(
        candidate_model=candidate_model,
        is_scoring=is_scoring,
        probability=probability,
        loss=loss,
        decimals=RANKED_DECIMALS,
        only=only,
        exact=_EXACT,
    )


_KEYS = "model_version, scored_on, candidate_model, is_scoring, population, slice_kind, slice_value"
_SUMS = ", ".join(
    f"sum({name}) as {name}" for name in ("n", "k", "sum_p", "sum_square", "sum_fourth", "sum_loss", "sum_loss_square")
)
_SLICED = " union all ".join(
    f"select * exclude (value_class, region, tenure), {kind} as slice_kind, {value} as slice_value from cells"
    for kind, value in (("'all'", "'all'"), *((f"'{name}'", name) for name in SLICES))
)
_METRICS = (
    # metric, value, standard error or null
    ("auc", "auc", "auc_error"),
    ("average_precision", "average_precision", "null"),
    ("brier", "brier", "sqrt(greatest(sum_fourth / n - power(brier, 2), 0) / n)"),
    ("log_loss", "log_loss", "sqrt(greatest(sum_loss_square / n - power(log_loss, 2), 0) / n)"),
    ("ece", "ece", "null"),
    ("lift_at_10", "lift_at_10", "null"),
    ("mean_predicted", "sum_p / n", "null"),
    ("observed_share", "k / n", "sqrt(k / n * (1 - k / n) / n)"),
)

# The metrics of assets.train.metrics, on groups of equal probability (ties count half). Interval of the AUC: Hanley and
# McNeil (1982); of means: normal. Where one outcome is missing, ranking metrics are not defined.
_QUALITY = f"""
insert into {quoted(TABLE)} by name
with
cells as (
    {_cells("scored_by", "true", "churn_probability")}
    union all
    {_cells("'rule'", "false", "baseline_probability", "and scored_by <> 'rule'")}
),
sliced as ({_SLICED}),
populations as (
    select * exclude (is_active), 'all' as population from sliced
    union all
    select * exclude (is_active), 'active' as population from sliced where is_active
),
grouped as (
    select {_KEYS}, p, {_SUMS} from populations group by {_KEYS}, p
),
running as (
    select
        *,
        sum(n - k) over rising - (n - k) as stayed_below,
        sum(n) over falling as n_at_least,
        sum(k) over falling as k_at_least,
        sum(n) over whole as n_whole,
        sum(k) over whole as k_whole,
        floor((sum(n) over rising - n / 2) * 10 / sum(n) over whole) as bin
    from grouped
    window
        whole as (partition by {_KEYS}),
        rising as (partition by {_KEYS} order by p),
        falling as (partition by {_KEYS} order by p desc)
),
bins as (
    select {_KEYS}, sum(gap) as gap
    from (select {_KEYS}, abs(sum(sum_p) - sum(k)) as gap from running group by {_KEYS}, least(bin, 9))
    group by {_KEYS}
),
summed as (
    select
        {_KEYS}, {_SUMS},
        sum(k * (2 * stayed_below + n - k)) / 2 as concordant,
        sum((k * k_at_least / n_at_least){_EXACT}) as precision_sum,
        -- Of the tenth with the highest probabilities; a tie at the border counts by its share.
        sum((k / n * least(greatest(n_whole / 10 - (n_at_least - n), 0), n)){_EXACT}) as k_in_tenth
    from running
    group by {_KEYS}
),
measured as (
    select
        summed.*,
        concordant / nullif(k * (n - k), 0) as auc,
        case when k < n then precision_sum / nullif(k, 0) end as average_precision,
        sum_square / n as brier,
        sum_loss / n as log_loss,
        bins.gap / n as ece,
        case when k < n then k_in_tenth / (n / 10) / nullif(k / n, 0) end as lift_at_10
    from summed
    inner join bins using ({_KEYS})
    where summed.slice_kind = 'all' or n >= {MIN_SLICE}
),
with_error as (
    select
        *,
        sqrt(greatest(
            auc * (1 - auc)
            + (k - 1) * (auc / (2 - auc) - power(auc, 2))
            + (n - k - 1) * (2 * power(auc, 2) / (1 + auc) - power(auc, 2)),
            0
        ) / nullif(k * (n - k), 0)) as auc_error
    from measured
),
metrics as (
    {
    " union all ".join(
        f"select {_KEYS}, n, k, '{name}' as metric, ({value})::double as value, ({error})::double as error"
        " from with_error"
        for name, value, error in _METRICS
    )
}
)
select
    model_version, scored_on, candidate_model, population, slice_kind, slice_value, metric, value,
    -- greatest and least pass over NULL: without an error they would make an interval of all that can be.
    case when error is not null then greatest(value - 1.959964 * error, 0) end as low,
    case
        when metric = 'log_loss' then value + 1.959964 * error
        when error is not null then least(value + 1.959964 * error, 1)
    end as high,
    n::bigint as n_rows, k::bigint as n_churned, is_scoring
from metrics
"""
