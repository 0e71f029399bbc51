-- Whoever answered in a month is counted in it once.
with

counted as (

    select coalesce(sum(n_customers), 0) as n_customers
    from {{ ref('survey_months') }}

),

answered as (

    select count(*) as n_customers
    from (
        select distinct
            customer_id,
            cast(date_trunc('month', answered_on) as date) as month
        from {{ ref('stg_surveys') }}
        where
            attribute is null
            and answered_on < {{ as_of() }}
    ) as months

)

select
    counted.n_customers as n_counted,
    answered.n_customers as n_answered
from counted
cross join answered
where counted.n_customers <> answered.n_customers
