{#
  Days on which the business was closed for a week or more are no silence of its customers: `open_day` is a day less
  the days of such closures before it, so that the difference of two is the number of open days between them. For queries
  that join `business_days` (with `joined_business_days`) on the day. The same day where there was no closure.
#}
{% macro open_day(day) -%}
    cast(coalesce(business_days.open_day, {{ day }}) as date)
{%- endmacro %}

{% macro joined_business_days(day) -%}
    left join {{ source('ingest', 'business_days') }} as business_days on {{ day }} = business_days.day
{%- endmacro %}
