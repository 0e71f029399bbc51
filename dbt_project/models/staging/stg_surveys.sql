{{ config(materialized='table') }}

{#- Question: its answer as staging has it, from 0 to 1 on the scale of the row, recommendation from 0 to 10. -#}
{% set scaled = "(surveys.{0} - coalesce(surveys.scale_low, 1)) / nullif(coalesce(surveys.scale_high, 5) "
    ~ "- coalesce(surveys.scale_low, 1), 0)" -%}
{% set questions = ['recommendation', 'repurchase_intention', 'trust', 'satisfaction', 'importance'] -%}

with

surveys as (

    select * from {{ source('ingest', 'surveys') }}

),

batches as (

    {{ batch_times() }}

),

dated as (

    select
        surveys.source,
        {{ current_id('surveys') }} as current_customer_id,
        surveys.answered_at,
        surveys.attribute,
        surveys.recommendation,
        {% for question in questions[1:] -%}
        {{ scaled.format(question) }} as {{ question }},
        {% endfor -%}
        surveys.batch_id,
        batches.loaded_at
    from surveys
    left join batches on surveys.batch_id = batches.batch_id
    {{ joined_id_changes('surveys') }}

),

answers as (

    {% for question in questions %}
    select
        source,
        current_customer_id,
        answered_at,
        attribute,
        '{{ question }}' as question,
        {{ as_decimal(question, 9, 4) }} as answer,
        batch_id,
        loaded_at
    from dated
    where {{ question }} is not null
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

ranked as (

    select
        *,
        row_number() over (
            partition by source, current_customer_id, answered_at, attribute, question
            order by {{ newest_batch_first(['answer']) }}
        ) as batch_rank
    from answers

),

final as (

    select
        cast(source as string) as source,
        cast(current_customer_id as string) as customer_id,
        cast(answered_at as timestamp) as answered_at,
        cast(answered_at as date) as answered_on,
        cast(attribute as string) as attribute,
        cast(question as string) as question,
        cast(answer as decimal(9, 4)) as answer,
        cast(batch_id as string) as batch_id
    from ranked
    where batch_rank = 1

)

select * from final
