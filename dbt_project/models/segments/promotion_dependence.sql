with

final as (

    select
        as_of_date,
        customer_id,
        -- Whose discounts nobody knows is neither dependent nor independent.
        case
            when discount_order_share is not null
                then coalesce(
                    n_orders >= {{ var('promotion_dependent_min_orders') }}
                    and discount_order_share >= {{ var('promotion_dependent_min_share') }}
                    and discount_share >= {{ var('promotion_dependent_min_discount_share') }},
                    false
                )
        end as is_promotion_dependent,
        discount_order_share,
        discount_share,
        cast(round(n_orders) as bigint) as n_orders
    from {{ ref('customer_features') }}
    where {{ is_profiled() }}

)

select * from final
