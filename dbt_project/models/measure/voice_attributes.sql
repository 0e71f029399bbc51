-- What is wanted of each attribute and what is got, and how those who left had rated it.
with

ranked as (

    select
        *,
        row_number() over (
            partition by customer_id, attribute, question order by answered_at desc nulls last, answer desc nulls last
        ) as newest
    from {{ ref('stg_surveys') }}
    where
        attribute is not null
        and question in ('importance', 'satisfaction')
        and answered_on < {{ as_of() }}
        and answered_on >= {{ as_of() }} - {{ var('value_window_days') }}

),

said as (

    select
        customer_id,
        attribute,
        max(answer) filter (where question = 'importance') as importance,
        max(answer) filter (where question = 'satisfaction') as satisfaction
    from ranked
    where newest = 1
    group by customer_id, attribute

),

beside as (

    select
        said.*,
        coalesce(stages.lifecycle_stage in ('new', 'active'), false) as is_kept,
        coalesce(stages.lifecycle_stage in ('silent', 'dormant', 'lost'), false) as is_gone
    from said
    left join {{ ref('customer_lifecycle') }} as stages on said.customer_id = stages.customer_id

),

means as (

    select
        attribute,
        count(*) as n_customers,
        cast(sum(importance) as double) / nullif(count(importance), 0) as importance,
        cast(sum(satisfaction) as double) / nullif(count(satisfaction), 0) as satisfaction,
        count(satisfaction) filter (where is_kept) as n_kept,
        cast(sum(satisfaction) filter (where is_kept) as double)
        / nullif(count(satisfaction) filter (where is_kept), 0) as satisfaction_kept,
        count(satisfaction) filter (where is_gone) as n_gone,
        cast(sum(satisfaction) filter (where is_gone) as double)
        / nullif(count(satisfaction) filter (where is_gone), 0) as satisfaction_gone
    from beside
    group by attribute

),

-- A quadrant is about attributes of which both were asked; their means are its axes.
axes as (

    select
        {{ exact_sum('importance') }} / nullif(count(*), 0) as importance,
        {{ exact_sum('satisfaction') }} / nullif(count(*), 0) as satisfaction
    from means
    where
        importance is not null
        and satisfaction is not null

),

placed as (

    select
        means.*,
        case
            when means.importance is null or means.satisfaction is null then null
            when means.importance >= axes.importance and means.satisfaction < axes.satisfaction then 'improve'
            when means.importance >= axes.importance then 'keep'
            when means.satisfaction < axes.satisfaction then 'low_priority'
            else 'overdone'
        end as quadrant
    from means
    cross join axes

),

final as (

    select
        {{ as_of() }} as as_of_date,
        cast(attribute as string) as attribute,
        n_customers,
        importance,
        satisfaction,
        importance - satisfaction as gap,
        n_kept,
        satisfaction_kept,
        n_gone,
        satisfaction_gone,
        cast(quadrant as string) as quadrant,
        cast(
            case quadrant
                when 'improve' then '优先改进' when 'keep' then '继续保持' when 'low_priority' then '次要改进'
                when 'overdone' then '投入过度'
            end as string
        ) as quadrant_zh
    from placed

)

select * from final
