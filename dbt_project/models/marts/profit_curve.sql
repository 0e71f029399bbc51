{% set shares = [0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0] -%}
{% set rankings = {
    'expected_profit': 'expected_profit',
    'value_at_risk': 'value_at_risk',
    'risk_only': 'churn_probability',
    'random': 'draw',
} -%}

-- Tonight's part asks what the plan's own numbers promise; the past part what happened.

with

past as (

    select * from {{ source('train', 'profit_curve') }}

),

candidates as (

    select * from {{ ref('retention_actions') }}

),

scores as (

    select * from {{ ref('churn_scores') }}

),

model_in_force as (

    select max(model_version) as model_version
    from scores

),

-- Each customer by the action that promises most: one contact a customer.
best_candidates as (

    select
        *,
        row_number() over (
            partition by customer_id order by expected_incremental_profit desc nulls last, candidate_id asc nulls last
        ) as candidate_rank
    from candidates
    where needs_profit and expected_incremental_profit is not null

),

customers as (

    select
        customer_id,
        cast(expected_incremental_profit as double) as expected_profit,
        cast(contact_cost as double) + cast(offer_cost as double) * redeem_probability as spend,
        coalesce(value_at_risk, 0) as value_at_risk,
        coalesce(churn_probability, 0) as churn_probability,
        cast({{ md5_number_lower('customer_id') }} % 1000000007 as double) as draw
    from best_candidates
    where candidate_rank = 1

),

counted as (

    select count(*) as n_customers
    from customers

),

ranked as (
    {%- for ranking, score in rankings.items() %}

    select
        '{{ ranking }}' as ranking,
        expected_profit,
        row_number() over (order by {{ score }} desc nulls last, customer_id asc nulls last) as place,
        sum({{ as_decimal('spend', 28, 6) }}) over (order by {{ score }} desc nulls last, customer_id asc nulls last)
            as spend,
        sum({{ as_decimal('expected_profit', 28, 6) }})
            over (order by {{ score }} desc nulls last, customer_id asc nulls last) as profit
    from customers
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

asked as (
    {%- for share in shares %}

    select
        cast({{ share }} as double) as contacted_share,
        greatest(cast(1 as bigint), cast(round({{ share }} * n_customers) as bigint)) as place,
        false as is_stop_point
    from counted
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

-- Contacting nobody is a stop point too, but has no row of its own in the ranking.
stop as (

    select
        count(*) filter (where expected_profit > 0) as place,
        cast(count(*) filter (where expected_profit > 0) as double) / nullif(count(*), 0) as contacted_share
    from customers

),

tonight as (

    select
        ranked.ranking,
        asked.contacted_share,
        asked.is_stop_point,
        asked.place,
        ranked.spend,
        ranked.profit
    from asked
    inner join ranked on asked.place = ranked.place

    union all

    select
        'expected_profit' as ranking,
        stop.contacted_share,
        true as is_stop_point,
        stop.place,
        coalesce(ranked.spend, 0) as spend,
        coalesce(ranked.profit, 0) as profit
    from stop
    left join ranked on stop.place = ranked.place and ranked.ranking = 'expected_profit'
    where stop.contacted_share is not null

),

tonight_judged as (

    select
        *,
        profit > 0
        and row_number() over (
            partition by ranking
            order by
                profit desc nulls last,
                place asc nulls last,
                is_stop_point asc nulls last,
                -- With few customers several shares are the same number of them.
                contacted_share asc nulls last
        ) = 1 as is_best
    from tonight

),

both_parts as (

    select
        'out_of_time' as basis,
        model_version,
        cutoff_date,
        ranking,
        contacted_share,
        is_stop_point,
        is_best,
        n_customers,
        n_contacted,
        spend,
        profit
    from past

    union all

    select
        'tonight' as basis,
        model_in_force.model_version,
        cast(null as date) as cutoff_date,
        tonight_judged.ranking,
        tonight_judged.contacted_share,
        tonight_judged.is_stop_point,
        tonight_judged.is_best,
        counted.n_customers,
        cast(tonight_judged.place as double) as n_contacted,
        cast(tonight_judged.spend as double) as spend,
        cast(tonight_judged.profit as double) as profit
    from tonight_judged
    cross join counted
    cross join model_in_force

),

final as (

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        {{ currency() }} as currency,
        both_parts.*
    from both_parts

)

select {{ contract_columns(doubles=['spend', 'profit']) }}
from final
