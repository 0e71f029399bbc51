-- A first order this soon after the first day of data says when the data begins, not when the customer came.
{% set start_of_data_days = 60 -%}

with

-- Nobody contacts an id that is no customer.
customers as (

    select * from {{ ref('customer_features') }}
    where outlier_account_reason is null

),

lifecycle as (

    select * from {{ ref('customer_lifecycle') }}

),

value_classes as (

    select * from {{ ref('customer_value') }}

),

promotion as (

    select * from {{ ref('promotion_dependence') }}

),

scores as (

    select * from {{ source('score', 'churn_scores') }}

),

expected_values as (

    select * from {{ source('score', 'expected_value') }}

),

refusals as (

    select * from {{ ref('profiling_refusals') }}

),

attributes as (

    select * from {{ ref('stg_customers') }}

),

data_start as (

    select min(day) as first_day
    from {{ ref('customer_day') }}
    where day < {{ as_of() }}

),

final as (

    select
        customers.customer_id,
        case
            when refusals.customer_id is null
                then coalesce(
                    customers.joined_on,
                    case
                        when customers.first_order_on >= data_start.first_day + {{ start_of_data_days }}
                            then customers.first_order_on
                    end
                )
        end as customer_since,
        case when refusals.customer_id is null then customers.last_order_on end as last_order_on,
        -- Birthdays are personal data, and no stage reads those.
        cast(null as int) as days_since_birthday,
        -- Entries for any stage and any class alone are for who refuses profiling (calendar_cells).
        case
            when refusals.customer_id is not null then 'not_profiled'
            else coalesce(lifecycle.lifecycle_stage, 'never_purchased')
        end as lifecycle_stage,
        case
            when refusals.customer_id is not null then 'not_profiled' else coalesce(value_classes.value_class, 'C')
        end as value_class,
        coalesce(promotion.is_promotion_dependent, false) as is_promotion_dependent,
        refusals.customer_id is not null as is_profiling_refused,
        attributes.owner,
        scores.churn_probability,
        scores.churn_band,
        scores.value_at_risk,
        -- Without a score one average order stands in, which is on the low side.
        case
            when refusals.customer_id is null
                then coalesce(
                    scores.margin_if_retained,
                    customers.average_order_value * cast({{ var('value_margin_share') }} as double)
                )
        end as margin_horizon,
        -- P x margin and (1 - P) x margin of the same window: together the margin of the year if the customer buys.
        expected_values.expected_margin_year + expected_values.value_at_risk_year as margin_year,
        coalesce(
            expected_values.expected_margin_year
            * cast({{ var('measure_outcome_window_days') / var('value_horizon_days') }} as double),
            (1 - scores.churn_probability) * scores.margin_if_retained
            * cast({{ var('measure_outcome_window_days') / var('churn_horizon_days') }} as double)
        ) as margin_expected,
        greatest(scores.value_at_risk, expected_values.value_at_risk_year) as margin_leaving
    from customers
    cross join data_start
    left join lifecycle on customers.customer_id = lifecycle.customer_id
    left join value_classes on customers.customer_id = value_classes.customer_id
    left join promotion on customers.customer_id = promotion.customer_id
    left join scores on customers.customer_id = scores.customer_id
    left join attributes on customers.customer_id = attributes.customer_id
    left join refusals on customers.customer_id = refusals.customer_id
    left join expected_values on customers.customer_id = expected_values.customer_id

)

select {{ contract_columns() }}
from final
