{% set gaps_needed = 100 -%}
{% set silences_needed = 100 -%}
{% set history_per_dormant_day = 2 -%}
{% set horizon = var('churn_horizon_days') -%}
{% set quantiles = {
    'silent': var('lifecycle_auto_silent_quantile'),
    'dormant': var('lifecycle_auto_dormant_quantile'),
} -%}
{% set fixed_days = {
    'silent': var('lifecycle_silent_days'),
    'dormant': var('lifecycle_dormant_days'),
    'lost': var('lifecycle_lost_days'),
} -%}
{% set most_returns = 'cast(' ~ var('lifecycle_auto_lost_return_share') ~ ' as double)' -%}
{% set least_log_share = as_decimal('ln(1.0 - ' ~ most_returns ~ ')', 28, 12) -%}
{% set stages = fixed_days.keys() | list -%}

-- The silence at which a stage begins, for the as-of date and for every training cutoff of this run.

with

requested_cutoffs as (

    {{ dates_as_rows(([var('as_of_date') | string] + cutoff_dates()) | unique | sort, 'cutoff_date') }}

),

-- A cutoff beyond the as-of date would show gaps that may not be seen yet.
cutoffs as (

    select
        requested_cutoffs.cutoff_date,
        {{ open_day('requested_cutoffs.cutoff_date') }} as open_day
    from requested_cutoffs
    {{ joined_business_days('requested_cutoffs.cutoff_date') }}
    where requested_cutoffs.cutoff_date <= {{ as_of() }}

),

order_days as (

    select
        days.customer_id,
        days.day,
        {{ open_day('days.day') }} as open_day
    from {{ ref('customer_day') }} as days
    {{ joined_business_days('days.day') }}
    where
        days.n_orders > 0
        -- What a house account does says nothing about the silence of customers.
        and days.customer_id not in (select outliers.customer_id from {{ ref('outlier_accounts') }} as outliers)
        and days.customer_id not in (select refusals.customer_id from {{ ref('profiling_refusals') }} as refusals)

),

followed as (

    select
        day,
        open_day,
        lag(day) over from_newest as next_day,
        lag(open_day) over from_newest as next_open_day
    from order_days
    window from_newest as (partition by customer_id order by day desc nulls last)

),

first_day as (

    select min(day) as first_day from order_days

),

-- Counted once by its two ends, so that many cutoffs cost hardly more than one.
silences as (

    select
        day,
        open_day,
        next_day,
        next_open_day,
        count(*) as n_silences
    from followed
    group by
        day,
        open_day,
        next_day,
        next_open_day

),

-- A silence that no purchase has ended before the cutoff has lasted until then.
known_silences as (

    select
        cutoffs.cutoff_date,
        coalesce(silences.next_day < cutoffs.cutoff_date, false) as has_ended,
        cast(case
            when silences.next_day < cutoffs.cutoff_date
                then {{ dbt.datediff('silences.open_day', 'silences.next_open_day', 'day') }}
            else {{ dbt.datediff('silences.open_day', 'cutoffs.open_day', 'day') }}
        end as bigint) as silent_days,
        silences.n_silences
    from cutoffs
    inner join silences on cutoffs.cutoff_date > silences.day

),

by_length as (

    select
        cutoff_date,
        silent_days,
        sum(case when has_ended then n_silences else 0 end) as n_gaps,
        sum(n_silences) as n_silences
    from known_silences
    group by
        cutoff_date,
        silent_days

),

shares as (

    select
        cutoff_date,
        silent_days as gap_days,
        sum(n_gaps) over (partition by cutoff_date) as n_gaps,
        cast(sum(n_gaps) over (
            partition by cutoff_date order by silent_days asc nulls last
            rows between unbounded preceding and current row
        ) as double) / nullif(sum(n_gaps) over (partition by cutoff_date), 0) as share_up_to_here
    from by_length

),

-- The shortest gap that the share of a quantile does not exceed.
quantiles as (

    select
        cutoff_date,
        {%- for stage, quantile in quantiles.items() %}
        min(gap_days) filter (where share_up_to_here >= {{ quantile }}) as {{ stage }}_gap,
        {%- endfor %}
        max(n_gaps) as n_gaps
    from shares
    group by cutoff_date

),

-- Who was silent for so many days and was seen on the next: some bought on it.
at_risk as (

    select
        cutoff_date,
        silent_days,
        n_gaps,
        sum(n_silences) over (
            partition by cutoff_date order by silent_days desc nulls last
            rows between unbounded preceding and current row
        ) - (n_silences - n_gaps) as n_at_risk,
        max(silent_days) over (partition by cutoff_date) as longest_days
    from by_length

),

