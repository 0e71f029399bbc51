{%- set as_of_day = var('as_of_date') | string -%}
{%- set months = month_starts(24) -%}
{%- set recent_from = month_starts(3)[0] -%}
{%- set running = "occurred_at >= cast('" ~ months[-1] ~ "' as timestamp) and occurred_at < cast('" ~ as_of_day
    ~ "' as timestamp)" -%}

{#-
    Partial churn: what a customer bought regularly and has stopped to buy, while they still come. The clock is the
    customer's own visits (order days), so that neither silence nor closed days stop a category: bought on K + 1 of T + 1
    visits from the first to the last time, the chance of not buying it on t further visits is (T / (T + t)) ^ K, with
    exponential gaps whose rate is known from K of them. Visits count less where all customers buy less of the category
    than over the whole time (season, an article that is gone).
-#}

with

running_month as (

    {{ category_months('(' ~ staged_lines(running) ~ ')') }}

),

bought as (

    select
        customer_id,
        category,
        month,
        n_days,
        first_on,
        last_on,
        net_sales
    from {{ ref('customer_category_month') }}
    where
        month >= cast('{{ months[0] }}' as date)
        and month < cast('{{ months[-1] }}' as date)

    union all

    select
        customer_id,
        category,
        month,
        n_days,
        first_on,
        last_on,
        net_sales
    from running_month

),

habits as (

    select
        customer_id,
        category,
        sum(n_days) as n_days,
        min(first_on) as first_on,
        max(last_on) as last_on,
        sum(net_sales) as net_sales
    from bought
    group by
        customer_id,
        category
    having
        sum(n_days) >= {{ var('partial_churn_min_days') }}
        and max(last_on) >= {{ as_of() }} - {{ var('value_window_days') }}
        and sum(net_sales) > 0

),

visits as (

    select
        customer_id,
        day,
        row_number() over (partition by customer_id order by day asc nulls last) as visit,
        count(*) over (partition by customer_id) as n_visits
    from {{ ref('customer_day') }}
    where
        n_orders > 0
        and day < {{ as_of() }}
        and day >= cast('{{ months[0] }}' as date)

),

-- How often a visit of anybody has the category: lately, and over the whole time.
visits_of_all as (

    select
        cast(count(*) as double) as n_visits,
        cast(count(*) filter (where day >= cast('{{ recent_from }}' as date)) as double) as n_recent_visits
    from visits

),

categories as (

    select
        category,
        cast(sum(n_days) as double) as n_days,
        cast(
            coalesce(sum(n_days) filter (where month >= cast('{{ recent_from }}' as date)), 0) as double
        ) as n_recent_days
    from bought
    group by category

),

peers as (

    select
        categories.category,
        least(
            coalesce(
                categories.n_recent_days * visits_of_all.n_visits
                / nullif(categories.n_days * visits_of_all.n_recent_visits, 0),
                1
            ),
            1
        ) as peer_ratio
    from categories
    cross join visits_of_all

),

measured as (

    select
        habits.customer_id,
        habits.category,
        habits.n_days,
        habits.last_on,
        habits.net_sales,
        {{ dbt.datediff('habits.first_on', 'habits.last_on', 'day') }} + 1 as n_days_of_habit,
        cast(last_visits.visit - first_visits.visit as double) as n_visits_between,
        last_visits.n_visits - last_visits.visit as n_visits_since,
        peers.peer_ratio
    from habits
    inner join visits as first_visits
        on habits.customer_id = first_visits.customer_id and habits.first_on = first_visits.day
    inner join visits as last_visits
        on habits.customer_id = last_visits.customer_id and habits.last_on = last_visits.day
    inner join peers on habits.category = peers.category
    inner join {{ ref('customer_features') }} as customers on habits.customer_id = customers.customer_id
    where
        customers.outlier_account_reason is null
        -- Who refuses to be profiled is no row of a list of changed habits.
        and {{ is_profiled('customers') }}

),

judged as (

    select
        *,
        exp((n_days - 1) * ln(
            n_visits_between / nullif(n_visits_between + n_visits_since * peer_ratio, 0)
        )) as chance,
        cast(net_sales as double) * 365 / nullif(greatest(n_days_of_habit, 365), 0) as net_sales_year
    from measured
    where n_visits_between > 0

),

final as (

    select
        {{ as_of() }} as as_of_date,
        customer_id,
        cast(category as string) as category,
        cast(n_days as bigint) as n_purchase_days,
        n_visits_between / nullif(n_days - 1, 0) as usual_gap_visits,
        last_on as last_bought_on,
        cast(n_visits_since as bigint) as n_visits_since,
        peer_ratio,
        chance,
        cast({{ as_decimal('net_sales_year', 18, 2) }} as decimal(18, 2)) as net_sales_year,
        cast(row_number() over (
            partition by customer_id order by net_sales_year desc nulls last, category asc nulls last
        ) as bigint) as money_rank
    from judged
    where chance < {{ var('partial_churn_max_chance') }}

)

select * from final
