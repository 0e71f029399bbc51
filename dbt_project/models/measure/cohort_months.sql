with customer_day as (

    select * from {{ ref('customer_day') }}
    where day < {{ as_of() }}

),

first_orders as (

    select
        customer_id,
        min(day) as first_order_on,
        cast(date_trunc('month', min(day)) as date) as cohort_month
    from customer_day
    where n_orders > 0
    group by customer_id

),

data_start as (

    select cast(date_trunc('month', min(day)) as date) as first_month from customer_day

),

cohorts as (

    select
        cohort_month,
        count(*) as n_customers
    from first_orders
    group by cohort_month

),

activity as (

    select
        customer_day.customer_id,
        first_orders.cohort_month,
        cast(date_trunc('month', customer_day.day) as date) as activity_month,
        sum(customer_day.net_sales) as net_sales,
        bool_or(customer_day.n_orders > 0) as is_buyer
    from customer_day
    inner join first_orders
        on
            customer_day.customer_id = first_orders.customer_id
            and customer_day.day >= first_orders.first_order_on
    group by
        customer_day.customer_id,
        first_orders.cohort_month,
        cast(date_trunc('month', customer_day.day) as date)

),

-- Whether a customer bought in the calendar month before, not merely in their previous row.
steps as (

    select
        *,
        coalesce(
            lag(is_buyer) over by_month
            and (lag(cast(last_day(activity_month) + 1 as date)) over by_month) = activity_month,
            false
        ) as was_buyer
    from activity
    window by_month as (partition by customer_id order by activity_month asc nulls last)

),

observed as (

    select
        cohort_month,
        activity_month,
        count(*) filter (where is_buyer) as n_retained,
        count(*) filter (where is_buyer and was_buyer) as n_stayed,
        sum(net_sales) as net_sales
    from steps
    group by cohort_month, activity_month

),

first_cohort as (

    select min(cohort_month) as month from cohorts

),

-- Months since the year 0, the first of a cohort and those after it: to add months to a date is not alike everywhere.
month_numbers as (

    select
        12 * extract(year from first_cohort.month) + extract(month from first_cohort.month) - 1
        + cast(round(series.generated_number) as int) - 1 as month_number
    from ({{ dbt.generate_series(600) }}) as series
    cross join first_cohort

),

month_starts as (

    select make_date(cast(floor(month_number / 12) as int), cast(mod(month_number, 12) as int) + 1, 1) as activity_month
    from month_numbers

),

months as (

    select activity_month
    from month_starts
    where activity_month < {{ as_of() }}

),

-- Every month of every cohort, so that a month in which nobody came back is a zero and not a gap.
grid as (

    select
        cohorts.cohort_month,
        cohorts.n_customers,
        months.activity_month,
        cast({{ months_from('cohorts.cohort_month', 'months.activity_month') }} as bigint) as months_since_first,
        last_day(months.activity_month) < {{ as_of() }} as is_complete
    from cohorts
    inner join months on cohorts.cohort_month <= months.activity_month

),

counted as (

    select
        grid.*,
        coalesce(observed.n_retained, 0) as n_retained,
        coalesce(observed.n_stayed, 0) as n_stayed,
        coalesce(observed.net_sales, 0) as net_sales,
        lag(coalesce(observed.n_retained, 0)) over (
            partition by grid.cohort_month order by grid.months_since_first asc nulls last
        ) as n_at_risk
    from grid
    left join observed
        on
            grid.cohort_month = observed.cohort_month
            and grid.activity_month = observed.activity_month

),

final as (

    select
        {{ as_of() }} as as_of_date,
        counted.cohort_month,
        counted.months_since_first,
        counted.n_customers,
        cast(counted.n_retained as bigint) as n_retained,
        cast(counted.n_at_risk as bigint) as n_at_risk,
        case
            when counted.is_complete then cast(counted.n_retained as double) / nullif(counted.n_customers, 0)
        end as retained_share,
        case
            when counted.is_complete
                then cast(counted.n_at_risk - counted.n_stayed as double) / nullif(counted.n_at_risk, 0)
        end as hazard,
        cast(counted.net_sales as decimal(38, 4)) as net_sales,
        counted.is_complete,
        counted.cohort_month = data_start.first_month as is_left_censored
    from counted
    cross join data_start

)

select * from final
