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

)

select {{ contract_columns() }}
from final
