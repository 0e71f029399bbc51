{#-
    What a contact changes in the number of purchases, as a share of those that its customers would make anyway. Purchases
    are counted, because most of what a contact brings comes from customers who would have bought once and buy twice, which
    who bought does not show; and not their money, which a few large baskets decide.

    A normal hierarchy in closed form. The playbook knows the order of the actions better than their size, so one factor
    scales all its priors: it is estimated from the measured actions and carried to the others. An action lies around
    its scaled prior, a stage around its action.
-#}
{#- Standard deviations: of the factor around 1, of an action around its scaled prior, of a stage around its action. -#}
{%- set scale_variance = 9.0 -%}
{%- set action_variance = 0.0625 -%}
{%- set stage_variance = 0.01 -%}
{#- Relative variance of a customer's purchases in a window at the least; the factor is a tenth to ten. -#}
{%- set least_spread = 0.1 -%}
{%- set most_scale = 10.0 -%}
with

actions as (

    select * from {{ ref('playbook_actions') }}

),

episodes as (

    select * from {{ ref('experiment_episodes') }}

),

differences as (

    select * from {{ ref('experiment_differences') }}

),

stages as (

    {{ values_as_rows(lifecycle_stages(), 'lifecycle_stage') }}

),

spreads as (

    select
        lifecycle_stage,
        greatest(
            cast({{ least_spread }} as double),
            coalesce(
                {{ ratio(
                    exact_sum('(n_orders - expected_orders) * (n_orders - expected_orders)') ~ ' * count(*)',
                    '(' ~ exact_sum('expected_orders') ~ ' * ' ~ exact_sum('expected_orders') ~ ')',
                ) }}, 0
            )
        ) as spread
    from episodes
    where expected_orders is not null
    group by lifecycle_stage

),

cells as (

    select
        action_id,
        lifecycle_stage,
        cast(sum(n_treated) as bigint) as n_treated,
        cast(sum(n_held_out) as bigint) as n_held_out,
        {{ ratio(exact_sum('weight * orders_difference'), exact_sum('weight * orders_expected')) }} as lift,
        {{ exact_sum('weight') }} as weight
    from differences
    where orders_expected > 0
    group by
        action_id,
        lifecycle_stage

),

measured_cells as (

    select
        cells.*,
        {{ ratio('spreads.spread', 'cells.weight') }} as variance
    from cells
    inner join spreads on cells.lifecycle_stage = spreads.lifecycle_stage
    where cells.lift is not null

),

measured_actions as (

    select
        action_id,
        {{ ratio(
            exact_sum(ratio('lift', '(variance + ' ~ stage_variance ~ ')')),
            exact_sum(ratio('cast(1 as double)', '(variance + ' ~ stage_variance ~ ')')),
        ) }} as lift,
        {{ ratio(
            'cast(1 as double)', exact_sum(ratio('cast(1 as double)', '(variance + ' ~ stage_variance ~ ')'))
        ) }} as variance
    from measured_cells
    group by action_id

),

-- The playbook's effect on keeping as a lift: what it would win of all customers, against what they buy.
stakes as (

    select
        actions.action_id,
        actions.uplift_prior
        * {{ ratio(
            exact_sum('greatest(customers.margin_horizon, actions.persistence_prior * customers.margin_year)'),
            exact_sum('customers.margin_expected'),
        ) }} as lift_prior
    from actions
    cross join {{ ref('customer_state') }} as customers
    where customers.margin_expected is not null
    group by
        actions.action_id,
        actions.uplift_prior

),

scales as (

    select
        count(*) as n_measured,
        least(
            cast({{ most_scale }} as double),
            greatest(
                cast({{ 1 / most_scale }} as double),
                {{ ratio(
                    '(' ~ 1 / scale_variance ~ ' + coalesce(' ~ exact_sum(ratio(
                        'stakes.lift_prior * measured_actions.lift', '(measured_actions.variance + ' ~ action_variance ~ ')'
                    )) ~ ', 0))',
                    '(' ~ 1 / scale_variance ~ ' + coalesce(' ~ exact_sum(ratio(
                        'stakes.lift_prior * stakes.lift_prior', '(measured_actions.variance + ' ~ action_variance ~ ')'
                    )) ~ ', 0))',
                ) }}
            )
        ) as playbook_scale
    from measured_actions
    inner join stakes on measured_actions.action_id = stakes.action_id

),

joined as (

    select
        actions.action_id,
        stages.lifecycle_stage,
        scales.n_measured,
        scales.playbook_scale,
        coalesce(scales.playbook_scale * stakes.lift_prior, 0) as prior_lift,
        measured_actions.lift as action_lift,
        coalesce(
            {{ ratio(action_variance, '(' ~ action_variance ~ ' + measured_actions.variance)') }}, 0
        ) as action_weight,
        case
            when measured_actions.variance is null then cast({{ action_variance }} as double)
            else {{ ratio(
                action_variance ~ ' * measured_actions.variance', '(' ~ action_variance ~ ' + measured_actions.variance)'
            ) }}
        end as action_spread,
        coalesce(measured_cells.n_treated, 0) as n_treated,
        coalesce(measured_cells.n_held_out, 0) as n_held_out,
        measured_cells.lift as cell_lift,
        measured_cells.variance as cell_variance,
        coalesce({{ ratio(stage_variance, '(' ~ stage_variance ~ ' + measured_cells.variance)') }}, 0) as own_weight
    from actions
    cross join stages
    cross join scales
    left join stakes on actions.action_id = stakes.action_id
    left join measured_actions on actions.action_id = measured_actions.action_id
    left join measured_cells
        on actions.action_id = measured_cells.action_id and stages.lifecycle_stage = measured_cells.lifecycle_stage

),

weighed as (

    select
        *,
        own_weight * coalesce(cell_lift, 0)
        + (1 - own_weight) * (action_weight * coalesce(action_lift, 0) + (1 - action_weight) * prior_lift) as lift,
        own_weight + (1 - own_weight) * action_weight as measured_weight,
        sqrt(
            case
                when cell_variance is null then cast({{ stage_variance }} as double)
                else own_weight * cell_variance
            end
            + (1 - own_weight) * (1 - own_weight) * action_spread
        ) as lift_sd
    from joined

),

final as (

    select
        action_id,
        lifecycle_stage,
        n_treated,
        n_held_out,
        round(playbook_scale, 9) as playbook_scale,
        round(cell_lift, 9) as measured_lift,
        round(sqrt(cell_variance), 9) as measured_lift_sd,
        round(lift, 9) as lift,
        round(lift_sd, 9) as lift_sd,
        round(measured_weight, 9) as measured_weight,
        {{ interval_columns('lift', 'lift', 'lift_sd', 'action_id, lifecycle_stage') }}
    from weighed
    where n_measured > 0

)

select {{ contract_columns() }}
from final
