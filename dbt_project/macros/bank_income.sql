{#
  On how many days of [cutoff - first, cutoff - last) a balance of `spans` held, 0 where on none; to be read beside
  cutoffs_in_scope.
#}
{% macro days_within(spans, first, last) -%}
    greatest(0, {{ dbt.datediff(
        'greatest(' ~ spans ~ '.from_day, cutoffs_in_scope.cutoff_date - ' ~ first ~ ')',
        'least(coalesce(' ~ spans ~ '.until_day, cutoffs_in_scope.cutoff_date), cutoffs_in_scope.cutoff_date - ' ~ last ~ ')',
        'day'
    ) }})
{%- endmacro %}

{# What a bank earns on such sums: on what is left with it, and on what it has lent. Nothing for any other business. #}
{% macro interest(deposit_days, lending_days) -%}
    {%- if var('business') == 'bank' -%}
    (
        cast({{ deposit_days }} as double) * cast({{ var('value_deposit_spread') }} as double)
        + cast({{ lending_days }} as double) * cast({{ var('value_lending_spread') }} as double)
    ) / 365
    {%- else -%}
    cast(null as double)
    {%- endif -%}
{%- endmacro %}

{# Margin of net sales as a double: fees count as a whole, and interest comes on top. All three are doubles. #}
{% macro margin_of(net_sales, fees, interest) -%}
    ({{ net_sales }} - coalesce({{ fees }}, 0)) * cast({{ var('value_margin_share') }} as double)
    + coalesce({{ fees }}, 0) + coalesce({{ interest }}, 0)
{%- endmacro %}

{#
  Fees of each customer in the window before each day of cutoffs_in_scope: cutoff_date, customer_id, fees. Whoever paid
  none has no row.
#}
{% macro fees_before_cutoffs(window_days) -%}
    select
        cutoffs_in_scope.cutoff_date,
        charged.customer_id,
        sum(charged.fees) as fees
    from {{ ref('bank_fees') }} as charged
    inner join cutoffs_in_scope
        on
            charged.day < cutoffs_in_scope.cutoff_date
            and charged.day >= cutoffs_in_scope.cutoff_date - {{ window_days }}
    group by
        cutoffs_in_scope.cutoff_date,
        charged.customer_id
{%- endmacro %}
