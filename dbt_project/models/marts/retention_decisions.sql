with customers as (

    select * from {{ ref('customer_features') }}

),

segments as (

    select * from {{ ref('customer_segments') }}

),

scores as (

    select * from {{ ref('churn_scores') }}

),

plan as (

    select * from {{ ref('retention_actions') }}

),

touches as (

    select * from {{ ref('touches') }}
    where
        is_counted
        and touched_on >= {{ as_of() }} - {{ var('actions_cap_window_days') }}

),

last_touches as (

    select
        customer_id,
        max(touched_on) as last_touch_on
    from touches
    group by customer_id

),

places as (

    select
        customer_id,
        rank() over (order by value_at_risk desc nulls last) as place,
        count(*) over () as n_scored
    from scores
    where value_at_risk is not null

),

-- The contact of tonight, else the candidate held out, else the refused one that would have earned most.
ranked as (

    select
        *,
        count(*) over (partition by customer_id) as n_candidates,
        row_number() over (
            partition by customer_id
            order by
                case decision when 'contact' then 1 when 'holdout' then 2 else 3 end asc nulls last,
                plan_rank asc nulls last,
                expected_incremental_profit desc nulls last,
                action_id asc nulls last
        ) as candidate_rank
    from plan

),

candidates as (

    select * from ranked
    where candidate_rank = 1

),

described as (

    select
        customers.customer_id,
        segments.lifecycle_stage,
        segments.value_class,
        scores.churn_band,
        coalesce(scores.churn_band in ('high', 'critical'), false) as is_at_risk,
        customers.outlier_account_reason,
        coalesce(scores.ineligible_reason = 'refuses_profiling', false) as is_profiling_refused,
        last_touches.last_touch_on,
        places.place,
        places.n_scored,
        ceil(
            cast({{ var('actions_value_at_risk_top_share') }} as double) * places.n_scored - cast(1e-9 as double)
        ) as n_called,
        coalesce(candidates.decision, 'not_contacted') as decision,
        candidates.reason_code as candidate_reason,
        candidates.candidate_id,
        candidates.action_id,
        candidates.action_label_en,
        candidates.action_label_zh,
        candidates.trigger_reason,
        candidates.channel,
        candidates.purpose,
        candidates.needs_profit,
        candidates.consent_basis,
        candidates.expected_incremental_profit,
        candidates.reason_not_contacted,
        candidates.reason_not_contacted_zh,
        coalesce(candidates.n_candidates, 0) as n_candidates,
        case candidates.reason_code
            when 'no_profit' then -candidates.expected_incremental_profit
            when 'too_little_profit'
                then cast({{ var('actions_min_expected_profit') }} as double) - candidates.expected_incremental_profit
        end as shortfall
    from customers
    left join segments on customers.customer_id = segments.customer_id
    left join scores on customers.customer_id = scores.customer_id
    left join last_touches on customers.customer_id = last_touches.customer_id
    left join places on customers.customer_id = places.customer_id
    left join candidates on customers.customer_id = candidates.customer_id

),

coded as (

    select
        *,
        case
            when decision = 'contact' then 'contact'
            when candidate_id is not null then candidate_reason
            when outlier_account_reason is not null then 'outlier_account'
            when is_profiling_refused then 'refuses_profiling'
            when last_touch_on is not null then 'recently_contacted'
            when lifecycle_stage = 'never_purchased' then 'never_purchased'
            when is_at_risk and place > n_called then 'below_value_line'
            when is_at_risk then 'at_risk_not_due'
            when lifecycle_stage = 'lost' then 'lost'
            else 'not_at_risk'
        end as reason_code
    from described

),

{% set own_numbers = reasons_in_own_numbers() -%}
{% set values = {
    'outlier_account_reason': 'outlier_account_reason',
    'last_touch_on': 'cast(last_touch_on as string)',
    'place': 'cast(place as string)',
    'n_scored': 'cast(n_scored as string)',
    'n_called': 'cast(cast(n_called as bigint) as string)',
    'label_en': 'action_label_en',
    'label_zh': 'action_label_zh',
    'trigger_reason': 'trigger_reason',
    'shortfall': decimal_text('shortfall', 2),
    'words': 'reason_not_contacted',
    'words_zh': 'reason_not_contacted_zh',
} -%}
worded as (

    select
        customer_id,
        lifecycle_stage,
        value_class,
        churn_band,
        is_at_risk,
        decision,
        reason_code,
        {%- for language in range(2) %}
        case
            {%- for code, words in own_numbers.items() if code != 'other' %}
            when reason_code = '{{ code }}' then {{ filled_words(words[language], values) }}
            {%- endfor %}
            when candidate_id is not null then {{ filled_words(own_numbers['other'][language], values) }}
            {%- for code, words in reasons_without_candidate().items() %}
            when reason_code = '{{ code }}' then {{ filled_words(words[language], values) }}
            {%- endfor %}
        end as {{ ['reason', 'reason_zh'][language] }},
        {%- endfor %}
        candidate_id,
        action_id,
        action_label_en,
        action_label_zh,
        channel,
        purpose,
        needs_profit,
        expected_incremental_profit,
        shortfall,
        n_candidates,
        -- Nobody said no, and with a yes the contact would pay.
        coalesce(
            reason_code in ('no_consent', 'consent_unknown')
            and consent_basis = 'none'
            and expected_incremental_profit > 0, false
        ) as is_consent_to_ask
    from coded

),

business as (

    select {{ currency() }} as currency

),

final as (

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        business.currency,
        worded.customer_id,
        worded.lifecycle_stage,
        worded.value_class,
        worded.churn_band,
        worded.is_at_risk,
        worded.decision,
        worded.reason_code,
        {{ in_currency('worded.reason') }} as reason,
        {{ in_currency('worded.reason_zh') }} as reason_zh,
        worded.candidate_id,
        worded.action_id,
        worded.action_label_en,
        worded.action_label_zh,
        worded.channel,
        worded.purpose,
        worded.needs_profit,
        worded.expected_incremental_profit,
        worded.shortfall,
        worded.n_candidates,
        worded.is_consent_to_ask
    from worded
    cross join business

)

select {{ contract_columns() }}
from final
