{#
  Value classes of many months in one number: a digit to the base of four a month, 1 for A, 2 for B, 3 for C, 0 for none.
  `first_month`, an ISO date, is the month of the lowest digit. A sum of digits is the smallest state that a group can
  have, and one number a customer is joined in place of a row for each month.
#}
{% macro class_digit(value_class, first_month, month) -%}
case {{ value_class }} when 'A' then 1 when 'B' then 2 when 'C' then 3 else 0 end
            * cast(round(power(4, {{ months_from("cast('" ~ first_month ~ "' as date)", month) }})) as bigint)
{%- endmacro %}

{% macro class_of_month(digits, first_month, day) -%}
case mod(cast(floor({{ digits }} / power(4, {{ months_from("cast('" ~ first_month ~ "' as date)", day) }}))
            as bigint), 4) when 1 then 'A' when 2 then 'B' when 3 then 'C' else 'unknown' end
{%- endmacro %}
