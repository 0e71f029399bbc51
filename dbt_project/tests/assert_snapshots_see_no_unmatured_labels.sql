-- The cutoffs of this run are in training_snapshots only with labels that are known by the as-of date, and their labels
-- say what customer_day, or the contracts, say of the horizon.

with

cutoffs as (

    {{ dates_as_rows(cutoff_dates(), 'cutoff_date') }}

),

snapshots as (

    select * from {{ ref('training_snapshots') }}
    where cutoff_date in (select cutoffs.cutoff_date from cutoffs)

),

stayed as (

    select distinct
        snapshots.cutoff_date,
        snapshots.customer_id
    from snapshots
    inner join {{ ref('customer_day') }} as customer_day
        on
            snapshots.customer_id = customer_day.customer_id
            and snapshots.cutoff_date <= customer_day.day
            and snapshots.label_available_on > customer_day.day
            and customer_day.n_orders > 0
    where snapshots.label_kind = 'purchase'

    union distinct

    select distinct
        snapshots.cutoff_date,
        snapshots.customer_id
    from snapshots
    inner join {{ ref('stg_contracts') }} as contracts
        on
            snapshots.customer_id = contracts.customer_id
            and snapshots.label_available_on > contracts.started_on
            and least(
                coalesce(contracts.ends_on, cast('9999-12-31' as date)),
                coalesce(contracts.ended_on, cast('9999-12-31' as date))
            ) >= snapshots.label_available_on - 1
    where snapshots.label_kind = 'contract'

)

select
    snapshots.cutoff_date,
    snapshots.customer_id,
    snapshots.label_available_on,
    snapshots.label_is_churned
from snapshots
left join stayed
    on snapshots.cutoff_date = stayed.cutoff_date and snapshots.customer_id = stayed.customer_id
where
    snapshots.label_available_on > {{ as_of() }}
    or snapshots.label_is_churned = (stayed.customer_id is not null)
