{#
  Every expression is true in every row; NULL counts as broken, so say `x is null or …` where it may be NULL.
  One scan checks them all. Returns one row a broken expression (of a row that breaks several, the first is named).
#}
{% test expressions_true(model, expressions) %}

with checked as (

    select
        case
            {%- for expression in expressions %}
            when not coalesce({{ expression }}, false)
                then '{{ expression | replace("'", "''") }}'
            {%- endfor %}
        end as broken_expression
    from {{ model }}

)

select
    broken_expression,
    count(*) as n_rows
from checked
where broken_expression is not null
group by broken_expression

{% endtest %}
