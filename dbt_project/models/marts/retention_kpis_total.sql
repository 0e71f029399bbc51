{#- Days back to what each number is compared with: the day, the same weekday of the week and of the year before. -#}
{%- set earlier_days = {'previous_day': 1, 'previous_week': 7, 'previous_year': 364} -%}
{#- Nothing to compare: known on the newest evening alone, or zero in total. -#}
{%- set not_compared = [
    'n_scored_customers', 'expected_margin_year', 'customer_lifetime_value', 'n_moved_customers',
] -%}

with totals as (

    select * from {{ ref('kpi_levels') }}
    where level = 'total'

),

-- Every day has its row, so so many rows back are so many days back.
final as (

    select
        totals.*,
        {%- for metric in kpi_metrics() if metric.name not in not_compared %}
        {%- for name, days_back in earlier_days.items() %}
        lag({{ metric.name }}, {{ days_back }}) over by_day as {{ metric.name }}_{{ name }},
        {%- endfor %}
        {%- endfor %}
        {{ run_id() }} as run_id
    from totals
    window by_day as (order by kpi_date asc nulls last)

)

select {{ contract_columns() }}
from final
