{% set gaps_needed = 100 -%}
{% set history_per_lost_day = 2 -%}
{% set quantiles = {
    'silent': var('lifecycle_auto_silent_quantile'),
    'dormant': var('lifecycle_auto_dormant_quantile'),
    'lost': var('lifecycle_auto_lost_quantile'),
} -%}
{% set fixed_days = {
    'silent': var('lifecycle_silent_days'),
    'dormant': var('lifecycle_dormant_days'),
    'lost': var('lifecycle_lost_days'),
} -%}
{% set stages = quantiles.keys() | list -%}

-- The silence at which a stage begins, for the as-of date and for every training cutoff of this run.

with

requested_cutoffs as (

    {{ dates_as_rows(([var('as_of_date') | string] + cutoff_dates()) | unique | sort, 'cutoff_date') }}

),

-- A cutoff beyond the as-of date would show gaps that may not be seen yet.
cutoffs as (

    select cutoff_date
    from requested_cutoffs
    where cutoff_date <= {{ as_of() }}

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

),

followed as (

    select
        day,
        open_day,
        lag(open_day) over (partition by customer_id order by day asc nulls last) as previous_open_day
    from order_days

),

first_day as (

    select min(day) as first_day from order_days

),

-- Counted once by day and length, so that many cutoffs cost hardly more than one.
day_gaps as (

    select
        day,
        {{ dbt.datediff('previous_open_day', 'open_day', 'day') }} as gap_days,
        count(*) as n_gaps
    from followed
    where previous_open_day is not null
    group by
        day,
        {{ dbt.datediff('previous_open_day', 'open_day', 'day') }}

),

cutoff_gaps as (

    select
        cutoffs.cutoff_date,
        day_gaps.gap_days,
        sum(day_gaps.n_gaps) as n_gaps
    from cutoffs
    inner join day_gaps on cutoffs.cutoff_date > day_gaps.day
    group by
        cutoffs.cutoff_date,
        day_gaps.gap_days

),

shares as (

    select
        cutoff_date,
        gap_days,
        sum(n_gaps) over (partition by cutoff_date) as n_gaps,
        cast(sum(n_gaps) over (
            partition by cutoff_date order by gap_days asc nulls last rows between unbounded preceding and current row
        ) as double) / nullif(sum(n_gaps) over (partition by cutoff_date), 0) as share_up_to_here
    from cutoff_gaps

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

-- Quantiles of few gaps would be accidents, and of a history that could hardly hold a long gap too short: below
-- {{ gaps_needed }} gaps, or with less history than {{ history_per_lost_day }} times the silence of the lost, there are
-- no automatic nodes. Quantiles may fall together where customers are very regular; the nodes must rise all the same.
automatic as (

    select
        cutoffs.cutoff_date,
        coalesce(quantiles.n_gaps, 0) as n_gaps,
        quantiles.silent_gap as auto_silent_days,
        greatest(quantiles.dormant_gap, quantiles.silent_gap + 1) as auto_dormant_days,
        greatest(quantiles.lost_gap, quantiles.dormant_gap + 1, quantiles.silent_gap + 2) as auto_lost_days,
        {{ dbt.datediff('first_day.first_day', 'cutoffs.cutoff_date', 'day') }} as history_days
    from cutoffs
    cross join first_day
    left join quantiles on cutoffs.cutoff_date = quantiles.cutoff_date

),

judged as (

    select
        *,
        coalesce(
            n_gaps >= {{ gaps_needed }}
            and cast(history_days as bigint) >= {{ history_per_lost_day }} * cast(auto_lost_days as bigint),
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
