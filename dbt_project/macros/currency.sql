{#
  The currency of the business as of the date, one value for every row; NULL where no source says it. Several at once
  stop the night (rule currency_variety of transaction_days). Read from what is known of whole days, never from lines.
#}
{% macro currency() -%}
    (
        select max(landed_days.last_currency)
        from {{ ref('transaction_days') }} as landed_days
        where landed_days.day < {{ as_of() }}
    )
{%- endmacro %}

{#
  A text with the currency in the place of each ¤ before a sum of money: 'Spent ¤12.50' becomes 'Spent EUR 12.50'. Where
  it is used, `business` is one row with the `currency`: a subquery in each text makes planning the slowest part.
#}
{% macro in_currency(text) -%}
    replace({{ text }}, '¤', coalesce(business.currency || ' ', ''))
{%- endmacro %}
