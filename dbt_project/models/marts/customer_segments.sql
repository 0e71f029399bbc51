with customers as (

    select * from {{ ref('customer_features') }}

),

lifecycle as (

    select * from {{ ref('customer_lifecycle') }}

),

rfm as (

    select * from {{ ref('customer_rfm') }}

),

customer_value as (

    select * from {{ ref('customer_value') }}

),

promotion as (

    select * from {{ ref('promotion_dependence') }}

),

final as (

    select
        cast(customers.as_of_date as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(customers.customer_id as string) as customer_id,
        cast(lifecycle.lifecycle_stage as string) as lifecycle_stage,
        cast(lifecycle.is_reactivated as boolean) as is_reactivated,
        cast(lifecycle.stage_since_on as date) as stage_since_on,
        cast(rfm.r_score as int) as r_score,
        cast(rfm.f_score as int) as f_score,
        cast(rfm.m_score as int) as m_score,
        cast(rfm.rfm_segment as string) as rfm_segment,
        cast(customer_value.margin_window as double) as margin_window,
        cast(customer_value.value_class as string) as value_class,
        cast(customer_value.cumulative_margin_share as double) as cumulative_margin_share,
        cast(promotion.is_promotion_dependent as boolean) as is_promotion_dependent,
        cast(promotion.discount_order_share as double) as discount_order_share
    from customers
    left join lifecycle on customers.customer_id = lifecycle.customer_id
    left join rfm on customers.customer_id = rfm.customer_id
    left join customer_value on customers.customer_id = customer_value.customer_id
    left join promotion on customers.customer_id = promotion.customer_id

)

select * from final
