with

entries as (

    select * from {{ ref('calendar_entries') }}

),

stages as (

    {{ values_as_rows(lifecycle_stages() + ['not_profiled'], 'lifecycle_stage') }}

),

classes as (

    {{ values_as_rows(['A', 'B', 'C', 'not_profiled'], 'value_class') }}

),

final as (

    select
        entries.calendar_id,
        stages.lifecycle_stage,
        classes.value_class,
        entries.trigger,
        entries.from_day,
        coalesce(entries.to_day, entries.from_day) as last_day,
        entries.every_days,
        entries.action_id
    from entries
    inner join stages
        on
            {{ has_word('entries.lifecycle_stage', 'stages.lifecycle_stage') }}
            or {{ has_word('entries.lifecycle_stage', "'any'") }}
    inner join classes
        on
            {{ has_word('entries.value_class', 'classes.value_class') }}
            or {{ has_word('entries.value_class', "'any'") }}
    -- Who refuses profiling gets the untargeted calendar: what is for any stage and any class.
    where (stages.lifecycle_stage = 'not_profiled') = (classes.value_class = 'not_profiled')

)

select {{ contract_columns() }}
from final
