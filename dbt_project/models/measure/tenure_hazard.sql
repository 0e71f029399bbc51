{#-
    Who leaves after how long, all customers pooled. Somebody leaves with the last order before being lost, which is only
    known lost_days later: so everybody is followed up to that many days before as_of_date, who ordered after it stayed,
    and who came after it is not in question. The survival is the estimate of Kaplan and Meier (1958) on whole months.

    The month where the hazard turns is the split into an earlier and a later hazard that differ most by Pearson's chi-square,
    over the months that are not censored; none where its maximum stays below 8.85 (Andrews 1993, 5 %, one parameter).
    Interval of a hazard: Wilson's.
-#}
{%- set z = 1.959964 -%}
{%- set days_of_month = 30.4375 -%}
{%- set least_at_risk = 30 -%}
{%- set critical_value = 8.85 -%}
{%- set open_since_lost = 'cast(closures.open_as_of - cast(lifecycle_nodes.lost_days - 1 as int) as date)' -%}

with closures as (

    {{ closures_so_far() }}

),

first_open_days as (

    {{ first_open_days() }}

),

-- The last day on which an order of somebody who is lost by now can lie: lost_days open days back (macro open_day).
nodes as (

    select
        cast({{ day_of_open_day(open_since_lost, 'first_open_days', 'closures') }} - 1 as date) as followed_to
    from {{ ref('lifecycle_nodes') }} as lifecycle_nodes
    cross join closures
    left join first_open_days on {{ open_since_lost }} = first_open_days.open_day
    where lifecycle_nodes.cutoff_date = {{ as_of() }}

),

data_start as (

    select cast(date_trunc('month', min(day)) as date) as first_month
    from {{ ref('customer_day') }}
    where day < {{ as_of() }}

),

-- Of who came in the first month of the data nobody knows since when they had been customers.
customers as (

    select
        customers.first_order_on,
        customers.last_order_on,
        nodes.followed_to,
        customers.last_order_on <= nodes.followed_to as has_left
    from {{ ref('customer_features') }} as customers
    cross join nodes
    cross join data_start
    where
        customers.outlier_account_reason is null
        and customers.first_order_on <= nodes.followed_to
        and cast(date_trunc('month', customers.first_order_on) as date) > data_start.first_month

),

spans as (

    select
        has_left,
        cast(floor(
            cast({{ dbt.datediff('first_order_on', 'least(last_order_on, followed_to)', 'day') }} as double)
            / {{ days_of_month }}
        ) as bigint) as months_to_last_order,
        cast(floor(
            cast({{ dbt.datediff('first_order_on', 'followed_to', 'day') }} as double) / {{ days_of_month }}
        ) as bigint) as months_followed
    from customers

),

by_month as (

    select
        case when has_left then months_to_last_order else months_followed end as tenure_month,
        count(*) filter (where has_left) as n_left,
        count(*) filter (where not has_left) as n_censored
    from spans
    group by case when has_left then months_to_last_order else months_followed end

),

months as (

    select cast(round(series.generated_number) as bigint) - 1 as tenure_month
    from ({{ dbt.generate_series(600) }}) as series
    where series.generated_number - 1 <= (select max(by_month.tenure_month) from by_month)

),

counted as (

    select
        months.tenure_month,
        coalesce(by_month.n_left, 0) as n_left,
        coalesce(by_month.n_censored, 0) as n_censored,
        sum(coalesce(by_month.n_left, 0) + coalesce(by_month.n_censored, 0)) over (
            order by months.tenure_month desc nulls last rows between unbounded preceding and current row
        ) as n_at_risk
    from months
    left join by_month on months.tenure_month = by_month.tenure_month

),

flagged as (

    select
        *,
        cast(n_left as double) / nullif(n_at_risk, 0) as hazard,
        n_at_risk < {{ least_at_risk }} or n_at_risk - n_left - n_censored < n_censored as is_right_censored
    from counted

),

-- One month that is censored ends what can be compared: later months rest on fewer still.
judged as (

    select
        *,
        not bool_or(is_right_censored) over (
            order by tenure_month asc nulls last rows between unbounded preceding and current row
        ) as is_judged
    from flagged

),

sums as (

    select
        *,
        sum(case when is_judged then n_left else 0 end) over before as left_before,
        sum(case when is_judged then n_at_risk else 0 end) over before as risk_before,
        sum(case when is_judged then n_left else 0 end) over () as left_all,
        sum(case when is_judged then n_at_risk else 0 end) over () as risk_all
    from judged
    window before as (order by tenure_month asc nulls last rows between unbounded preceding and 1 preceding)

),

shares as (

    select
        *,
        cast(left_before as double) / nullif(risk_before, 0) as share_before,
        cast(left_all - left_before as double) / nullif(risk_all - risk_before, 0) as share_after,
        cast(left_all as double) / nullif(risk_all, 0) as share_all
    from sums

),

splits as (

    select
        *,
        case
            when is_judged
                then
                    (share_before - share_after) * (share_before - share_after) / nullif(
                        share_all * (1 - share_all)
                        * (
                            cast(1 as double) / nullif(risk_before, 0)
                            + cast(1 as double) / nullif(risk_all - risk_before, 0)
                        ),
                        0
                    )
        end as chi_square
    from shares

),

ranked as (

    select
        *,
        row_number() over (order by chi_square desc nulls last, tenure_month asc nulls last) as place
    from splits

),

final as (

    select
        {{ as_of() }} as as_of_date,
        tenure_month,
        cast(n_at_risk as bigint) as n_at_risk,
        cast(n_left as bigint) as n_left,
        cast(n_censored as bigint) as n_censored,
        hazard,
        (
            n_left + {{ z * z / 2 }} - {{ z }} * sqrt(
                cast(n_left as double) * (n_at_risk - n_left) / nullif(n_at_risk, 0) + {{ z * z / 4 }}
            )
        ) / nullif(n_at_risk + {{ z * z }}, 0) as hazard_low,
        (
            n_left + {{ z * z / 2 }} + {{ z }} * sqrt(
                cast(n_left as double) * (n_at_risk - n_left) / nullif(n_at_risk, 0) + {{ z * z / 4 }}
            )
        ) / nullif(n_at_risk + {{ z * z }}, 0) as hazard_high,
        -- The product of what stays, month by month; nobody stays after a hazard of one.
        case
            when (max(hazard) over so_far) < 1
                then exp(cast(sum({{ as_decimal(
                    'ln(case when hazard < 1 then 1 - hazard else cast(1 as double) end)', 28, 15
                ) }}) over so_far as double))
            else 0
        end as survival,
        is_right_censored,
        coalesce(place = 1 and chi_square >= {{ critical_value }}, false) as is_turning_month,
        case
            when place = 1 and chi_square >= {{ critical_value }}
                then share_before
        end as hazard_before,
        case
            when place = 1 and chi_square >= {{ critical_value }}
                then share_after
        end as hazard_after
    from ranked
    window so_far as (order by tenure_month asc nulls last rows between unbounded preceding and current row)

)

select * from final
