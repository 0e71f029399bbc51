{#-
    One row a day and cell (region, value class, stage, channel). A customer stands in exactly one cell on one day, so
    cells add up to any total.

    Everything is counted as of the evening of the day, purchases of the day included: the cells of the day before
    as_of_date agree with customer_lifecycle. The value class is the one known when the day's month began: the class
    of as_of_date is decided by purchases after the day, and churn by class would then be read off its own outcome. Only
    the month of the newest evening has the class of as_of_date, so that this morning every table says the same of a
    customer.

    The base is who has ordered and is not lost. Somebody is lost on the day on which the silence reaches that node, won
    back with the first order after it, and resumes with an order while silent or dormant.

    Stocks (who is known, active, retained on a day) are not counted on a grid of customers x days. Between an order
    day x and the next one y the answers change on known days d only:
        known                                          x <= d <= y - 1
        active: an order in the horizon h up to d      x <= d <= least(x + h, y) - 1
        of these, another order in the h days after d  greatest(x, y - h) <= d <= least(x + h, y) - 1
    so each stretch is +1 on its first day and -1 on the day after its last, and a running sum over days (kpi_daily)
    gives the stock. The cost grows with purchases, not with customers x days.
-#}
{%- set horizon = var('churn_horizon_days') -%}
{%- set flows = [
    'n_buying_customers', 'n_new_customers', 'n_referred_customers', 'n_returning_customers', 'n_won_back_customers',
    'n_resumed_customers', 'n_lost_customers', 'n_orders', 'net_sales', 'n_complaints', 'n_contacts',
    'n_contacted_customers', 'n_reached_customers',
] -%}
{%- set lost_today = "case when stock = 'n_lost_customers' then change else 0 end" -%}
{%- set months = month_starts(14) -%}
{%- set stocks = ['n_customers', 'n_active_customers', 'n_retained_customers'] -%}
{#- An evening is the one before a morning on which so many open days are over; the last that is active lies two before
    the morning on which the horizon is exceeded. -#}
{%- set turns = [
    {'name': 'silent_on', 'open_day': 'cast(orders.open_day + cast(nodes.silent_days as int) as date)', 'less': 1},
    {'name': 'dormant_on', 'open_day': 'cast(orders.open_day + cast(nodes.dormant_days as int) as date)', 'less': 1},
    {'name': 'lost_on', 'open_day': 'cast(orders.open_day + cast(nodes.lost_days as int) as date)', 'less': 1},
    {'name': 'active_to_on', 'open_day': 'cast(orders.open_day + ' ~ (horizon + 1) ~ ' as date)', 'less': 2},
    {'name': 'retained_from_on', 'open_day': 'cast(orders.next_order_open_day - ' ~ (horizon - 1) ~ ' as date)', 'less': 1},
] -%}

with profiles as (

    select * from {{ ref('kpi_event_days') }}

),

class_months as (

    select
        month,
        customer_id,
        value_class
    from {{ ref('monthly_value_class') }}
    where month < cast('{{ running_month() }}' as date)

    union all

    select
        cast('{{ running_month() }}' as date) as month,
        customer_id,
        value_class
    from {{ ref('customer_value') }}

),

-- One number a customer is joined instead of a row for each month.
value_classes as (

    select
        customer_id,
        cast(sum({{ class_digit('value_class', months[0], 'month') }}) as bigint) as digits
    from class_months
    group by customer_id

),

months as (

    {{ dates_as_rows(months, 'month') }}

),

nodes as (

    select * from {{ ref('lifecycle_nodes') }}
    where cutoff_date = {{ as_of() }}

),

-- The evening before the first day shown counts as well: with it the first day knows who was a customer before.
window_start as (

    select cast(max(shown_from) - 1 as date) as first_day from profiles

),

-- Silences at which a stage may change, with any silence of each; lifecycle_stage then says which stage it is.
bands as (
    {% for band in ('silent', 'dormant', 'lost') %}
    select
        '{{ band }}' as band,
        {{ band }}_days as silence_days
    from nodes
    union all
    {%- endfor %}
    select
        'none' as band,
        0 as silence_days

),

closures as (

    {{ closures_so_far() }}

),

first_open_days as (

    {{ first_open_days() }}

),

flow_cells as (

    select
        today.day,
        today.region,
        {{ class_of_month('value_classes.digits', months[0], 'today.day') }} as value_class,
        {{ lifecycle_stage(
            'today.n_orders_so_far', dbt.datediff('today.last_order_open_day', 'today.open_evening', 'day'), 'nodes'
        ) }} as lifecycle_stage,
        coalesce(today.last_order_channel, 'unknown') as channel,
        cast(today.n_orders > 0 as int) as n_buying_customers,
        cast(today.n_orders > 0 and today.n_orders_so_far = today.n_orders as int) as n_new_customers,
        cast(
            today.n_orders > 0 and today.n_orders_so_far = today.n_orders and coalesce(today.is_referred, false) as int
        ) as n_referred_customers,
        cast(today.n_orders > 0 and today.n_orders_so_far > today.n_orders as int) as n_returning_customers,
        case
            when
                today.n_orders > 0
                and {{ dbt.datediff('today.previous_order_open_day', 'today.open_day', 'day') }} >= nodes.lost_days
                then 1
            else 0
        end as n_won_back_customers,
        case
            when
                today.n_orders > 0
                and {{ dbt.datediff('today.previous_order_open_day', 'today.open_day', 'day') }} >= nodes.silent_days
                and {{ dbt.datediff('today.previous_order_open_day', 'today.open_day', 'day') }} < nodes.lost_days
                then 1
            else 0
        end as n_resumed_customers,
        0 as n_lost_customers,
        today.n_orders,
        today.net_sales,
        today.n_complaints,
        today.n_contacts,
        cast(today.n_contacts > 0 as int) as n_contacted_customers,
        cast(today.n_contacts_arrived > 0 as int) as n_reached_customers
    from profiles as today
    cross join nodes
    left join value_classes on today.customer_id = value_classes.customer_id
    where today.is_shown

),

-- From an order to the next: the evenings on which each silence is reached, the last on which the horizon still has the
-- order, and the first whose horizon has the next one.
turns as (

    select
        orders.customer_id,
        orders.region,
        orders.n_orders_so_far,
        coalesce(orders.channel, 'unknown') as channel,
        orders.day,
        {%- for turn in turns %}
        cast({{ day_of_open_day(turn.open_day, turn.name, 'closures') }} - {{ turn.less }} as date) as {{ turn.name }},
        {%- endfor %}
        cast(coalesce(orders.next_order_on, {{ as_of() }}) - 1 as date) as last_evening
    from profiles as orders
    cross join nodes
    cross join closures
    {%- for turn in turns %}
    left join first_open_days as {{ turn.name }} on {{ turn.open_day }} = {{ turn.name }}.open_day
    {%- endfor %}
    where orders.n_orders > 0

),

stages as (

    select
        turns.customer_id,
        turns.region,
        {{ lifecycle_stage('turns.n_orders_so_far', 'bands.silence_days', 'nodes') }} as lifecycle_stage,
        turns.channel,
        greatest(
            case bands.band
                when 'silent' then turns.silent_on
                when 'dormant' then turns.dormant_on
                when 'lost' then turns.lost_on
                else turns.day
            end,
            window_start.first_day
        ) as from_day,
        least(
            case bands.band
                when 'none' then cast(turns.silent_on - 1 as date)
                when 'silent' then cast(turns.dormant_on - 1 as date)
                when 'dormant' then cast(turns.lost_on - 1 as date)
                else turns.last_evening
            end,
            turns.last_evening
        ) as to_day,
        turns.active_to_on as active_to_day,
        turns.lost_on,
        turns.retained_from_on as retained_from_day
    from turns
    cross join bands
    cross join nodes
    cross join window_start

),

-- Cutoff where months begin, because the value class may change there.
stretches as (

    select
        stages.region,
        {{ class_of_month('value_classes.digits', months[0], 'months.month') }} as value_class,
        stages.lifecycle_stage,
        stages.channel,
        greatest(stages.from_day, months.month) as from_day,
        least(stages.to_day, last_day(months.month)) as to_day,
        stages.active_to_day,
        stages.lost_on,
        stages.retained_from_day
    from stages
    inner join months
        on
            stages.from_day <= last_day(months.month)
            and stages.to_day >= months.month
    left join value_classes on stages.customer_id = value_classes.customer_id
    where stages.from_day <= stages.to_day

),

-- Both ends of a stretch for each stock, and the first day of being lost, in one pass: named three times, the stretches
-- would be kept as a whole.
stock_ends as (
    {% for stock in stocks %}
    select '{{ stock }}' as stock, 1 as change
    union all
    select '{{ stock }}' as stock, -1 as change
    union all
    {%- endfor %}
    select
        'n_lost_customers' as stock,
        1 as change

),

stock_steps as (

    select
        stretches.region,
        stretches.value_class,
        stretches.lifecycle_stage,
        stretches.channel,
        stock_ends.stock,
        stock_ends.change,
        case
            when stock_ends.stock = 'n_retained_customers'
                then greatest(stretches.from_day, stretches.retained_from_day)
            else stretches.from_day
        end as from_day,
        case
            when stock_ends.stock in ('n_customers', 'n_lost_customers') then stretches.to_day
            else least(stretches.to_day, stretches.active_to_day)
        end as to_day
    from stretches
    cross join stock_ends
    where
        case stock_ends.stock
            when 'n_retained_customers' then stretches.retained_from_day is not null
            when 'n_lost_customers' then stretches.from_day = stretches.lost_on
            else true
        end

),

stock_changes as (

    select
        region,
        value_class,
        lifecycle_stage,
        channel,
        stock,
        change,
        case when change > 0 then from_day else cast(to_day + 1 as date) end as day
    from stock_steps
    where from_day <= to_day

),

combined as (

    select
        day,
        region,
        value_class,
        lifecycle_stage,
        channel,
        {%- for flow in flows %}
        {{ flow }},
        {%- endfor %}
        {%- for stock in stocks %}
        0 as {{ stock }}_change{% if not loop.last %},{% endif %}
        {%- endfor %}
    from flow_cells

    union all

    select
        day,
        region,
        value_class,
        lifecycle_stage,
        channel,
        {%- for flow in flows %}
        {{ lost_today if flow == 'n_lost_customers' else 0 }} as {{ flow }},
        {%- endfor %}
        {%- for stock in stocks %}
        case when stock = '{{ stock }}' then change else 0 end as {{ stock }}_change{% if not loop.last %},{% endif %}
        {%- endfor %}
    from stock_changes

),

summed as (

    select
        day,
        region,
        value_class,
        lifecycle_stage,
        channel,
        {%- for flow in flows if flow != 'net_sales' %}
        cast(sum({{ flow }}) as bigint) as {{ flow }},
        {%- endfor %}
        cast(sum(net_sales) as decimal(38, 4)) as net_sales,
        {%- for stock in stocks %}
        cast(sum({{ stock }}_change) as bigint) as {{ stock }}_change{% if not loop.last %},{% endif %}
        {%- endfor %}
    from combined
    where day < {{ as_of() }}
    group by
        day,
        region,
        value_class,
        lifecycle_stage,
        channel

),

-- A stretch that only crossed into the next month ends and begins again in the same cell.
final as (

    select * from summed
    where
        {%- for flow in flows %}
        {{ flow }} <> 0 or
        {%- endfor %}
        {%- for stock in stocks %}
        {{ stock }}_change <> 0{% if not loop.last %} or{% endif %}
        {%- endfor %}

)

select * from final
