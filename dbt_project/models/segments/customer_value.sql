with

customers as (

    select
        as_of_date,
        customer_id,
        cast(margin_365d as decimal(28, 4)) as margin_window
    from {{ ref('customer_features') }}

),

final as (

    {{ value_classes('customers') }}

)

select * from final
