with outcomes as (

    select * from {{ ref('contact_outcomes') }}

),

final as (

    select
        cast(as_of_date as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(action_id as string) as action_id,
        cast(campaign_id as string) as campaign_id,
        cast(arm as string) as arm,
        cast(period_start as date) as period_start,
        cast(period_end as date) as period_end,
        cast(n_flagged as bigint) as n_flagged,
        cast(n_reachable as bigint) as n_reachable,
        cast(n_planned as bigint) as n_planned,
        cast(n_contacts as bigint) as n_contacts,
        cast(n_sent as bigint) as n_sent,
        cast(n_delivered as bigint) as n_delivered,
        cast(n_opened as bigint) as n_opened,
        cast(n_responded as bigint) as n_responded,
        cast(n_redeemed as bigint) as n_redeemed,
        cast(n_opted_out as bigint) as n_opted_out,
        cast(n_purchased as bigint) as n_purchased,
        cast(purchase_share as double) as purchase_share,
        cast(net_sales as decimal(38, 4)) as net_sales,
        cast(contact_cost as decimal(38, 4)) as contact_cost,
        cast(offer_cost as decimal(38, 4)) as offer_cost,
        cast(effect as double) as effect,
        cast(effect_low as double) as effect_low,
        cast(effect_high as double) as effect_high,
        cast(incremental_profit as double) as incremental_profit,
        cast(minimum_detectable_effect as double) as minimum_detectable_effect,
        cast(verdict as string) as verdict,
        cast(is_complete as boolean) as is_complete,
        cast(effect_basis as string) as effect_basis
    from outcomes

)

select * from final
