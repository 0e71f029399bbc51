{#
  A normal number of the night for each key (mean 0, variance 1): twelve uniform numbers less six. The same key gives the
  same number all night.
#}
{% macro night_draw(keys) -%}
    (
        {%- for number in range(12) %}
        {% if not loop.first %}+ {% endif -%}
        {{ hash_share(
            "concat_ws('|', 'draw', '" ~ number ~ "', cast(" ~ as_of() ~ " as string), "
            ~ text_var('actions_holdout_salt') ~ ", " ~ keys ~ ")"
        ) }}
        {%- endfor %}
        - 6
    )
{%- endmacro %}
