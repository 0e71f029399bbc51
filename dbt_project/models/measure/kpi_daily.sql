{#- Cells of a day added up to totals, single dimensions and pairs; stocks from their changes; then the rates. -#}
{%- set horizon = var('churn_horizon_days') -%}
{%- set dimensions = ['region', 'value_class', 'lifecycle_stage', 'channel'] -%}
{%- set flows = [
    'n_buying_customers', 'n_new_customers', 'n_returning_customers', 'n_orders', 'net_sales', 'n_complaints',
    'n_contacts',
] -%}
{%- set stocks = ['n_customers', 'n_active_customers', 'n_retained_customers'] -%}
{%- set changes = ['n_customers_change', 'n_active_customers_change', 'n_retained_customers_change'] -%}

with cells as (

    select * from {{ ref('kpi_cells') }}

),

-- The active of an evening bought in the horizon that ends with it: of days closer to the first day of the data only
-- a part of that horizon is on record.
data_start as (

    select min(day) as first_day from {{ ref('customer_day') }}

),

-- A dimension that no source delivers would only repeat the total under the name 'unknown'.
known_dimensions as (

    select
        coalesce(bool_or(region <> 'unknown'), false) as has_region,
        coalesce(bool_or(channel <> 'unknown'), false) as has_channel
    from cells

),

-- Before the first complaint or contact on record their number is unknown, not zero. Asked of the rows before
-- as_of_date and not of what sources bring today, so that a rebuilt date gives the same rows.
first_seen as (

    select
        (select min(occurred_on) from {{ ref('stg_interactions') }}) as first_interaction_on,
        (select min(sent_on) from {{ ref('stg_contacts') }}) as first_contact_on

),

days as (

    select numbers.kpi_date
    from (
        select cast({{ as_of() }} - cast(round(generated_number) as int) as date) as kpi_date
        from ({{ dbt.generate_series(400) }}) as series
    ) as numbers
    where numbers.kpi_date >= (select min(cells.day) from cells)

),

grouped as (

    select
        day,
        {%- for dimension in dimensions %}
        coalesce({{ dimension }}, 'all') as {{ dimension }},
        {%- endfor %}
        {%- for measure in flows + changes %}
        sum({{ measure }}) as {{ measure }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from cells
    group by grouping sets (
        (day),
        {%- for dimension in dimensions %}
        (day, {{ dimension }}),
        {%- endfor %}
        {%- for first in dimensions %}
        {%- set others = dimensions[loop.index:] %}
        {%- set is_last_first = loop.index == (dimensions | length) - 1 %}
        {%- for second in others %}
        (day, {{ first }}, {{ second }}){{ ',' if not (is_last_first and loop.last) }}
        {%- endfor %}
        {%- endfor %}
    )

),

members as (

    select distinct {{ dimensions | join(', ') }}
    from grouped

),

-- A group that exists at all is shown on every day, so that a day without a purchase is a zero and not a gap.
grid as (

    select
        days.kpi_date,
        {%- for dimension in dimensions %}
        members.{{ dimension }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from days
    cross join members
    cross join known_dimensions
    where
        (members.region = 'all' or known_dimensions.has_region)
        and (members.channel = 'all' or known_dimensions.has_channel)

),

counted as (

    select
        grid.*,
        {%- for flow in flows %}
        coalesce(grouped.{{ flow }}, 0) as {{ flow }},
        {%- endfor %}
        {%- for stock in stocks %}
        sum(coalesce(grouped.{{ stock }}_change, 0)) over (
            partition by grid.{{ dimensions | join(', grid.') }}
            order by grid.kpi_date asc nulls last rows between unbounded preceding and current row
        ) as {{ stock }},
        {%- endfor %}
        grid.kpi_date + {{ horizon }} < {{ as_of() }} as is_complete,
        grid.kpi_date < data_start.first_day + {{ horizon - 1 }} as is_left_censored
    from grid
    cross join data_start
    left join grouped
        on
            grid.kpi_date = grouped.day
            {%- for dimension in dimensions %}
            and grid.{{ dimension }} = grouped.{{ dimension }}
            {%- endfor %}

),

final as (

    select
        {{ as_of() }} as as_of_date,
        counted.kpi_date,
        coalesce(nullif(concat_ws(
            '_x_',
            {%- for dimension in dimensions %}
            case when counted.{{ dimension }} <> 'all' then '{{ dimension }}' end{% if not loop.last %},{% endif %}
            {%- endfor %}
        ), ''), 'total') as dimension,
        {%- for dimension in dimensions %}
        counted.{{ dimension }},
        {%- endfor %}
        cast(counted.n_customers as bigint) as n_customers,
        cast(counted.n_active_customers as bigint) as n_active_customers,
        case when counted.is_complete then cast(counted.n_retained_customers as bigint) end as n_retained_customers,
        cast(counted.n_buying_customers as bigint) as n_buying_customers,
        cast(counted.n_new_customers as bigint) as n_new_customers,
        cast(counted.n_returning_customers as bigint) as n_returning_customers,
        cast(counted.n_orders as bigint) as n_orders,
        cast(counted.net_sales as decimal(38, 4)) as net_sales,
        cast(counted.net_sales as double) * {{ var('value_margin_share') }} as margin,
        cast(counted.net_sales as double) / nullif(counted.n_orders, 0) as average_order_value,
        cast(counted.n_returning_customers as double) / nullif(counted.n_buying_customers, 0) as repeat_rate,
        case
            when counted.is_complete and not counted.is_left_censored
                then cast(counted.n_retained_customers as double) / nullif(counted.n_active_customers, 0)
        end as retention_rate,
        case
            when counted.is_complete and not counted.is_left_censored
                then
                    cast(counted.n_active_customers - counted.n_retained_customers as double)
                    / nullif(counted.n_active_customers, 0)
        end as churn_rate,
        case
            when counted.kpi_date >= first_seen.first_interaction_on then cast(counted.n_complaints as bigint)
        end as n_complaints,
        case
            when counted.kpi_date >= first_seen.first_contact_on then cast(counted.n_contacts as bigint)
        end as n_contacts,
        counted.is_complete,
        counted.is_left_censored
    from counted
    cross join first_seen
    -- Who never purchased is in no stock: their rows exist only for a day's contacts, complaints or returns.
    where
        counted.lifecycle_stage <> 'never_purchased'
        {%- for flow in flows %}
        or counted.{{ flow }} <> 0
        {%- endfor %}

)

select * from final
