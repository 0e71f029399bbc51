{#- Days back to what each number is compared with: the day, the same weekday of the week and of the year before. -#}
{%- set earlier_days = {'previous_day': 1, 'previous_week': 7, 'previous_year': 364} -%}
{%- set known_tonight_only = ['n_scored_customers', 'expected_margin_year'] -%}
{%- set rates = ['average_order_value', 'repeat_rate', 'retention_rate', 'churn_rate', 'reach_rate'] -%}

with totals as (

    select * from {{ ref('kpi_levels') }}
    where level = 'total'

),

-- Every day has its row, so so many rows back are so many days back.
final as (

    select
        totals.*,
        {%- for measure in kpi_measures() + rates if measure not in known_tonight_only %}
        {%- for name, days_back in earlier_days.items() %}
        lag({{ measure }}, {{ days_back }}) over by_day as {{ measure }}_{{ name }},
        {%- endfor %}
        {%- endfor %}
        {{ run_id() }} as run_id
    from totals
    window by_day as (order by kpi_date asc nulls last)

)

select {{ contract_columns() }}
from final
