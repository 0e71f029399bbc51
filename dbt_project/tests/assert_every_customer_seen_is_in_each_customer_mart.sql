-- customer_360, customer_segments and churn_scores speak of exactly the customers seen before the as-of date.
with

seen as (

    select customer_id from {{ ref('customer_features') }}

),

told as (

    select 'customer_360' as mart, customer_id from {{ ref('customer_360') }}
    union all
    select 'customer_segments' as mart, customer_id from {{ ref('customer_segments') }}
    union all
    select 'churn_scores' as mart, customer_id from {{ ref('churn_scores') }}

),

expected as (

    select
        marts.mart,
        seen.customer_id
    from seen
    cross join (select distinct mart from told) as marts

)

select
    coalesce(told.mart, expected.mart) as mart,
    coalesce(told.customer_id, expected.customer_id) as customer_id
from told
full join expected
    on
        told.mart = expected.mart
        and told.customer_id = expected.customer_id
where
    told.customer_id is null
    or expected.customer_id is null
