with definitions as (

    {%- for metric in kpi_metrics() %}
    select
        '{{ metric.name }}' as name,
        '{{ metric.sentence }}' as sentence,
        'select kpi_date, {{ metric.sql }} as {{ metric.name }} from retention_kpis group by kpi_date' as sql,
        '{{ metric.sql }}' as expression,
        '{{ metric.unit }}' as unit,
        {{ 'true' if metric.is_sum else 'false' }} as is_sum,
        '{{ metric.owner }}' as owner
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

final as (

    select
        {{ as_of() }} as as_of_date,
        {{ run_id() }} as run_id,
        definitions.*
    from definitions

)

select {{ contract_columns() }}
from final
