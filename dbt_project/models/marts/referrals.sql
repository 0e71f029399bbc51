with referrals as (

    select * from {{ ref('stg_referrals') }}

),

customers as (

    select * from {{ ref('customer_features') }}

),

segments as (

    select * from {{ ref('customer_segments') }}

),

final as (

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        referrals.customer_id,
        referrals.referrer_customer_id,
        referrals.referred_on,
        customers.first_order_on,
        segments.lifecycle_stage,
        segments.value_class,
        {{ currency() }} as currency,
        customers.net_sales_total,
        segments.margin_window,
        referrers.customer_id is not null as is_referrer_known
    from referrals
    left join customers on referrals.customer_id = customers.customer_id
    left join segments on referrals.customer_id = segments.customer_id
    left join customers as referrers on referrals.referrer_customer_id = referrers.customer_id

)

select {{ contract_columns(doubles=['net_sales_total']) }}
from final
