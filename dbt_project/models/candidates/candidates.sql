with

due_actions as (

    select * from {{ ref('due_actions') }}

),

options as (

    select * from {{ ref('contact_options') }}

),

permitted as (

    select
        candidate_id,
        bool_or(is_consented) as has_consent,
        bool_or(consent_basis = 'recorded') as is_consent_recorded,
        bool_or(is_consented and is_reachable) as is_open,
        bool_or(is_consented and is_reachable and not is_channel_capped) as is_within_limit,
        bool_or(is_consented and is_reachable and not is_channel_capped and profit > 0) as is_profitable,
        bool_or(is_consented and is_reachable and not is_channel_capped and is_worth_it) as is_worth_it
    from options
    group by candidate_id

),

judged as (

    select
        due_actions.*,
        case
            when due_actions.is_profiling_refused then 'refuses_profiling'
            when not permitted.has_consent and (permitted.is_consent_recorded or {{ brings_consents() }})
                then 'no_consent'
            when not permitted.has_consent then 'consent_unknown'
            when not permitted.is_open then 'unreachable'
            when due_actions.is_blocked then 'complaint_first'
            when due_actions.is_capped then 'contact_limit'
            when due_actions.is_stage_capped then 'stage_limit'
            when not permitted.is_within_limit then 'channel_limit'
            when due_actions.is_too_soon then 'too_soon'
            when due_actions.is_cooling then 'cooldown'
            when due_actions.is_in_experiment then 'in_experiment'
            when not due_actions.needs_profit then null
            when due_actions.uplift is null then 'effect_unknown'
            when due_actions.margin_at_stake is null then 'margin_unknown'
            when not permitted.is_profitable then 'no_profit'
            when not permitted.is_worth_it then 'too_little_profit'
        end as own_reason
    from due_actions
    inner join permitted on due_actions.candidate_id = permitted.candidate_id

),

actions_without_price as (

    select distinct customer_id
    from judged
    where
        own_reason is null
        and not is_price_based

),

compared as (

    select
        judged.*,
        actions_without_price.customer_id is not null as has_action_without_price
    from judged
    left join actions_without_price on judged.customer_id = actions_without_price.customer_id

),

final as (

    select
        candidate_id,
        customer_id,
        action_id,
        calendar_id,
        trigger,
        case trigger
            {%- for code, template in reasons_to_contact().items() %}
            when '{{ code }}'
                then {{ filled_words(template, {
                    'n_days': 'cast(n_days as string)',
                    'on_date': 'cast(on_date as string)',
                    'churn_percent': decimal_text('100 * churn_probability', 0),
                    'churn_band': 'churn_band',
                    'value_at_risk': decimal_text('value_at_risk', 2),
                    'place': 'cast(place as string)',
                    'n_scored': 'cast(n_scored as string)',
                    'fallen_metrics': 'fallen_metrics',
                    'money_moved': decimal_text('money_moved', 2),
                }) }}
            {%- endfor %}
        end as trigger_reason,
        lifecycle_stage,
        value_class,
        churn_probability,
        value_at_risk,
        margin_at_stake,
        margin_year,
        persistence,
        uplift,
        uplift_low,
        uplift_high,
        uplift_basis,
        offer_cost,
        redeem_probability,
        purpose,
        needs_profit,
        holdout_kind,
        experiment_arm,
        assignment_probability,
        case
            when own_reason is not null then own_reason
            when is_price_based and is_promotion_dependent and has_action_without_price then 'price_later'
        end as reason_code
    from compared

)

select {{ contract_columns() }}
from final
