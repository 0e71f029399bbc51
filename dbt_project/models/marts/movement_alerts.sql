with alerts as (

    select * from {{ ref('customer_movements') }}

),

final as (

    select
        cast(as_of_date as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(customer_id as string) as customer_id,
        cast(metric as string) as metric,
        cast(direction as string) as direction,
        cast(recent_value as double) as recent_value,
        cast(usual_value as double) as usual_value,
        cast(expected_value as double) as expected_value,
        cast(n_baseline_windows as int) as n_baseline_windows,
        cast(robust_z as double) as robust_z,
        cast(change_ratio as double) as change_ratio,
        cast(peer_change_ratio as double) as peer_change_ratio,
        cast(money_moved as double) as money_moved,
        cast(severity as string) as severity,
        cast(severity_rank as bigint) as severity_rank
    from alerts

)

select * from final
