{# Whether `word` is one of the words of a cell, separated by |, blanks around them aside; false for an empty cell. #}
{% macro has_word(cell, word) -%}
    instr(concat_ws('', '|', replace({{ cell }}, ' ', ''), '|'), concat_ws('', '|', {{ word }}, '|')) > 0
{%- endmacro %}
