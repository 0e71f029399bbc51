{% set year = modules.datetime.date.fromisoformat(var('as_of_date') | string).year -%}

with

entries as (

    select * from {{ ref('calendar_entries') }}
    where trigger = 'on_dates'

),

-- A window may have opened last year, or open for a date of the next.
years as (

    {{ values_as_rows([year - 1, year, year + 1], 'year_number') }}

),

months as (

    {{ values_as_rows(range(1, 13), 'month_number') }}

),

month_days as (

    {{ values_as_rows(range(1, 32), 'day_number') }}

),

days_of_years as (

    select
        cast(years.year_number as string) as year_text,
        concat_ws(
            '-', lpad(cast(months.month_number as string), 2, '0'), lpad(cast(month_days.day_number as string), 2, '0')
        ) as month_day
    from years
    cross join months
    cross join month_days

),

-- 29 February falls on the 28th in other years.
dated as (

    select
        month_day,
        coalesce(
            try_cast(concat_ws('-', year_text, month_day) as date),
            case when month_day = '02-29' then try_cast(concat_ws('-', year_text, '02-28') as date) end
        ) as on_date
    from days_of_years

),

final as (

    select distinct
        entries.calendar_id,
        dated.on_date + entries.from_day as window_from,
        dated.on_date
    from entries
    inner join dated
        on
            {{ has_word('entries.on_dates', 'dated.month_day') }}
            and {{ as_of() }} >= dated.on_date + entries.from_day
            and {{ as_of() }} <= dated.on_date + coalesce(entries.to_day, entries.from_day)

)

select {{ contract_columns() }}
from final
