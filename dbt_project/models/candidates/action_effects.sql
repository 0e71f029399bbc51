{#-
    A normal hierarchy in closed form. The effect of an action is normal around the playbook's prior; that of a stage is
    normal around the action's with variance tau2, which is DerSimonian and Laird's moment estimate over all actions
    (Controlled Clinical Trials 7, 1986) and not below a floor. Experiments of a cell are pooled with the weights of
    Mantel and Haenszel, so that campaigns with other holdout shares do not mix.
-#}
{%- set relevant = var('measure_relevant_effect') -%}
{#- What the playbook's number may be off by: its own size, and not less than half the smallest effect worth having. -#}
{%- set least_prior_sd = relevant / 2 -%}
{%- set least_stage_sd = relevant / 4 -%}
{#- The playbook's share of redeemed offers counts as so many customers, its cost of an offer as so many offers. -#}
{%- set prior_customers = 50 -%}
{%- set prior_offers = 10 -%}
with

actions as (

    select * from {{ ref('playbook_actions') }}

),

differences as (

    select * from {{ ref('experiment_differences') }}

),

customer_day as (

    select * from {{ ref('customer_day') }}
    where n_orders > 0

),

contacts as (

    select
        action_id,
        customer_id,
        coalesce(exists (
            select 1 from customer_day
            where
                customer_day.customer_id = contact.customer_id
                and customer_day.day >= contact.sent_on
                and customer_day.day < coalesce(
                    cast(contact.window_ends_on + 1 as date),
                    cast(contact.sent_on + {{ var('measure_outcome_window_days') }} as date)
                )
        ), false) as has_purchased,
        outcome = 'redeemed' as is_redeemed,
        cast(offer_cost as double) as offer_cost,
        bool_or(outcome = 'redeemed') over (partition by source) as reports_redemption
    from {{ ref('stg_contacts') }} as contact
    where
        coalesce(outcome, 'sent') not in ('held_out', 'bounced')
        and coalesce(outcome_at < {{ as_of() }}, true)
        and coalesce(
            cast(window_ends_on + 1 as date), cast(sent_on + {{ var('measure_outcome_window_days') }} as date)
        ) <= {{ as_of() }}

),

stages as (

    {{ values_as_rows(lifecycle_stages(), 'lifecycle_stage') }}

),

-- Of all customers, the share who buy within the horizon anyway.
buyers as (

    select
        coalesce(
            {{ ratio(exact_sum('1 - churn_probability'), 'count(churn_probability)') }}, 1
        ) as buying_share
    from {{ ref('customer_state') }}

),

offers as (

    select
        action_id,
        count(*) as n_contacts,
        count(*) filter (where has_purchased or is_redeemed) as n_buyers,
        count(*) filter (where is_redeemed) as n_redeemed,
        count(*) filter (where is_redeemed and offer_cost is not null) as n_costs,
        {{ exact_sum('case when is_redeemed then offer_cost end') }} as offer_cost
    from contacts
    where reports_redemption
    group by action_id

),

cells as (

    select
        action_id,
        lifecycle_stage,
        cast(sum(n_treated) as bigint) as n_treated,
        cast(sum(n_held_out) as bigint) as n_held_out,
        {{ ratio(exact_sum('weight * difference'), exact_sum('weight')) }} as difference,
        {{ ratio(
            exact_sum('weight * weight * variance'), '(' ~ exact_sum('weight') ~ ' * ' ~ exact_sum('weight') ~ ')'
        ) }} as variance
    from differences
    group by
        action_id,
        lifecycle_stage

),

precisions as (

    select
        *,
        {{ ratio('cast(1 as double)', 'variance') }} as cell_precision
    from cells

),

spreads as (

    select
        action_id,
        count(*) as n_cells,
        {{ exact_sum('cell_precision') }} as precision_sum,
        {{ ratio(exact_sum('cell_precision * cell_precision'), exact_sum('cell_precision')) }} as precision_mean,
        {{ exact_sum('difference * difference * cell_precision') }}
        - {{ ratio(
            exact_sum('difference * cell_precision') ~ ' * ' ~ exact_sum('difference * cell_precision'), exact_sum('cell_precision')
        ) }} as q
    from precisions
    group by action_id

),

between_stages as (

    select
        greatest(
            coalesce(
                {{ ratio(
                    '(' ~ exact_sum('q') ~ ' - cast(sum(n_cells - 1) as double))',
                    exact_sum('case when n_cells > 1 then precision_sum - precision_mean end'),
                ) }}, 0
            ), cast({{ least_stage_sd * least_stage_sd }} as double)
        ) as tau2
    from spreads

),

-- What the measured actions say of the size of all the playbook's numbers.
scales as (

    select coalesce(max(playbook_scale), 1) as playbook_scale
    from {{ ref('purchase_lifts') }}

),

priors as (

    select
        actions.action_id,
        scales.playbook_scale * actions.uplift_prior as uplift_prior,
        greatest(
            abs(scales.playbook_scale * actions.uplift_prior), cast({{ least_prior_sd }} as double)
        ) as prior_sd
    from actions
    cross join scales

),

prior_precisions as (

    select
        action_id,
        coalesce(uplift_prior, 0) as uplift_prior,
        case
            when uplift_prior is null then cast(0 as double)
            else {{ ratio('cast(1 as double)', '(prior_sd * prior_sd)') }}
        end as prior_precision
    from priors

),

measured as (

    select
        precisions.action_id,
        {{ exact_sum(
            ratio('cast(1 as double)', '(precisions.variance + between_stages.tau2)')
        ) }} as measured_precision,
        {{ exact_sum(ratio('precisions.difference', '(precisions.variance + between_stages.tau2)')) }} as measured_sum
    from precisions
    cross join between_stages
    group by precisions.action_id

),

weighed as (

    select
        prior_precisions.action_id,
        prior_precisions.uplift_prior * prior_precisions.prior_precision as prior_sum,
        coalesce(measured.measured_sum, 0) as measured_sum,
        coalesce(measured.measured_precision, 0) as measured_precision,
        prior_precisions.prior_precision + coalesce(measured.measured_precision, 0) as precision_sum
    from prior_precisions
    left join measured on prior_precisions.action_id = measured.action_id

),

means as (

    select
        action_id,
        {{ ratio('measured_precision', 'precision_sum') }} as measured_weight,
        {{ ratio('(prior_sum + measured_sum)', 'precision_sum') }} as effect,
        {{ ratio('cast(1 as double)', 'precision_sum') }} as variance
    from weighed

),

posteriors as (

    select
        means.action_id,
        stages.lifecycle_stage,
        coalesce(cells.n_treated, 0) as n_treated,
        coalesce(cells.n_held_out, 0) as n_held_out,
        coalesce({{ ratio('between_stages.tau2', '(between_stages.tau2 + cells.variance)') }}, 0) as own_share,
        cells.difference,
        cells.variance as cell_variance,
        between_stages.tau2,
        means.effect as action_effect,
        means.variance as action_variance,
        means.measured_weight as action_weight
    from means
    cross join stages
    cross join between_stages
    left join cells on means.action_id = cells.action_id and stages.lifecycle_stage = cells.lifecycle_stage

),

shrunk as (

    select
        *,
        own_share * coalesce(difference, 0) + (1 - own_share) * action_effect as effect,
        sqrt(
            case when cell_variance is null then tau2 else own_share * cell_variance end
            + (1 - own_share) * (1 - own_share) * action_variance
        ) as effect_sd,
        own_share + (1 - own_share) * action_weight as measured_weight
    from posteriors

),

final as (

    select
        shrunk.action_id,
        shrunk.lifecycle_stage,
        shrunk.n_treated,
        shrunk.n_held_out,
        round(shrunk.difference, 9) as measured_effect,
        round(sqrt(shrunk.cell_variance), 9) as measured_sd,
        round(shrunk.effect, 9) as effect,
        round(shrunk.effect_sd, 9) as effect_sd,
        {{ interval_columns(
            'effect', 'shrunk.effect', 'shrunk.effect_sd', 'shrunk.action_id, shrunk.lifecycle_stage'
        ) }},
        round(coalesce(shrunk.measured_weight, 0), 9) as measured_weight,
        case
            when shrunk.effect is null then 'risk_only'
            when coalesce(shrunk.measured_weight, 0) = 0 then actions.uplift_basis
            when shrunk.measured_weight < 0.5 then 'prior_and_measured'
            else 'measured'
        end as basis,
        {{ ratio(
            '(coalesce(offers.n_redeemed, 0) + ' ~ prior_customers ~ ' * actions.redeem_probability)',
            '(coalesce(offers.n_contacts, 0) + ' ~ prior_customers ~ ')',
        ) }} as redeem_probability,
        round({{ ratio(
            '(coalesce(offers.n_redeemed, 0) + ' ~ prior_customers ~ ' * actions.redeem_probability)',
            '(coalesce(offers.n_buyers, 0) + ' ~ prior_customers ~ ' * buyers.buying_share)',
        ) }}, 9) as redeem_if_buys,
        {{ ratio(
            '(coalesce(offers.offer_cost, 0) + ' ~ prior_offers ~ ' * cast(actions.offer_cost as double))',
            '(coalesce(offers.n_costs, 0) + ' ~ prior_offers ~ ')',
        ) }} as offer_cost
    from shrunk
    inner join actions on shrunk.action_id = actions.action_id
    cross join buyers
    left join offers on shrunk.action_id = offers.action_id

)

select {{ contract_columns() }}
from final
