{#
  A condition on `time_column` that lets only days to recompute through, in literals: those reach the scan, where whole
  files and row groups are passed over by their bounds (a semi join would read everything first). Days changed nowhere
  give a condition that no row meets. Where no run has noted days yet, as for the docs of a new home, none is left out.
#}
{% macro changed_day_range(time_column) -%}
    {%- set noted = source('platform', 'changed_days') -%}
    {%- if execute and load_relation(noted) -%}
        {%- set ranges = run_query(changed_day_ranges()).rows -%}
        {%- if not ranges -%}
            1 = 0
        {%- else -%}
            ({% for range in ranges -%}
                {{ time_column }} >= cast('{{ range[0] }}' as timestamp)
                and {{ time_column }} < cast('{{ range[1] }}' as timestamp)
                {{- ' or ' if not loop.last }}
            {%- endfor %})
        {%- endif -%}
    {%- else -%}
        1 = 1
    {%- endif -%}
{%- endmacro %}
