{#
  The columns of the model's contract, in its order, each cast to its declared type: `select {{ contract_columns() }}
  from final`. So a mart names a column where it is made and in its contract, and its type in the contract alone.
  `doubles` are columns of exact money that a stage computed as doubles.
  A unit test sees the columns of `final` as they are: dbt hands it the SQL of a model without its contract.
#}
{% macro contract_columns(doubles=[]) -%}
    {%- if not execute or model.resource_type == 'unit_test' -%}
        *
    {%- else -%}
        {%- for column in model.columns.values() %}
    {%- if column.name in doubles %}
    {% set digits = modules.re.findall('[0-9]+', column.data_type) -%}
    cast({{ as_decimal(column.name, digits[0] | int, digits[1] | int) }} as {{ column.data_type }}) as {{ column.name }}
        {%- else %}
    cast({{ column.name }} as {{ column.data_type }}) as {{ column.name }}
        {%- endif %}
        {%- if not loop.last %},{% endif %}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
