-- customer_360, customer_segments, churn_scores and retention_decisions speak of exactly the customers who were seen
-- before the as-of date; customer_segments leaves out who refuses profiling.
with

seen as (

    select
        customer_id,
        {{ is_profiled() }} as is_profiled
    from {{ ref('customer_features') }}

),

described as (

    {%- for mart in ('customer_360', 'customer_segments', 'churn_scores', 'retention_decisions') %}
    select
        '{{ mart }}' as mart,
        customer_id
    from {{ ref(mart) }}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

marts as (

    select distinct mart from described

),

expected as (

    select
        marts.mart,
        seen.customer_id
    from seen
    cross join marts
    where seen.is_profiled or marts.mart <> 'customer_segments'

)

select
    coalesce(described.mart, expected.mart) as mart,
    coalesce(described.customer_id, expected.customer_id) as customer_id
from described
full join expected
    on
        described.mart = expected.mart
        and described.customer_id = expected.customer_id
where
    described.customer_id is null
    or expected.customer_id is null
