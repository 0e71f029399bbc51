-- Contacts before the as-of date, those held out apart, are each counted once.
with

counted as (

    select coalesce(sum(n_contacts), 0) as n_contacts
    from {{ ref('contact_outcomes') }}

),

sent as (

    select count(*) as n_contacts
    from {{ ref('stg_contacts') }}
    where
        sent_on < {{ as_of() }}
        and coalesce(outcome, 'sent') <> 'held_out'

)

select
    counted.n_contacts as n_counted,
    sent.n_contacts as n_sent
from counted
cross join sent
where counted.n_contacts <> sent.n_contacts
