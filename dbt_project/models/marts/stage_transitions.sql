with transitions as (

    select * from {{ ref('lifecycle_transitions') }}

),

final as (

    select
        cast(as_of_date as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(from_month as date) as from_month,
        cast(to_month as date) as to_month,
        cast(from_stage as string) as from_stage,
        cast(to_stage as string) as to_stage,
        cast(n_customers as bigint) as n_customers,
        cast(net_sales_before as double) as net_sales_before,
        cast(net_sales_after as double) as net_sales_after,
        cast(net_sales_moved as double) as net_sales_moved,
        cast(usual_monthly_net_sales as double) as usual_monthly_net_sales,
        cast(is_complete as boolean) as is_complete
    from transitions

)

select * from final
