{#
  A template of reason_words as an SQL text in the words of the business, its {names} replaced by the SQL expressions that `values` has for them. A
  name without a value is an error at compile time.
#}
{% macro filled_words(template, values) -%}
    concat_ws(
        ''
        {%- for part in modules.re.split('[{}]', in_business_words(template)) -%}
            {#- Text and names take turns, text first. -#}
            {%- if loop.index is odd -%}
                {%- if part %}, '{{ part | replace("'", "''") }}'{% endif -%}
            {%- elif part not in values -%}
                {{ exceptions.raise_compiler_error('no value for {' ~ part ~ '} in: ' ~ template) }}
            {%- else %}, {{ values[part] }}{% endif -%}
        {%- endfor -%}
    )
{%- endmacro %}
