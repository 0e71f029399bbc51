{#- Probability of any wrong verdict, over all actions and all nights: shared out among the actions. -#}
{%- set error = 0.05 -%}
{%- set relevant = 'cast(' ~ var('measure_relevant_effect') ~ ' as double)' -%}
{#- Intervals are narrowest, against a normal one, for effects of twice the size worth having: narrow enough early, and
    near the narrowest when an effect worth having would just show. -#}
{%- set scale = '(2 * ' ~ relevant ~ ')' -%}
with actions as (

    select * from {{ ref('playbook_actions') }}

),

differences as (

    select * from {{ ref('experiment_differences') }}

),

effects as (

    select * from {{ ref('action_effects') }}

),

compared as (

    select
        action_id,
        cast(sum(n_treated) as bigint) as n_treated,
        cast(sum(n_held_out) as bigint) as n_held_out,
        {{ ratio(exact_sum('weight * difference'), exact_sum('weight')) }} as effect,
        {{ ratio(
            exact_sum('weight * weight * variance'), '(' ~ exact_sum('weight') ~ ' * ' ~ exact_sum('weight') ~ ')'
        ) }} as variance
    from differences
    group by action_id

),

n_actions as (

    select
        (select count(*) from actions) as n_planned,
        (select count(*) from compared) as n_compared

),

-- As many as the playbook has, which does not grow with what is compared tonight.
errors as (

    select cast({{ error }} as double) / nullif(greatest(n_planned, n_compared, 1), 0) as error_each
    from n_actions

),

-- The variance at which an effect worth having would show, in units of the squared scale: the solution of
-- r (1 + r) (ln((1 + r) / r) - 2 ln(error)) = 1/4, by iteration.
needed_0 as (

    select
        error_each,
        0.25 / nullif(3 - 2 * ln(error_each), 0) as needed
    from errors

),

{% for step in range(1, 9) -%}
needed_{{ step }} as (

    select
        error_each,
        0.25 / nullif((1 + needed) * (ln((1 + needed) / nullif(needed, 0)) - 2 * ln(error_each)), 0) as needed
    from needed_{{ step - 1 }}

),

{% endfor -%}
judged as (

    select
        coalesce(actions.action_id, compared.action_id) as action_id,
        actions.label_en as action_label_en,
        actions.label_zh as action_label_zh,
        coalesce(compared.n_treated, 0) as n_treated,
        coalesce(compared.n_held_out, 0) as n_held_out,
        compared.effect,
        {{ confidence_radius('compared.variance', scale, 'needed_8.error_each') }} as radius,
        {{ variance_ratio('compared.variance', scale) }} / nullif(needed_8.needed, 0) as times_needed
    from actions
    full outer join compared on actions.action_id = compared.action_id
    cross join needed_8

),

coded as (

    select
        *,
        case
            when effect is null then 'no holdout'
            when effect - radius > 0 then 'works'
            when effect + radius < 0 then 'harms'
            when radius <= {{ relevant }} then 'no effect shown'
            else 'too small to tell'
        end as verdict,
        case
            when radius > {{ relevant }}
                then cast(ceil((n_treated + n_held_out) * (times_needed - 1)) as bigint)
        end as n_more
    from judged

),

whole as (

    select
        coded.action_id,
        coded.action_label_en,
        coded.action_label_zh,
        cast('all' as string) as lifecycle_stage,
        coded.n_treated,
        coded.n_held_out,
        coded.effect as measured_effect,
        coded.effect - coded.radius as measured_low,
        coded.effect + coded.radius as measured_high,
        coded.verdict,
        case when coded.verdict in ('too small to tell', 'no effect shown') then coded.n_more end as n_more,
        cast(null as double) as planned_effect,
        cast(null as double) as planned_low,
        cast(null as double) as planned_high,
        cast(null as string) as basis
    from coded

),

stages as (

    select
        effects.action_id,
        actions.label_en as action_label_en,
        actions.label_zh as action_label_zh,
        effects.lifecycle_stage,
        effects.n_treated,
        effects.n_held_out,
        effects.measured_effect,
        cast(null as double) as measured_low,
        cast(null as double) as measured_high,
        cast(null as string) as verdict,
        cast(null as bigint) as n_more,
        effects.effect as planned_effect,
        effects.effect_low as planned_low,
        effects.effect_high as planned_high,
        effects.basis
    from effects
    inner join actions on effects.action_id = actions.action_id

),

together as (

    select * from whole

    union all

    select * from stages

),

final as (

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        together.*,
        case together.verdict
            when 'works' then 'works: more customers bought than without it'
            when 'harms' then 'harms: fewer customers bought than without it'
            when 'no effect shown' then 'no effect shown: one worth having would have been seen'
            when 'too small to tell'
                then
                    concat_ws(
                        '', 'too small to tell: about ', cast(together.n_more as string), ' more persons needed'
                    )
            when 'no holdout' then 'no holdout: nothing to compare with yet'
        end as verdict_words,
        case together.verdict
            when 'works' then '有效：购买客户多于对照组'
            when 'harms' then '有害：购买客户少于对照组'
            when 'no effect shown' then '未见效果：若有值得的效果应已看出'
            when 'too small to tell' then concat_ws('', '样本太小，约还需 ', cast(together.n_more as string), ' 人')
            when 'no holdout' then '无对照组：尚无法比较'
        end as verdict_words_zh
    from together

)

select {{ contract_columns() }}
from final
