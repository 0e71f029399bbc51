with

customers as (

    select
        as_of_date,
        customer_id,
        n_orders > 0 as has_purchased,
        days_since_last_order,
        n_orders_365d,
        net_sales_365d
    from {{ ref('customer_features') }}
    where {{ is_profiled() }}

),

-- The published thresholds are the ones that score: one row of bounds for all customers.
bounds as (

    select
        {%- for measure, column in (
            ('recency', 'days_since_last_order'), ('frequency', 'n_orders_365d'), ('monetary', 'net_sales_365d')
        ) %}
        {%- for percent in (20, 40, 60, 80) %}
        max(threshold) filter (where measure = '{{ column }}' and boundary = 'p{{ percent }}')
            as {{ measure }}_{{ percent }},
        {%- endfor %}
        {%- endfor %}
        count(*) as n_bounds
    from {{ ref('thresholds') }}
    where segmentation = 'rfm'

),

-- A score is decided by the value alone, so equal values get equal scores whatever the order of rows.
scored as (

    select
        customers.as_of_date,
        customers.customer_id,
        customers.has_purchased,
        case
            when customers.has_purchased
                then
                    5
                    {%- for percent in (20, 40, 60, 80) %}
                    - case when customers.days_since_last_order > bounds.recency_{{ percent }} then 1 else 0 end
                    {%- endfor %}
        end as r_score,
        case
            when customers.has_purchased
                then
                    1
                    {%- for percent in (20, 40, 60, 80) %}
                    + case when customers.n_orders_365d > bounds.frequency_{{ percent }} then 1 else 0 end
                    {%- endfor %}
        end as f_score,
        case
            when customers.has_purchased
                then
                    1
                    {%- for percent in (20, 40, 60, 80) %}
                    + case when customers.net_sales_365d > bounds.monetary_{{ percent }} then 1 else 0 end
                    {%- endfor %}
        end as m_score
    from customers
    cross join bounds

),

-- Read from the top: the first rule that fits names the segment, and the last fits everybody. The names say what the
-- scores say and no more: who is leaving is said by the lifecycle stage and by the churn score, from days and not from
-- ranks, and a fifth of all customers is always the least recent one.
final as (

    select
        as_of_date,
        customer_id,
        cast(r_score as int) as r_score,
        cast(f_score as int) as f_score,
        cast(m_score as int) as m_score,
        cast(
            case
                when not has_purchased then 'no purchase'
                when r_score >= 4 and f_score >= 4 and m_score >= 4 then 'high on all'
                when r_score <= 2 and f_score >= 4 and m_score >= 4 then 'less recent, frequent, big'
                when r_score >= 3 and f_score >= 4 then 'recent, frequent'
                when r_score <= 2 and f_score >= 3 then 'less recent, frequent'
                when r_score >= 3 and m_score = 5 then 'recent, big spend'
                when r_score >= 4 and f_score >= 2 then 'recent, occasional'
                when r_score >= 4 then 'recent, rare'
                when r_score = 3 then 'middling, occasional'
                else 'less recent, rare'
            end as string
        ) as rfm_segment
    from scored

)

select * from final
