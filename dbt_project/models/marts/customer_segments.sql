with customers as (

    select * from {{ ref('customer_features') }}
    where {{ is_profiled() }}

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

names as (

    select * from {{ ref('playbook_segment_names') }}

),

final as (

    select
        customers.as_of_date,
        {{ run_id() }} as run_id,
        {{ currency() }} as currency,
        customers.customer_id,
        lifecycle.lifecycle_stage,
        lifecycle.is_reactivated,
        lifecycle.stage_since_on,
        rfm.r_score,
        rfm.f_score,
        rfm.m_score,
        rfm.rfm_segment,
        stage_names.name_en as lifecycle_name,
        stage_names.name_zh as lifecycle_name_zh,
        rfm_names.name_en as rfm_name,
        rfm_names.name_zh as rfm_name_zh,
        customer_value.margin_window,
        customer_value.value_class,
        customer_value.cumulative_margin_share,
        promotion.is_promotion_dependent,
        promotion.discount_order_share,
        customers.outlier_account_reason is not null as is_outlier_account,
        customers.outlier_account_reason
    from customers
    left join lifecycle on customers.customer_id = lifecycle.customer_id
    left join rfm on customers.customer_id = rfm.customer_id
    left join customer_value on customers.customer_id = customer_value.customer_id
    left join promotion on customers.customer_id = promotion.customer_id
    left join names as stage_names
        on stage_names.segmentation = 'lifecycle' and lifecycle.lifecycle_stage = stage_names.segment
    left join names as rfm_names
        on rfm_names.segmentation = 'rfm' and rfm.rfm_segment = rfm_names.segment

)

select {{ contract_columns(doubles=['margin_window']) }}
from final
