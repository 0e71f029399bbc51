-- Whom the known referrers brought is in the rows of these referrers, with the margin, to the cent.
with

brought as (

    select
        count(*) as n_referred,
        coalesce(sum(margin_window), 0) as margin
    from {{ ref('referrals') }}
    where is_referrer_known

),

shown as (

    select
        sum(n_referred) as n_referred,
        coalesce(sum(referred_margin_window), 0) as margin
    from {{ ref('customer_360') }}

)

select
    brought.n_referred,
    shown.n_referred as n_shown
from brought
cross join shown
where
    brought.n_referred <> shown.n_referred
    or brought.margin <> shown.margin
