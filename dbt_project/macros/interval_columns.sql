{#
  Columns of a normal posterior: <name>_low and <name>_high, the ends of its 90 % interval, and <name>_decided, by which
  the plan decides (actions_decide_by): the mean, the lower end, or one draw of the night for each key.

  mean, deviation: SQL texts of doubles. keys: columns of which each has its own draw.
#}
{% macro interval_columns(name, mean, deviation, keys) -%}
    {%- set half = 'cast(1.644854 as double) * ' ~ deviation -%}
    {%- set decided = {
        'mean': mean,
        'lower_bound': mean ~ ' - ' ~ half,
        'draw': mean ~ ' + ' ~ deviation ~ ' * ' ~ night_draw(keys),
    } -%}
    round({{ mean }} - {{ half }}, 9) as {{ name }}_low,
        round({{ mean }} + {{ half }}, 9) as {{ name }}_high,
        round({{ decided[var('actions_decide_by')] }}, 9) as {{ name }}_decided
{%- endmacro %}
