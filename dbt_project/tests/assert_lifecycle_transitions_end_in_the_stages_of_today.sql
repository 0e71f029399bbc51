-- Moves end where the next begin, and the newest month end that is the as-of date itself shows the same stages as
-- customer_lifecycle: one rule of stages, two readers.

with

transitions as (

    select * from {{ ref('lifecycle_transitions') }}

),

arrivals as (

    select
        to_month as month,
        to_stage as stage,
        sum(n_customers) as n_customers
    from transitions
    group by
        to_month,
        to_stage

),

departures as (

    select
        from_month as month,
        from_stage as stage,
        sum(n_customers) as n_customers
    from transitions
    group by
        from_month,
        from_stage

),

today as (

    select
        lifecycle_stage as stage,
        count(*) as n_customers
    from {{ ref('customer_lifecycle') }}
    group by lifecycle_stage

),

-- Who comes into sight only later departs from not_yet_customer, where nobody arrives: no stage may differ.
broken_chain as (

    select
        'departures differ from arrivals' as broken,
        coalesce(arrivals.month, departures.month) as month,
        coalesce(arrivals.stage, departures.stage) as stage
    from arrivals
    full outer join departures on arrivals.month = departures.month and arrivals.stage = departures.stage
    where
        coalesce(arrivals.month, departures.month) < (select max(transitions.to_month) from transitions)
        and coalesce(departures.month, arrivals.month) > (select min(transitions.from_month) from transitions)
        and coalesce(departures.stage, arrivals.stage) <> 'not_yet_customer'
        and coalesce(arrivals.n_customers, 0) <> coalesce(departures.n_customers, 0)

),

broken_end as (

    select
        'the newest stages differ from customer_lifecycle' as broken,
        arrivals.month,
        coalesce(arrivals.stage, today.stage) as stage
    from (
        select * from arrivals
        where month = (select max(transitions.to_month) from transitions)
    ) as arrivals
    full outer join today on arrivals.stage = today.stage
    where
        coalesce(arrivals.n_customers, 0) <> coalesce(today.n_customers, 0)
        and exists (select 1 from transitions)

)

select * from broken_chain
union all
select * from broken_end
