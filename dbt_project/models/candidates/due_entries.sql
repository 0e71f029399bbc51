with

customers as (

    select * from {{ ref('customer_state') }}

),

cells as (

    select * from {{ ref('calendar_cells') }}

),

complaints as (

    select * from {{ ref('open_complaints') }}

),

due_dates as (

    select * from {{ ref('due_dates') }}

),

movements as (

    select * from {{ source('movements', 'customer_movements') }}

),

tiers as (

    select * from {{ ref('customer_tiers') }}

),

touches as (

    select * from {{ ref('touches') }}

),

-- Triggers that count days from a date of the customer.
counts as (

    select
        customer_id,
        lifecycle_stage,
        value_class,
        'days_since_last_order' as trigger,
        {{ dbt.datediff('last_order_on', as_of(), 'day') }} as n_days
    from customers
    where last_order_on is not null

    union all

    select
        customer_id,
        lifecycle_stage,
        value_class,
        'days_since_first_order' as trigger,
        {{ dbt.datediff('customer_since', as_of(), 'day') }} as n_days
    from customers
    where customer_since is not null

    union all

    select
        customers.customer_id,
        customers.lifecycle_stage,
        customers.value_class,
        'open_complaint' as trigger,
        {{ dbt.datediff('complaints.complained_on', as_of(), 'day') }} as n_days
    from complaints
    inner join customers on complaints.customer_id = customers.customer_id

    union all

    select
        customer_id,
        lifecycle_stage,
        value_class,
        'birthday' as trigger,
        days_since_birthday as n_days
    from customers
    where days_since_birthday is not null

),

-- A window of days opens on from_day and stays open to last_day, so that a missed night is caught up. One that comes
-- back opens again every so many days.
opened as (

    select
        counts.customer_id,
        cells.calendar_id,
        cells.action_id,
        cells.trigger,
        counts.n_days,
        cells.last_day - cells.from_day as days_open,
        case
            when cells.every_days is null or cells.trigger = 'birthday' then counts.n_days - cells.from_day
            else mod(counts.n_days - cells.from_day, nullif(cells.every_days, 0))
        end as days_since_opened
    from counts
    inner join cells
        on
            counts.trigger = cells.trigger
            and counts.lifecycle_stage = cells.lifecycle_stage
            and counts.value_class = cells.value_class
            and counts.n_days >= cells.from_day

),

-- The top share of scored customers by value at risk, all who tie with the last of them included.
ranked as (

    select
        customer_id,
        value_at_risk,
        rank() over (order by value_at_risk desc nulls last) as place,
        count(*) over () as n_scored
    from customers
    where value_at_risk is not null

),

-- Triggers that a state of the customer sets off.
states as (

    select
        customer_id,
        'value_at_risk' as trigger,
        cast(null as date) as on_date,
        place,
        n_scored,
        cast(null as string) as fallen_metrics,
        cast(null as double) as money_moved
    from ranked
    where
        value_at_risk > 0
        -- Less a hair, because 0.07 x 100 is a little more than 7 in binary.
        and place <= ceil(
            cast({{ var('actions_value_at_risk_top_share') }} as double) * n_scored - cast(1e-9 as double)
        )

    union all

    select
        customer_id,
        'movement_alert' as trigger,
        cast(null as date) as on_date,
        cast(null as bigint) as place,
        cast(null as bigint) as n_scored,
        concat_ws(
            ' and ',
            max(case when metric = 'orders' then 'orders' end),
            max(case when metric = 'order_value' then 'order value' end),
            max(case when metric = 'balance' then 'balance' end)
        ) as fallen_metrics,
        coalesce(max(abs(money_moved)), 0) as money_moved
    from movements
    where
        direction = 'down'
        and status in ('new', 'open', 'worsened')
    group by customer_id

    union all

    -- Bounds that are quantiles move with the night and are no programme of the business.
    select
        customer_id,
        'tier_at_risk' as trigger,
        tier_lost_on as on_date,
        cast(null as bigint) as place,
        cast(null as bigint) as n_scored,
        cast(null as string) as fallen_metrics,
        cast(null as double) as money_moved
    from tiers
    where
        is_tier_at_risk
        and tier_basis = 'declared'

),

due as (

    select
        customer_id,
        calendar_id,
        action_id,
        trigger,
        {{ as_of() }} - cast(days_since_opened as int) as window_from,
        n_days,
        cast(null as date) as on_date,
        cast(null as bigint) as place,
        cast(null as bigint) as n_scored,
        cast(null as string) as fallen_metrics,
        cast(null as double) as money_moved
    from opened
    where days_since_opened <= days_open

    union all

    select
        customers.customer_id,
        cells.calendar_id,
        cells.action_id,
        cells.trigger,
        due_dates.window_from,
        cast(null as bigint) as n_days,
        due_dates.on_date,
        cast(null as bigint) as place,
        cast(null as bigint) as n_scored,
        cast(null as string) as fallen_metrics,
        cast(null as double) as money_moved
    from due_dates
    inner join cells on due_dates.calendar_id = cells.calendar_id
    inner join customers
        on cells.lifecycle_stage = customers.lifecycle_stage and cells.value_class = customers.value_class

    union all

    -- A state has no first day: what was done within the pause counts as done; without a pause, ever.
    select
        customers.customer_id,
        cells.calendar_id,
        cells.action_id,
        cells.trigger,
        case
            when cells.every_days is null then cast('1900-01-01' as date) else {{ as_of() }} - cells.every_days + 1
        end as window_from,
        cast(null as bigint) as n_days,
        states.on_date,
        states.place,
        states.n_scored,
        states.fallen_metrics,
        states.money_moved
    from states
    inner join customers on states.customer_id = customers.customer_id
    inner join cells
        on
            states.trigger = cells.trigger
            and customers.lifecycle_stage = cells.lifecycle_stage
            and customers.value_class = cells.value_class

),

-- The touch of another night in the same window closes it for the customer. The business's own contacts know the
-- action, not our calendar.
final as (

    select
        due.customer_id,
        due.calendar_id,
        due.action_id,
        due.trigger,
        due.window_from,
        due.n_days,
        due.on_date,
        due.place,
        due.n_scored,
        due.fallen_metrics,
        due.money_moved
    from due
    where
        not exists (
            select 1 from touches
            where
                touches.customer_id = due.customer_id
                and touches.calendar_id = due.calendar_id
                and touches.touched_on >= due.window_from
        )
        and not exists (
            select 1 from touches
            where
                touches.customer_id = due.customer_id
                and touches.action_id = due.action_id
                and touches.calendar_id is null
                and touches.touched_on >= due.window_from
        )

)

select {{ contract_columns() }}
from final
