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

-- Customers who come into sight only later add departures from never_purchased, and nothing else may differ.
broken_chain as (

    select
        'departures differ from arrivals' as broken,
        arrivals.month,
        arrivals.stage
    from arrivals
    left join departures on arrivals.month = departures.month and arrivals.stage = departures.stage
    where
        arrivals.month < (select max(transitions.to_month) from transitions)
        and arrivals.stage <> 'never_purchased'
        and arrivals.n_customers <> coalesce(departures.n_customers, 0)

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
