-- The cuts of this run are in training_snapshots only with labels that are known by the as-of date, and their labels
-- say what customer_day says of the horizon.

with

snapshots as (

    select * from {{ ref('training_snapshots') }}
    where cut_date in (select cut_date from ({{ dates_as_rows(cut_dates(), 'cut_date') }}) as cuts)

),

buyers as (

    select distinct
        snapshots.cut_date,
        snapshots.customer_id
    from snapshots
    inner join {{ ref('customer_day') }} as customer_day
        on
            snapshots.customer_id = customer_day.customer_id
            and customer_day.day >= snapshots.cut_date
            and customer_day.day < snapshots.label_available_on
            and customer_day.n_orders > 0

)

select
    snapshots.cut_date,
    snapshots.customer_id,
    snapshots.label_available_on,
    snapshots.label_is_churned
from snapshots
left join buyers
    on snapshots.cut_date = buyers.cut_date and snapshots.customer_id = buyers.customer_id
where
    snapshots.label_available_on > {{ as_of() }}
    or snapshots.label_is_churned = (buyers.customer_id is not null)
