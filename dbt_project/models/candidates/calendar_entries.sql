-- The length in days of a stage by the trade's calendar (silent from day 60, dormant from 150, lost from 270): days
-- that the playbook counts from the beginning of such a stage are days of that calendar. The stage active begins with
-- the purchase.
{% set trade_days = {'active': 60, 'silent': 90, 'dormant': 120} -%}
-- Stands for the day on which the last stage ends.
{% set open_end = 1000000000 -%}

with

playbook as (

    select * from {{ ref('playbook_calendar') }}

),

nodes as (

    select * from {{ ref('lifecycle_nodes') }}
    where cutoff_date = {{ as_of() }}

),

-- Days of silence of each stage with the active thresholds, from the first up to that of the next stage.
stage_days as (

    {%- for stage, first_day, next_stage_day in [
        ('new', 0, 'silent_days'),
        ('active', 0, 'silent_days'),
        ('silent', 'silent_days', 'dormant_days'),
        ('dormant', 'dormant_days', 'lost_days'),
        ('lost', 'lost_days', open_end),
    ] %}
    select
        cast('{{ stage }}' as string) as lifecycle_stage,
        {{ loop.index }} as stage_number,
        cast({{ first_day }} as bigint) as first_day,
        cast({{ next_stage_day }} as bigint) as next_stage_day
    from nodes
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

-- A count from active, silent or dormant is stretched or shortened as that stage is against the trade's calendar, so
-- that an entry keeps its place within the stage: the third month is day 90 where silent is day 60 to 149, and day 31
-- where it is day 21 to 50. Without active thresholds such days are not known.
entries as (

    select
        playbook.calendar_id,
        playbook.lifecycle_stage,
        playbook.value_class,
        playbook.trigger,
        {%- for day in ['from_day', 'to_day'] %}
        case
            when coalesce(playbook.counted_from, 'last_order') = 'last_order' then playbook.{{ day }}
            when playbook.counted_from = 'lost' then nodes.lost_days + playbook.{{ day }}
            {%- for stage, first_day, next_stage in [
                ('active', '0', 'silent'),
                ('silent', 'nodes.silent_days', 'dormant'),
                ('dormant', 'nodes.dormant_days', 'lost'),
            ] %}
            when playbook.counted_from = '{{ stage }}'
                then
                    {{ first_day }} + cast(
                        floor(
                            cast(playbook.{{ day }} * (nodes.{{ next_stage }}_days - {{ first_day }}) as double)
                            / {{ trade_days[stage] }}
                        ) as bigint
                    )
            {%- endfor %}
        end as {{ day }},
        {%- endfor %}
        playbook.every_days,
        playbook.on_dates,
        playbook.action_id
    from playbook
    left join nodes on true

),

-- Whether the window of an entry that counts days of silence, or one of its returns, meets a stage of the entry at all.
meetings as (

    select
        windows.calendar_id,
        {%- for number in range(1, 6) %}
        max(case when windows.stage_number = {{ number }} then windows.stage_words end) as stage_words_{{ number }},
        {%- endfor %}
        bool_or(
            windows.from_day + windows.n_returns * coalesce(windows.every_days, 0) < windows.next_stage_day
            and windows.last_day + windows.n_returns * coalesce(windows.every_days, 0) >= windows.first_day
        ) as is_possible
    from (
        select
            entries.calendar_id,
            entries.from_day,
            coalesce(entries.to_day, entries.from_day) as last_day,
            entries.every_days,
            stage_days.stage_number,
            stage_days.first_day,
            stage_days.next_stage_day,
            -- The first return that does not end before the stage begins.
            greatest(
                coalesce(
                    ceil(
                        cast(stage_days.first_day - coalesce(entries.to_day, entries.from_day) as double)
                        / nullif(entries.every_days, 0)
                    ), 0
                ), 0
            ) as n_returns,
            concat_ws(
                '', stage_days.lifecycle_stage, ' is day ', cast(stage_days.first_day as string),
                case
                    when stage_days.next_stage_day = {{ open_end }} then ' on'
                    else concat_ws('', ' to ', cast(stage_days.next_stage_day - 1 as string))
                end
            ) as stage_words
        from entries
        inner join stage_days on {{ has_word('entries.lifecycle_stage', 'stage_days.lifecycle_stage') }}
        where
            entries.trigger = 'days_since_last_order'
            and not {{ has_word('entries.lifecycle_stage', "'any'") }}
    ) as windows
    group by windows.calendar_id

),

inputs as (

    select
        coalesce((select bool_or(has_interactions) from {{ source('ingest', 'source_status') }}), false)
        or exists (
            select 1 from {{ ref('stg_interactions') }}
            where kind = 'complaint'
        ) as has_complaints,
        coalesce(
            (
                select bool_or(tier_rank > 0 and tier_basis = 'declared') from {{ ref('tier_bounds') }}
            ), false
        ) as has_tiers

),

final as (

    select
        entries.*,
        case
            when entries.trigger = 'tier_at_risk' and not inputs.has_tiers
                then 'playbook_tiers declares no bounds, so nobody has a tier to lose'
            when entries.trigger = 'birthday'
                then 'birthdays are personal data that is kept apart from the tables the plan reads'
            when entries.trigger = 'open_complaint' and not inputs.has_complaints
                then 'no connected source delivers service events, so complaints are unknown'
            when entries.trigger = 'days_since_last_order' and entries.from_day is null
                then 'it counts from the beginning of a stage, and the active thresholds are not known'
            when not meetings.is_possible
                then concat_ws(
                    '', 'nobody can be in its stage on its days: day ', cast(entries.from_day as string), ' to ',
                    cast(coalesce(entries.to_day, entries.from_day) as string), ' without a purchase, but ',
                    concat_ws(
                        ', ',
                        {%- for number in range(1, 6) %}
                        meetings.stage_words_{{ number }}{% if not loop.last %},{% endif %}
                        {%- endfor %}
                    ),
                    ' with the active thresholds; move the entry''s days'
                )
        end as inactive_reason
    from entries
    cross join inputs
    left join meetings on entries.calendar_id = meetings.calendar_id

)

select {{ contract_columns() }}
from final
