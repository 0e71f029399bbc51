{#
  Every expression is true in every row; NULL counts as broken, so say `x is null or …` where it may be NULL.
  One scan checks them all. Returns one row a broken expression (of a row that breaks several, the first is told).

  With `touched_by` ([column of the day, column of the moment]) only rows of the days in ingest.touched_days are looked
  at, for views over all lines: those of other days were, in the night that brought them. A day that fails stays touched
  until it passes (assets/dbt).
#}
{% test expressions_true(model, expressions, touched_by=none) %}

with checked as (

    select
        case
            {%- for expression in expressions %}
            when not coalesce({{ expression }}, false)
                then '{{ expression | replace("'", "''") }}'
            {%- endfor %}
        end as broken_expression
    from {{ model }}
    {%- if touched_by %}
    where
        {{ touched_day_range(touched_by[0], touched_by[1]) }}
        and {{ touched_by[0] }} in (select day from {{ source('ingest', 'touched_days') }})
    {%- endif %}

)

select
    broken_expression,
    count(*) as n_rows
from checked
where broken_expression is not null
group by broken_expression

{% endtest %}
