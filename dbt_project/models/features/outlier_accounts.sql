{% set least_customers = 20 -%}
{% set many_customers = 2000 -%}
{% set called_test = "'its id, name or e-mail address is that of a test account'" -%}
{% set called_nobody = "'its id is that of an account for buyers whom nobody knows'" -%}
{% set window_days = var('value_window_days') -%}

-- Ids that are no customers: a house account, a walk-in, a marketplace. What they buy is real and stays. But an id that
-- is worth hundreds of customers would set every cut point and stand first on every list.

with

accounts as (

    select
        {{ current_id('said') }} as customer_id,
        max(case when said.treatment = 'include' then 1 else 0 end) as is_included,
        max(case when said.treatment = 'exclude' then 1 else 0 end) as is_excluded,
        max(case when said.treatment = 'test' then 1 else 0 end) as is_called_test,
        max(case when said.treatment = 'nobody' then 1 else 0 end) as is_called_nobody
    from {{ source('ingest', 'accounts') }} as said
    {{ joined_id_changes('said') }}
    group by {{ current_id('said') }}

),

sizes as (

    select
        customer_id,
        sum(n_orders) as n_orders,
        sum(net_sales) as net_sales
    from {{ ref('customer_day') }}
    where
        day < {{ as_of() }}
        and day >= {{ as_of() }} - {{ window_days }}
    group by customer_id

),

-- What all but one in twenty have at most. A quantile that is a value of somebody: with twenty customers the largest of
-- them does not enter it.
population as (

    select
        percentile_disc(0.95) within group (order by n_orders asc nulls last) as usual_orders,
        percentile_disc(0.95) within group (order by net_sales asc nulls last) as usual_sales,
        percentile_disc(0.99) within group (order by n_orders asc nulls last) as many_orders,
        percentile_disc(0.99) within group (order by net_sales asc nulls last) as much_sales,
        sum(n_orders) as all_orders,
        sum(greatest(net_sales, 0)) as all_sales,
        count(*) as n_customers
    from sizes
    where n_orders > 0

),

compared as (

    select
        sizes.customer_id,
        sizes.n_orders,
        sizes.net_sales,
        population.usual_orders,
        population.usual_sales,
        population.n_customers >= {{ least_customers }} as is_known_what_is_usual,
        -- A large business has no account with a hundredth of all; one in a hundred are enough to compare with.
        population.n_customers >= {{ many_customers }}
        and sizes.n_orders >= {{ var('accounts_outlier_factor') }} * population.many_orders as has_far_more_orders,
        population.n_customers >= {{ many_customers }}
        and sizes.net_sales >= {{ var('accounts_outlier_factor') }} * population.much_sales
        and population.much_sales > 0 as has_far_more_sales,
        cast(sizes.n_orders as double) / nullif(population.usual_orders, 0) as orders_ratio,
        cast(sizes.net_sales as double) / nullif(cast(population.usual_sales as double), 0) as sales_ratio,
        cast(sizes.n_orders as double) / nullif(population.all_orders, 0) as orders_share,
        cast(sizes.net_sales as double) / nullif(cast(population.all_sales as double), 0) as sales_share
    from sizes
    cross join population

),

judged as (

    select
        compared.*,
        coalesce(accounts.is_included, 0) = 1 as is_included,
        coalesce(accounts.is_excluded, 0) = 1 as is_excluded,
        coalesce(accounts.is_called_test, 0) = 1 as is_called_test,
        coalesce(accounts.is_called_nobody, 0) = 1 as is_called_nobody,
        coalesce(
            compared.is_known_what_is_usual
            and compared.orders_ratio >= {{ var('accounts_outlier_factor') }}
            and (compared.orders_share >= {{ var('accounts_outlier_min_share') }} or compared.has_far_more_orders),
            false
        ) as has_too_many_orders,
        coalesce(
            compared.is_known_what_is_usual
            and compared.sales_ratio >= {{ var('accounts_outlier_factor') }}
            and (compared.sales_share >= {{ var('accounts_outlier_min_share') }} or compared.has_far_more_sales),
            false
        ) as has_too_many_sales
    from compared
    left join accounts on compared.customer_id = accounts.customer_id

),

-- Who is no customer and bought nothing of late is none either.
named_and_silent as (

    select
        accounts.customer_id,
        accounts.is_excluded = 1 as is_excluded,
        accounts.is_called_test = 1 as is_called_test
    from accounts
    left join sizes on accounts.customer_id = sizes.customer_id
    where
        greatest(accounts.is_excluded, accounts.is_called_test, accounts.is_called_nobody) = 1
        and accounts.is_included = 0
        and sizes.customer_id is null
        and accounts.customer_id in (
            select bought.customer_id from {{ ref('customer_day') }} as bought
            where bought.day < {{ as_of() }}
        )

),

described as (

    select
        *,
        cast(cast(round(n_orders) as bigint) as string) as orders_text,
        cast(cast(round(usual_orders) as bigint) as string) as usual_orders_text,
        cast(cast(round(100 * orders_share) as bigint) as string) as orders_percent,
        cast(cast(round(net_sales) as bigint) as string) as sales_text,
        cast(cast(round(usual_sales) as bigint) as string) as usual_sales_text,
        cast(cast(round(100 * sales_share) as bigint) as string) as sales_percent
    from judged

),

final as (

    select
        {{ as_of() }} as as_of_date,
        cast(customer_id as string) as customer_id,
        cast(
            case
                when is_excluded then 'excluded by accounts of the source'
                when is_called_test then {{ called_test }}
                when is_called_nobody then {{ called_nobody }}
                when has_too_many_orders
                    then
                        orders_text || ' orders in {{ window_days }} days, ' || orders_percent
                        || ' % of all; 95 % of customers have ' || usual_orders_text || ' at most'
                else
                    'net sales of ' || sales_text || ' in {{ window_days }} days, ' || sales_percent
                    || ' % of all; 95 % of customers have ' || usual_sales_text || ' at most'
            end as string
        ) as reason
    from described
    where
        not is_included
        and (is_excluded or is_called_test or is_called_nobody or has_too_many_orders or has_too_many_sales)

    union all

    select
        {{ as_of() }} as as_of_date,
        cast(customer_id as string) as customer_id,
        cast(
            case
                when is_excluded then 'excluded by accounts of the source'
                when is_called_test then {{ called_test }}
                else {{ called_nobody }}
            end as string
        ) as reason
    from named_and_silent

)

select * from final
