{#-
    Every cell on every day on which it holds anybody or anything happened: stocks from their changes, flows of the day.
    All measures are counts and sums, so adding rows of one day up gives any total. Money is rounded to the cent here,
    once, and every level is a sum of these rows.
-#}
{%- set horizon = var('churn_horizon_days') -%}
{%- set dimensions = ['region', 'value_class', 'lifecycle_stage', 'channel'] -%}
{%- set flows = [
    'n_buying_customers', 'n_new_customers', 'n_referred_customers', 'n_returning_customers', 'n_won_back_customers',
    'n_resumed_customers', 'n_lost_customers', 'n_orders', 'net_sales', 'n_complaints', 'n_contacts',
    'n_contacted_customers', 'n_reached_customers',
] -%}
{%- set stocks = ['n_customers', 'n_active_customers', 'n_retained_customers'] -%}

with cells as (

    select * from {{ ref('kpi_cells') }}

),

-- The active of an evening bought in the horizon that ends with it: of days closer to the first day of the data only
-- a part of that horizon is on record.
data_start as (

    select min(day) as first_day from {{ ref('customer_day') }}

),

-- Before the first complaint, contact or referred customer on record their number is unknown, not zero. Asked of rows
-- before as_of_date and not of what sources bring today, so that a rebuilt date gives the same rows.
first_seen as (

    select
        (select min(occurred_on) from {{ ref('stg_interactions') }}) as first_interaction_on,
        (select min(sent_on) from {{ ref('stg_contacts') }}) as first_contact_on,
        (
            select min(day) from {{ ref('kpi_event_days') }}
            where is_referred
        ) as first_referred_on

),

days as (

    select cast({{ as_of() }} - cast(round(generated_number) as int) as date) as kpi_date
    from ({{ dbt.generate_series(400) }}) as series

),

closures as (

    {{ closures_so_far() }}

),

-- The horizon counts open days (macro open_day), as labels do: it ends once so many are over after the evening.
horizons as (

    select
        days.kpi_date,
        cast(coalesce(evening.open_day, days.kpi_date + 1) as date) as open_evening
    from days
    left join {{ source('ingest', 'business_days') }} as evening on cast(days.kpi_date + 1 as date) = evening.day

),

completeness as (

    select
        horizons.kpi_date,
        horizons.open_evening + {{ horizon }} <= closures.open_as_of as is_complete,
        horizons.open_evening - {{ horizon }} < data_start.first_day as is_left_censored
    from horizons
    cross join closures
    cross join data_start

),

running as (

    select
        *,
        {%- for stock in stocks %}
        sum({{ stock }}_change) over by_day as {{ stock }},
        {%- endfor %}
        -- Who joined the cell's customers that evening, came they from another cell or not.
        case when lifecycle_stage <> 'lost' then n_customers_change else 0 end as base_change,
        coalesce(
            cast((
                min(day) over (
                    partition by {{ dimensions | join(', ') }}
                    order by day asc nulls last rows between 1 following and 1 following
                )
            ) - 1 as date),
            cast({{ as_of() }} - 1 as date)
        ) as to_day
    from cells
    window by_day as (partition by {{ dimensions | join(', ') }} order by day asc nulls last)

),

expanded as (

    select
        completeness.kpi_date,
        completeness.is_complete,
        completeness.is_left_censored,
        {%- for dimension in dimensions %}
        running.{{ dimension }},
        {%- endfor %}
        {%- for stock in stocks %}
        running.{{ stock }},
        {%- endfor %}
        {%- for flow in flows %}
        case when completeness.kpi_date = running.day then running.{{ flow }} else 0 end as {{ flow }},
        {%- endfor %}
        case when completeness.kpi_date = running.day then running.base_change else 0 end as base_change,
        case when running.lifecycle_stage <> 'lost' then running.n_customers else 0 end as n_closing_customers
    from running
    inner join completeness
        on
            running.day <= completeness.kpi_date
            and running.to_day >= completeness.kpi_date

),

-- Tonight's customers with what they are expected to bring: known on the newest evening alone.
last_rows as (

    select
        customer_id,
        max(region) as region,
        max_by(coalesce(last_order_channel, 'unknown'), day) as channel
    from {{ ref('kpi_event_days') }}
    where last_order_on is not null
    group by customer_id

),

expected as (

    select
        last_rows.region,
        customer_value.value_class,
        customer_lifecycle.lifecycle_stage,
        last_rows.channel,
        count(*) as n_scored_customers,
        sum({{ as_decimal('scores.expected_margin_year', 28, 4) }}) as expected_margin_year
    from {{ source('score', 'expected_value') }} as scores
    inner join last_rows on scores.customer_id = last_rows.customer_id
    inner join {{ ref('customer_value') }} as customer_value on scores.customer_id = customer_value.customer_id
    inner join {{ ref('customer_lifecycle') }} as customer_lifecycle
        on scores.customer_id = customer_lifecycle.customer_id
    where scores.expected_margin_year is not null
    group by
        last_rows.region,
        customer_value.value_class,
        customer_lifecycle.lifecycle_stage,
        last_rows.channel

),

final as (

    select
        {{ as_of() }} as as_of_date,
        expanded.kpi_date,
        {%- for dimension in dimensions %}
        expanded.{{ dimension }},
        {%- endfor %}
        {{ currency() }} as currency,
        cast(
            expanded.n_closing_customers + expanded.n_lost_customers - expanded.n_new_customers
            - expanded.n_won_back_customers as bigint
        ) as n_opening_customers,
        cast(expanded.n_new_customers as bigint) as n_new_customers,
        case
            when expanded.kpi_date >= first_seen.first_referred_on then cast(expanded.n_referred_customers as bigint)
        end as n_referred_customers,
        cast(expanded.n_won_back_customers as bigint) as n_won_back_customers,
        cast(expanded.n_lost_customers as bigint) as n_lost_customers,
        cast(expanded.n_closing_customers as bigint) as n_closing_customers,
        cast(
            expanded.base_change + expanded.n_lost_customers - expanded.n_new_customers
            - expanded.n_won_back_customers as bigint
        ) as n_moved_customers,
        cast(expanded.n_customers as bigint) as n_customers,
        cast(expanded.n_active_customers as bigint) as n_active_customers,
        case
            when expanded.is_complete then cast(expanded.n_retained_customers as bigint)
        end as n_retained_customers,
        cast(expanded.n_buying_customers as bigint) as n_buying_customers,
        cast(expanded.n_returning_customers as bigint) as n_returning_customers,
        cast(expanded.n_resumed_customers as bigint) as n_resumed_customers,
        cast(expanded.n_orders as bigint) as n_orders,
        cast(expanded.net_sales as decimal(18, 2)) as net_sales,
        cast({{ as_decimal(
            'cast(expanded.net_sales as double) * cast(' ~ var('value_margin_share') ~ ' as double)', 18, 2
        ) }} as decimal(18, 2)) as margin,
        case
            when expanded.kpi_date >= first_seen.first_interaction_on then cast(expanded.n_complaints as bigint)
        end as n_complaints,
        case
            when expanded.kpi_date >= first_seen.first_contact_on then cast(expanded.n_contacts as bigint)
        end as n_contacts,
        case
            when expanded.kpi_date >= first_seen.first_contact_on then cast(expanded.n_contacted_customers as bigint)
        end as n_contacted_customers,
        case
            when expanded.kpi_date >= first_seen.first_contact_on then cast(expanded.n_reached_customers as bigint)
        end as n_reached_customers,
        case
            when expanded.kpi_date = {{ as_of() }} - 1 then cast(coalesce(expected.n_scored_customers, 0) as bigint)
        end as n_scored_customers,
        case
            when expanded.kpi_date = {{ as_of() }} - 1
                then cast(coalesce(expected.expected_margin_year, 0) as decimal(18, 2))
        end as expected_margin_year,
        expanded.is_complete,
        expanded.is_left_censored
    from expanded
    cross join first_seen
    left join expected
        on
            {%- for dimension in dimensions %}
            expanded.{{ dimension }} = expected.{{ dimension }}
            and
            {%- endfor %}
            expanded.kpi_date = {{ as_of() }} - 1
    where
        {%- for stock in stocks %}
        expanded.{{ stock }} <> 0 or
        {%- endfor %}
        {%- for flow in flows %}
        expanded.{{ flow }} <> 0 or
        {%- endfor %}
        expanded.base_change <> 0

)

select * from final
