{% set counted = 'days.' ~ var('loyalty_basis') -%}
{% set pace_days = 90 -%}

-- What counts towards a tier: the sum of the window that ends with the as-of date, and what the last {{ pace_days }}
-- open days (macro open_day) brought a day.

with

customers as (

    select
        customer_id,
        outlier_account_reason
    from {{ ref('customer_features') }}
    where {{ is_profiled() }}

),

tonight as (

    select {{ as_of() }} as as_of_date

),

open_tonight as (

    select {{ open_day('tonight.as_of_date') }} as open_as_of
    from tonight
    {{ joined_business_days('tonight.as_of_date') }}

),

earned as (

    select
        days.customer_id,
        sum({{ counted }}) filter (where days.day >= {{ as_of() }} - {{ var('loyalty_window_days') }}) as tier_earned,
        sum({{ counted }}) filter (
            where {{ open_day('days.day') }} >= open_tonight.open_as_of - {{ pace_days }}
        ) as earned_lately
    from {{ ref('customer_day') }} as days
    {{ joined_business_days('days.day') }}
    cross join open_tonight
    where days.day < {{ as_of() }}
    group by days.customer_id

),

final as (

    select
        {{ as_of() }} as as_of_date,
        customers.customer_id,
        customers.outlier_account_reason is null as is_customer,
        cast(coalesce(earned.tier_earned, 0) as decimal(28, 4)) as tier_earned,
        -- What came back lately is no pace at which more will come back.
        greatest(cast(coalesce(earned.earned_lately, 0) as double), cast(0 as double)) / {{ pace_days }} as pace_a_day
    from customers
    left join earned on customers.customer_id = earned.customer_id

)

select * from final
