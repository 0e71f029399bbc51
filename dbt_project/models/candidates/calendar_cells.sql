with

entries as (

    select * from {{ ref('calendar_entries') }}

),

stages as (

    {{ values_as_rows(['never_purchased', 'new', 'active', 'silent', 'dormant', 'lost'], 'lifecycle_stage') }}

),

classes as (

    {{ values_as_rows(['A', 'B', 'C'], 'value_class') }}

),

final as (

    select
        cast(entries.calendar_id as string) as calendar_id,
        cast(stages.lifecycle_stage as string) as lifecycle_stage,
        cast(classes.value_class as string) as value_class,
        cast(entries.trigger as string) as trigger,
        cast(entries.from_day as int) as from_day,
        cast(coalesce(entries.to_day, entries.from_day) as int) as last_day,
        cast(entries.every_days as int) as every_days,
        cast(entries.action_id as string) as action_id
    from entries
    inner join stages
        on
            {{ has_word('entries.lifecycle_stage', 'stages.lifecycle_stage') }}
            or {{ has_word('entries.lifecycle_stage', "'any'") }}
    inner join classes
        on
            {{ has_word('entries.value_class', 'classes.value_class') }}
            or {{ has_word('entries.value_class', "'any'") }}

)

select * from final
