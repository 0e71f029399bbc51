with kpi_daily as (

    select * from {{ ref('kpi_daily') }}

),

final as (

    select
        cast(as_of_date as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(kpi_date as date) as kpi_date,
        cast(dimension as string) as dimension,
        cast(region as string) as region,
        cast(value_class as string) as value_class,
        cast(lifecycle_stage as string) as lifecycle_stage,
        cast(channel as string) as channel,
        cast(n_customers as bigint) as n_customers,
        cast(n_active_customers as bigint) as n_active_customers,
        cast(n_retained_customers as bigint) as n_retained_customers,
        cast(n_buying_customers as bigint) as n_buying_customers,
        cast(n_new_customers as bigint) as n_new_customers,
        cast(n_returning_customers as bigint) as n_returning_customers,
        cast(n_orders as bigint) as n_orders,
        cast(net_sales as decimal(38, 4)) as net_sales,
        cast(margin as double) as margin,
        cast(average_order_value as double) as average_order_value,
        cast(repeat_rate as double) as repeat_rate,
        cast(retention_rate as double) as retention_rate,
        cast(churn_rate as double) as churn_rate,
        cast(n_complaints as bigint) as n_complaints,
        cast(n_contacts as bigint) as n_contacts,
        cast(is_complete as boolean) as is_complete,
        cast(is_left_censored as boolean) as is_left_censored
    from kpi_daily

)

select * from final
