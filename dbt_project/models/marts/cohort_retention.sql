with cohort_months as (

    select * from {{ ref('cohort_months') }}

),

final as (

    select
        cast(as_of_date as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(cohort_month as date) as cohort_month,
        cast(months_since_first as bigint) as months_since_first,
        cast(n_customers as bigint) as n_customers,
        cast(n_retained as bigint) as n_retained,
        cast(n_at_risk as bigint) as n_at_risk,
        cast(retained_share as double) as retained_share,
        cast(hazard as double) as hazard,
        cast(net_sales as decimal(38, 4)) as net_sales,
        cast(is_complete as boolean) as is_complete,
        cast(is_left_censored as boolean) as is_left_censored
    from cohort_months

)

select * from final
