{#-
    Unit of count: a customer within (action, campaign, month of contact). A customer contacted twice in a month counts
    once, at the furthest step reached, and their purchases once over the joined window.
    Arm by assignment, not by what happened (intention to treat): who was held out once stays in the holdout.

    Sources of the statistics: Wilson's interval for a share and Newcombe's hybrid interval for the difference of two
    independent shares (R. G. Newcombe, Statistics in Medicine 17, 1998, method 10); minimum detectable effect of a
    two-sided 5 % test with 80 % power, on the pooled share with two successes and two failures added.
-#}
{%- set z = 1.959964 -%}
{%- set z_power = 0.841621 -%}
{%- set margin_share = var('value_margin_share') -%}

with contacts as (

    select * from {{ ref('stg_contacts') }}
    where sent_on < {{ as_of() }}

),

customer_day as (

    select * from {{ ref('customer_day') }}
    where day < {{ as_of() }}

),

first_day as (

    select min(day) as first_day from customer_day

),

windows as (

    select
        source,
        coalesce(action_id, 'unknown') as action_id,
        coalesce(campaign_id, 'none') as campaign_id,
        customer_id,
        cast(date_trunc('month', sent_on) as date) as period_start,
        sent_on,
        coalesce(
            cast(window_ends_on + 1 as date), cast(sent_on + {{ var('measure_outcome_window_days') }} as date)
        ) as window_end,
        cost,
        offer_cost,
        outcome,
        outcome_at
    from contacts

),

-- The outcome as it was known on the morning of as_of_date. One without a time is taken for known when the window is
-- closed; a bounce comes at once.
known as (

    select
        source,
        action_id,
        campaign_id,
        customer_id,
        period_start,
        sent_on,
        window_end,
        cost,
        offer_cost,
        case
            when outcome in ('held_out', 'bounced') then outcome
            when coalesce(outcome_at < {{ as_of() }}, window_end <= {{ as_of() }}) then coalesce(outcome, 'sent')
            else 'sent'
        end as outcome
    from windows

),

-- A later step implies the earlier ones.
steps as (

    select
        *,
        case outcome
            when 'held_out' then 0
            when 'sent' then 1
            when 'bounced' then 1
            when 'delivered' then 2
            when 'opted_out' then 2
            when 'complaint' then 2
            when 'opened' then 3
            when 'responded' then 4
            when 'redeemed' then 5
            else 1
        end as step,
        -- A step that a source never reports is not known; it is not a zero.
        bool_or(outcome in ('delivered', 'bounced')) over (partition by source) as reports_delivery,
        bool_or(outcome = 'opened') over (partition by source) as reports_opening,
        bool_or(outcome = 'responded') over (partition by source) as reports_response,
        bool_or(outcome = 'redeemed') over (partition by source) as reports_redemption,
        bool_or(outcome in ('opted_out', 'complaint')) over (partition by source) as reports_opting_out
    from known

),

treated as (

    select
        action_id,
        campaign_id,
        period_start,
        customer_id,
        case when bool_or(outcome = 'held_out') then 'holdout' else 'contacted' end as arm,
        max(step) as step,
        bool_or(outcome in ('opted_out', 'complaint')) as has_opted_out,
        count(*) filter (where outcome <> 'held_out') as n_contacts,
        sum(cost) as contact_cost,
        sum(offer_cost) as offer_cost,
        min(sent_on) as window_start,
        max(window_end) as window_end,
        bool_or(reports_delivery) as reports_delivery,
        bool_or(reports_opening) as reports_opening,
        bool_or(reports_response) as reports_response,
        bool_or(reports_redemption) as reports_redemption,
        bool_or(reports_opting_out) as reports_opting_out
    from steps
    group by action_id, campaign_id, period_start, customer_id

),

purchases as (

    select
        treated.action_id,
        treated.campaign_id,
        treated.period_start,
        treated.customer_id,
        bool_or(customer_day.n_orders > 0) as has_purchased,
        sum(customer_day.net_sales) as net_sales
    from treated
    inner join customer_day
        on
            treated.customer_id = customer_day.customer_id
            and treated.window_start <= customer_day.day
            and treated.window_end > customer_day.day
    group by treated.action_id, treated.campaign_id, treated.period_start, treated.customer_id

),

arms as (

    select
        treated.action_id,
        treated.campaign_id,
        treated.period_start,
        treated.arm,
        last_day(treated.period_start) as period_end,
        count(*) as n_planned,
        sum(treated.n_contacts) as n_contacts,
        count(*) filter (where treated.step >= 1) as n_sent,
        case when bool_or(treated.reports_delivery) then count(*) filter (where treated.step >= 2) end as n_delivered,
        case when bool_or(treated.reports_opening) then count(*) filter (where treated.step >= 3) end as n_opened,
        case when bool_or(treated.reports_response) then count(*) filter (where treated.step >= 4) end as n_responded,
        case when bool_or(treated.reports_redemption) then count(*) filter (where treated.step >= 5) end as n_redeemed,
        case when bool_or(treated.reports_opting_out) then count(*) filter (where treated.has_opted_out) end
            as n_opted_out,
        count(*) filter (where purchases.has_purchased) as n_purchased,
        coalesce(sum(purchases.net_sales), 0) as net_sales,
        sum(treated.contact_cost) as contact_cost,
        sum(treated.offer_cost) as offer_cost,
        -- A window that began before the first purchase on record is open at its other end.
        last_day(treated.period_start) < {{ as_of() }}
        and max(treated.window_end) <= {{ as_of() }}
        and min(treated.window_start) >= min(first_day.first_day) as is_complete
    from treated
    left join purchases
        on
            treated.action_id = purchases.action_id
            and treated.campaign_id = purchases.campaign_id
            and treated.period_start = purchases.period_start
            and treated.customer_id = purchases.customer_id
    cross join first_day
    group by treated.action_id, treated.campaign_id, treated.period_start, treated.arm

),

shares as (

    select
        *,
        cast(n_purchased as double) / nullif(n_planned, 0) as share,
        cast(net_sales as double) / nullif(n_planned, 0) as mean_sales,
        -- Wilson's bounds of the share
        (
            n_purchased + {{ z * z / 2 }} - {{ z }} * sqrt(
                cast(n_purchased as double) * (n_planned - n_purchased) / nullif(n_planned, 0) + {{ z * z / 4 }}
            )
        ) / nullif(n_planned + {{ z * z }}, 0) as share_low,
        (
            n_purchased + {{ z * z / 2 }} + {{ z }} * sqrt(
                cast(n_purchased as double) * (n_planned - n_purchased) / nullif(n_planned, 0) + {{ z * z / 4 }}
            )
        ) / nullif(n_planned + {{ z * z }}, 0) as share_high
    from arms

),

compared as (

    select
        contacted.action_id,
        contacted.campaign_id,
        contacted.period_start,
        contacted.is_complete and holdout.is_complete as is_complete,
        contacted.share - holdout.share as effect,
        contacted.share - holdout.share - sqrt(
            (contacted.share - contacted.share_low) * (contacted.share - contacted.share_low)
            + (holdout.share_high - holdout.share) * (holdout.share_high - holdout.share)
        ) as effect_low,
        contacted.share - holdout.share + sqrt(
            (contacted.share_high - contacted.share) * (contacted.share_high - contacted.share)
            + (holdout.share - holdout.share_low) * (holdout.share - holdout.share_low)
        ) as effect_high,
        {{ z + z_power }} * sqrt(
            cast(contacted.n_purchased + holdout.n_purchased + 2 as double)
            / nullif(contacted.n_planned + holdout.n_planned + 4, 0)
            * (
                1 - cast(contacted.n_purchased + holdout.n_purchased + 2 as double)
                / nullif(contacted.n_planned + holdout.n_planned + 4, 0)
            )
            * (
                cast(1 as double) / nullif(contacted.n_planned, 0) + cast(1 as double) / nullif(holdout.n_planned, 0)
            )
        ) as minimum_detectable_effect,
        -- Costs that nobody reported are unknown and not zero: without any there is no profit to report.
        case
            when contacted.contact_cost is not null or contacted.offer_cost is not null
                then
                    contacted.n_planned * (contacted.mean_sales - holdout.mean_sales) * {{ margin_share }}
                    - cast(coalesce(contacted.contact_cost, 0) + coalesce(contacted.offer_cost, 0) as double)
        end as incremental_profit
    from shares as contacted
    inner join shares as holdout
        on
            contacted.action_id = holdout.action_id
            and contacted.campaign_id = holdout.campaign_id
            and contacted.period_start = holdout.period_start
    where
        contacted.arm = 'contacted'
        and holdout.arm = 'holdout'

),

-- Shares, effects and verdicts wait until the windows of both arms are closed; counts and sums are 'so far'.
final as (

    select
        {{ as_of() }} as as_of_date,
        shares.action_id,
        shares.campaign_id,
        shares.arm,
        shares.period_start,
        shares.period_end,
        shares.n_planned,
        cast(shares.n_contacts as bigint) as n_contacts,
        shares.n_sent,
        shares.n_delivered,
        shares.n_opened,
        shares.n_responded,
        shares.n_redeemed,
        shares.n_opted_out,
        shares.n_purchased,
        case when shares.is_complete then shares.share end as purchase_share,
        cast(shares.net_sales as decimal(38, 4)) as net_sales,
        cast(shares.contact_cost as decimal(38, 4)) as contact_cost,
        cast(shares.offer_cost as decimal(38, 4)) as offer_cost,
        case when compared.is_complete and shares.arm = 'contacted' then compared.effect end as effect,
        case when compared.is_complete and shares.arm = 'contacted' then compared.effect_low end as effect_low,
        case when compared.is_complete and shares.arm = 'contacted' then compared.effect_high end as effect_high,
        case when compared.is_complete and shares.arm = 'contacted' then compared.incremental_profit end
            as incremental_profit,
        case when compared.is_complete and shares.arm = 'contacted' then compared.minimum_detectable_effect end
            as minimum_detectable_effect,
        case
            when shares.arm = 'holdout' then null
            when not coalesce(compared.is_complete, shares.is_complete) then null
            when compared.action_id is null then 'no holdout'
            when compared.effect_low > 0 then 'works'
            when compared.effect_high < 0 then 'harms'
            -- An experiment that could not have seen an effect worth having shows nothing by seeing none.
            when compared.minimum_detectable_effect > {{ var('measure_relevant_effect') }} then 'too small to tell'
            else 'no effect shown'
        end as verdict,
        case when compared.action_id is null then 'none' else 'randomised_holdout' end as effect_basis,
        shares.is_complete
    from shares
    left join compared
        on
            shares.action_id = compared.action_id
            and shares.campaign_id = compared.campaign_id
            and shares.period_start = compared.period_start

)

select * from final
