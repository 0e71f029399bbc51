with

customers as (

    select
        as_of_date,
        customer_id,
        {{ as_decimal('margin_365d', 28, 4) }} as margin_window,
        outlier_account_reason is null as is_customer
    from {{ ref('customer_features') }}
    where {{ is_profiled() }}

),

final as (

    {{ value_classes('customers') }}

)

select * from final
