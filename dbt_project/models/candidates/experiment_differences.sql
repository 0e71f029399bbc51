with

episodes as (

    select * from {{ ref('experiment_episodes') }}

),

arms as (

    select
        action_id,
        lifecycle_stage,
        experiment_id,
        count(*) filter (where arm = 'treated') as n_treated,
        count(*) filter (where arm = 'held_out') as n_held_out,
        cast(count(*) filter (where arm = 'treated' and has_purchased) as double) as k_treated,
        cast(count(*) filter (where arm = 'held_out' and has_purchased) as double) as k_held_out,
        {%- for arm in ['treated', 'held_out'] %}
        {{ exact_sum("case when arm = '" ~ arm ~ "' then n_orders - expected_orders end") }} as surplus_{{ arm }},
        {%- endfor %}
        {{ exact_sum('expected_orders') }} as expected_orders
    from episodes
    group by
        action_id,
        lifecycle_stage,
        experiment_id

),

-- One success and one failure added to each arm keep the variance of a cell in which all did the same above nothing.
final as (

    select
        action_id,
        lifecycle_stage,
        experiment_id,
        n_treated,
        n_held_out,
        {{ ratio('cast(n_treated as double) * n_held_out', '(n_treated + n_held_out)') }} as weight,
        {{ ratio('k_treated', 'n_treated') }} - {{ ratio('k_held_out', 'n_held_out') }} as difference,
        {{ ratio(
            '(k_treated + 1) * (n_treated - k_treated + 1)',
            '(cast(n_treated + 2 as double) * (n_treated + 2) * n_treated)',
        ) }}
        + {{ ratio(
            '(k_held_out + 1) * (n_held_out - k_held_out + 1)',
            '(cast(n_held_out + 2 as double) * (n_held_out + 2) * n_held_out)',
        ) }} as variance,
        {{ ratio('surplus_treated', 'n_treated') }}
        - {{ ratio('surplus_held_out', 'n_held_out') }} as orders_difference,
        {{ ratio('expected_orders', '(n_treated + n_held_out)') }} as orders_expected
    from arms
    where
        n_treated > 0
        and n_held_out > 0

)

select {{ contract_columns() }}
from final