-- Kaplan and Meier's estimate: the logarithm of the share that stays away on a day, 0 where nobody is left.
daily as (

    select
        cutoff_date,
        silent_days,
        longest_days,
        n_at_risk,
        case
            when n_gaps < n_at_risk
                then {{ as_decimal('ln(1.0 - cast(n_gaps as double) / nullif(n_at_risk, 0))', 28, 12) }}
        end as log_share
    from at_risk

),

-- The same for all days of another horizon.
staying_away as (

    select
        cutoff_date,
        silent_days,
        longest_days,
        min(n_at_risk) over next_days as n_at_risk,
        sum(log_share) over next_days as log_share
    from daily
    window next_days as (
        partition by cutoff_date order by silent_days asc nulls last
        range between current row and {{ horizon - 1 }} following
    )

),

-- The shortest silence after which hardly anybody comes back within the horizon, from that of mode fixed on: a shorter
-- one would leave many without score from one night to the next, as soon as enough silences are known. Between the
-- lengths that are known nothing happens, so the first of them stands for that of mode fixed.
long_silences as (

    select
        cutoff_date,
        silent_days,
        log_share >= {{ least_log_share }}
        and n_at_risk >= {{ silences_needed }}
        and longest_days >= silent_days + {{ horizon }} as is_lost
    from staying_away
    where silent_days >= {{ fixed_days['lost'] }}

),

lost as (

    select
        cutoff_date,
        case
            when min(case when is_lost then silent_days end) > min(silent_days)
                then min(case when is_lost then silent_days end)
        end as lost_days
    from long_silences
    group by cutoff_date

),

-- Quantiles of few gaps would be accidents, and of a history that could hardly hold a long gap too short: below
-- {{ gaps_needed }} gaps, or with less history than {{ history_per_dormant_day }} times the silence of the dormant,
-- there are no automatic nodes. Quantiles may fall together where customers are very regular; the nodes must rise all
-- the same.
automatic as (

    select
        cutoffs.cutoff_date,
        coalesce(quantiles.n_gaps, 0) as n_gaps,
        quantiles.silent_gap as auto_silent_days,
        greatest(quantiles.dormant_gap, quantiles.silent_gap + 1) as auto_dormant_days,
        greatest(
            coalesce(lost.lost_days, cast({{ fixed_days['lost'] }} as bigint)),
            quantiles.dormant_gap + 1,
            quantiles.silent_gap + 2
        ) as auto_lost_days,
        {{ dbt.datediff('first_day.first_day', 'cutoffs.cutoff_date', 'day') }} as history_days
    from cutoffs
    cross join first_day
    left join quantiles on cutoffs.cutoff_date = quantiles.cutoff_date
    left join lost on cutoffs.cutoff_date = lost.cutoff_date

),

judged as (

    select
        *,
        coalesce(
            n_gaps >= {{ gaps_needed }}
            and cast(history_days as bigint) >= {{ history_per_dormant_day }} * cast(auto_dormant_days as bigint),
            false
        ) as has_auto
    from automatic

),

-- Whoever bought within the churn horizon is active, so nobody is lost before it is over.
bounded as (

    select
        cutoff_date,
        n_gaps,
        has_auto,
        {%- for stage in stages %}
        case when has_auto then auto_{{ stage }}_days end as auto_{{ stage }}_days,
        cast({{ fixed_days[stage] }} as bigint) as fixed_{{ stage }}_days{% if not loop.last %},{% endif %}
        {%- endfor %}
    from judged

),

final as (

    select
        cutoff_date,
        cast(
            case when has_auto and '{{ var("lifecycle_mode") }}' = 'auto' then 'auto' else 'fixed' end as string
        ) as mode,
        {%- for stage in stages %}
        {%- set least_days = (var('churn_horizon_days') + 1) if stage == 'lost' else 1 %}
        cast(greatest(
            case
                when has_auto and '{{ var("lifecycle_mode") }}' = 'auto' then auto_{{ stage }}_days
                else fixed_{{ stage }}_days
            end,
            {{ least_days }}
        ) as bigint) as {{ stage }}_days,
        cast(greatest(fixed_{{ stage }}_days, {{ least_days }}) as bigint) as fixed_{{ stage }}_days,
        case
            when has_auto then cast(greatest(auto_{{ stage }}_days, {{ least_days }}) as bigint)
        end as auto_{{ stage }}_days,
        {%- endfor %}
        cast(n_gaps as bigint) as n_gaps
    from bounded

)

select * from final
