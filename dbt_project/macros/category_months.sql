{# What each customer bought of each category, or product where a source knows no category, by month, from `lines`. #}
{% macro category_months(lines) -%}
    select
        lines.customer_id,
        coalesce(lines.category, lines.product_id) as category,
        cast(date_trunc('month', lines.occurred_on) as date) as month,
        -- A bit a day: counting distinct days of all lines would cost far more.
        bit_count(bit_or(case
            when not lines.is_return
                then cast(round(power(2, extract(day from lines.occurred_on) - 1)) as bigint)
        end)) as n_days,
        min(lines.occurred_on) filter (where not lines.is_return) as first_on,
        max(lines.occurred_on) filter (where not lines.is_return) as last_on,
        sum(lines.net_amount) as net_sales
    from {{ lines }} as lines
    where coalesce(lines.category, lines.product_id) is not null
    group by
        lines.customer_id,
        coalesce(lines.category, lines.product_id),
        cast(date_trunc('month', lines.occurred_on) as date)
{%- endmacro %}

{# The lines of whole months that have a changed day, as changed_lines has those of changed days. #}
{% macro changed_month_lines() -%}
    {%- if is_incremental() -%}
    (
        select * from (
            {{ staged_lines(changed_month_range('occurred_at')) }}
        ) as staged
        where
            cast(date_trunc('month', occurred_on) as date) in (
                select cast(date_trunc('month', day) as date) from {{ source('platform', 'changed_days') }}
            )
    )
    {%- else -%}
    {{ ref('stg_transactions') }}
    {%- endif -%}
{%- endmacro %}

{# A condition on `time_column` that lets only these months through, in literals (changed_day_range says why). #}
{% macro changed_month_range(time_column) -%}
    {%- set noted = source('platform', 'changed_days') -%}
    {%- if execute and load_relation(noted) -%}
        {%- set months = run_query(changed_month_starts()).rows -%}
        {%- if not months -%}
            1 = 0
        {%- elif months | length > 50 -%}
            {{ time_column }} >= cast('{{ months[0][0] }}' as timestamp)
            and {{ time_column }} < cast('{{ months[-1][1] }}' as timestamp)
        {%- else -%}
            ({% for month in months -%}
                {{ time_column }} >= cast('{{ month[0] }}' as timestamp)
                and {{ time_column }} < cast('{{ month[1] }}' as timestamp)
                {{- ' or ' if not loop.last }}
            {%- endfor %})
        {%- endif -%}
    {%- else -%}
        1 = 1
    {%- endif -%}
{%- endmacro %}

{# A select with one row a month to recompute: its first day and that of the month after. #}
{% macro changed_month_starts() -%}
    select distinct
        cast(date_trunc('month', day) as date) as first_day,
        cast(last_day(day) + 1 as date) as next_day
    from {{ source('platform', 'changed_days') }}
    order by first_day asc nulls last
{%- endmacro %}
