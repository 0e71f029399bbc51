{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='append_new_columns',
    pre_hook=remove_rows(
        "cutoff_date in (select cutoff_date from ({{ dates_as_rows(cutoff_dates(), 'cutoff_date') }}) as cutoffs)"
        ~ " or customer_id in (select customer_id from {{ ref('outlier_accounts') }})"
        ~ " or customer_id in (select customer_id from {{ ref('profiling_refusals') }})"
    ),
) }}

{% set horizon_days = var('churn_horizon_days') -%}
{# Windows of the value labels; assets/train/value/cutoffs.py asks for them by these names. #}
{% set windows = {
    'year': var('value_horizon_days'),
    'half_year': var('value_horizon_days') // 2,
    'quarter': var('value_horizon_days') // 4,
} -%}

-- Holds the cutoffs of var train_cutoff_dates and keeps those of earlier runs: readers name the cutoffs they want. More
-- rows than a fit may use are never made: customers are sampled before anything is computed of them.

with

requested_cutoffs as (

    {{ dates_as_rows(cutoff_dates(), 'cutoff_date') }}

),

tonight as (

    select {{ as_of() }} as as_of_date

),

open_tonight as (

    select {{ open_day('tonight.as_of_date') }} as open_day
    from tonight
    {{ joined_business_days('tonight.as_of_date') }}

),

-- A label exists only once its horizon has closed. It is counted in open days, as silence is (macro open_day).
matured_cutoffs as (

    select
        requested_cutoffs.cutoff_date,
        {{ open_day('requested_cutoffs.cutoff_date') }} as open_cutoff
    from requested_cutoffs
    {{ joined_business_days('requested_cutoffs.cutoff_date') }}
    cross join open_tonight
    where {{ open_day('requested_cutoffs.cutoff_date') }} + {{ horizon_days }} <= open_tonight.open_day

),

-- The day on which so many open days are over.
first_days as (

    select
        open_day,
        min(day) as day
    from {{ source('ingest', 'business_days') }}
    group by open_day

),

-- Who can be eligible at which cutoff, from the days before the newest cutoff only, so that the same cutoffs find the
-- same customers whenever they are built. Somebody seen after a cutoff is taken to have been active at it: a little too
-- many. Nothing is learned from who refuses profiling tonight.
spans as (

    select
        customer_id,
        min(day) as first_order_on,
        max(day) as last_order_on
    from {{ ref('customer_day') }}
    where
        n_orders > 0
        and day < (select max(matured_cutoffs.cutoff_date) from matured_cutoffs)
        and customer_id not in (select refusals.customer_id from {{ ref('profiling_refusals') }} as refusals)
    group by customer_id

),

cutoff_nodes as (

    select
        matured_cutoffs.cutoff_date,
        -- Closures may lie in between.
        nodes.lost_days
        + coalesce((select max(closed.closed_days_before) from {{ source('ingest', 'business_days') }} as closed), 0)
            as lost_days
    from matured_cutoffs
    inner join {{ ref('lifecycle_nodes') }} as nodes on matured_cutoffs.cutoff_date = nodes.cutoff_date

),

sample_size as (

    select
        -- A little less than allowed, because a hash hits a share only about.
        cast(
            floor(
                least(1000000, 970000 * cast({{ var('train_max_rows') }} as double) / nullif(count(*), 0))
            ) as bigint
        ) as buckets,
        count(*) > {{ var('train_max_rows') }} as is_sampled
    from spans
    inner join cutoff_nodes
        on
            spans.first_order_on <= cutoff_nodes.cutoff_date - {{ var('churn_min_tenure_days') }}
            and (
                {{ is_contractual() }}
                or spans.last_order_on > cutoff_nodes.cutoff_date - cast(cutoff_nodes.lost_days as int)
            )

),

sampled_customers as (

    select spans.customer_id
    from spans
    cross join sample_size
    where
        not sample_size.is_sampled
        or {{ sample_bucket('spans.customer_id') }} < sample_size.buckets

),

-- Whole histories of the sampled, once for all that follows.
sampled_days as (

    select
        days.customer_id,
        days.day,
        {{ open_day('days.day') }} as open_day,
        days.n_orders,
        days.net_sales
    from {{ ref('customer_day') }} as days
    {{ joined_business_days('days.day') }}
    where
        days.customer_id in (select sampled_customers.customer_id from sampled_customers)
        and days.day >= (select min(matured_cutoffs.cutoff_date) from matured_cutoffs)

),

features as (

    {{ customer_features_at('matured_cutoffs', among='sampled_customers') }}

),

outcomes as (

    select
        matured_cutoffs.cutoff_date,
        customer_day.customer_id,
        sum(customer_day.n_orders) as n_orders,
        sum(customer_day.net_sales) as net_sales
    from sampled_days as customer_day
    inner join matured_cutoffs
        on
            customer_day.day >= matured_cutoffs.cutoff_date
            and customer_day.open_day < matured_cutoffs.open_cutoff + {{ horizon_days }}
    group by
        matured_cutoffs.cutoff_date,
        customer_day.customer_id

),

order_days as (

    select
        customer_id,
        day,
        lag(day) over (partition by customer_id order by day asc nulls last) as previous_day
    from sampled_days
    where n_orders > 0

),

-- However long it took: of each cutoff the first order from it on, as far as anything is known.
next_orders as (

    select
        matured_cutoffs.cutoff_date,
        order_days.customer_id,
        order_days.day as next_order_on
    from order_days
    inner join matured_cutoffs
        on
            order_days.day >= matured_cutoffs.cutoff_date
            and coalesce(order_days.previous_day, cast('0001-01-01' as date)) < matured_cutoffs.cutoff_date

),

-- Who still had a contract on the last day of the horizon, renewed or never ended.
covered as (

    select distinct
        matured_cutoffs.cutoff_date,
        contracts.customer_id
    from {{ ref('stg_contracts') }} as contracts
    inner join matured_cutoffs
        on
            contracts.started_on < matured_cutoffs.cutoff_date + {{ horizon_days }}
            and coalesce(contracts.ends_on, cast('9999-12-31' as date))
            >= matured_cutoffs.cutoff_date + {{ horizon_days - 1 }}
            and coalesce(contracts.ended_on, cast('9999-12-31' as date))
            >= matured_cutoffs.cutoff_date + {{ horizon_days - 1 }}

),

-- Only for cutoffs whose shortest window has closed: the newest ones ask for nothing here.
value_outcomes as (

    select
        matured_cutoffs.cutoff_date,
        {%- for window, days in windows.items() %}
        sum(customer_day.net_sales) filter (where customer_day.day < matured_cutoffs.cutoff_date + {{ days }})
            as net_sales_{{ window }},
        sum(customer_day.n_orders) filter (where customer_day.day < matured_cutoffs.cutoff_date + {{ days }})
            as n_orders_{{ window }},
        {%- endfor %}
        customer_day.customer_id
    from sampled_days as customer_day
    inner join matured_cutoffs
        on
            customer_day.day >= matured_cutoffs.cutoff_date
            and customer_day.day < matured_cutoffs.cutoff_date + {{ windows['year'] }}
            and matured_cutoffs.cutoff_date + {{ windows['quarter'] }} <= {{ as_of() }}
    group by
        matured_cutoffs.cutoff_date,
        customer_day.customer_id

),

final as (

    select
        features.*,
        case
            when {{ is_contractual() }} then covered.customer_id is null
            else coalesce(outcomes.n_orders, 0) = 0
        end as label_is_churned,
        cast(coalesce(outcomes.net_sales, 0) as double) * cast({{ var('value_margin_share') }} as double)
            as label_margin,
        cast(coalesce(first_days.day, matured_cutoffs.open_cutoff + {{ horizon_days }}) as date) as label_available_on,
        cast({{ horizon_days }} as int) as horizon_days,
        cast(case when {{ is_contractual() }} then 'contract' else 'purchase' end as string) as label_kind,
        {%- for window, days in windows.items() %}
        case
            when features.cutoff_date + {{ days }} <= {{ as_of() }}
                then cast(coalesce(value_outcomes.n_orders_{{ window }}, 0) as double)
        end as label_n_orders_{{ window }},
        case
            when features.cutoff_date + {{ days }} <= {{ as_of() }}
                then
                    cast(coalesce(value_outcomes.net_sales_{{ window }}, 0) as double)
                    * cast({{ var('value_margin_share') }} as double)
        end as label_margin_{{ window }},
        {%- endfor %}
        cast(next_orders.next_order_on as date) as label_next_order_on
    from features
    inner join matured_cutoffs on features.cutoff_date = matured_cutoffs.cutoff_date
    left join first_days on matured_cutoffs.open_cutoff + {{ horizon_days }} = first_days.open_day
    left join outcomes
        on features.cutoff_date = outcomes.cutoff_date and features.customer_id = outcomes.customer_id
    left join next_orders
        on features.cutoff_date = next_orders.cutoff_date and features.customer_id = next_orders.customer_id
    left join covered
        on features.cutoff_date = covered.cutoff_date and features.customer_id = covered.customer_id
    left join value_outcomes
        on
            features.cutoff_date = value_outcomes.cutoff_date
            and features.customer_id = value_outcomes.customer_id
    where features.is_eligible

)

select * from final
