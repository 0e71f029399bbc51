{% set gaps_needed = 100 -%}
{% set quantiles = {
    'silent': var('lifecycle_auto_silent_quantile'),
    'dormant': var('lifecycle_auto_dormant_quantile'),
    'lost': var('lifecycle_auto_lost_quantile'),
} -%}

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
        customer_id,
        day,
        lag(day) over (partition by customer_id order by day asc nulls last) as previous_day
    from {{ ref('customer_day') }}
    where n_orders > 0

),

gaps as (

    select
        day,
        {{ dbt.datediff('previous_day', 'day', 'day') }} as gap_days
    from order_days
    where previous_day is not null

),

-- Quantiles of few gaps would be accidents: below {{ gaps_needed }} the fixed nodes stand in.
cutoff_gaps as (

    select
        cutoffs.cutoff_date,
        {%- if var('lifecycle_mode') == 'auto' %}
        {%- for stage, quantile in quantiles.items() %}
        percentile_cont({{ quantile }}) within group (order by gaps.gap_days asc nulls last) as {{ stage }}_gap,
        {%- endfor %}
        {%- endif %}
        count(gaps.gap_days) as n_gaps
    from cutoffs
    left join gaps on cutoffs.cutoff_date > gaps.day
    group by cutoffs.cutoff_date

),

nodes as (

    select
        cutoff_date,
        n_gaps,
        {%- if var('lifecycle_mode') == 'auto' %}
        n_gaps >= {{ gaps_needed }} as is_auto,
        cast(ceil(silent_gap) as bigint) as auto_silent_days,
        cast(ceil(dormant_gap) as bigint) as auto_dormant_days,
        cast(ceil(lost_gap) as bigint) as auto_lost_days
        {%- else %}
        false as is_auto,
        cast(null as bigint) as auto_silent_days,
        cast(null as bigint) as auto_dormant_days,
        cast(null as bigint) as auto_lost_days
        {%- endif %}
    from cutoff_gaps

),

-- Quantiles may fall together where customers are very regular; the nodes must rise all the same. Whoever bought within
-- the churn horizon is active, so nobody is lost before it is over.
final as (

    select
        cutoff_date,
        cast(case when is_auto then 'auto' else 'fixed' end as string) as mode,
        cast(
            case when is_auto then auto_silent_days else {{ var('lifecycle_silent_days') }} end as bigint
        ) as silent_days,
        cast(
            case
                when is_auto then greatest(auto_dormant_days, auto_silent_days + 1)
                else {{ var('lifecycle_dormant_days') }}
            end as bigint
        ) as dormant_days,
        cast(
            greatest(
                case
                    when is_auto then greatest(auto_lost_days, auto_dormant_days + 1, auto_silent_days + 2)
                    else {{ var('lifecycle_lost_days') }}
                end,
                {{ var('churn_horizon_days') }} + 1
            ) as bigint
        ) as lost_days,
        cast(n_gaps as bigint) as n_gaps
    from nodes

)

select * from final
