{# What answers of surveys mean: the one home of each boundary. `answer` is that of staging: from 0 to 1 on its scale,
   recommendation from 0 to 10. #}

{# Yes: the upper two of five boxes. #}
{% macro says_yes(answer) -%}
    {{ answer }} >= 0.75
{%- endmacro %}

{# The three classes of the net promoter score. #}
{% macro nps_class(recommendation) -%}
    case when {{ recommendation }} >= 9 then 'promoter' when {{ recommendation }} > 6 then 'passive'
        when {{ recommendation }} >= 0 then 'detractor' end
{%- endmacro %}
