-- Every line in staging has what later stages count on, and its amounts have the signs that staging gives them. Lines
-- of changed days are looked at; those of other days were, in the night that delivered them, and a day that fails stays
-- changed until it passes. Returns the rules that are broken, with the number of lines (the first of each line).
-- depends_on: {{ ref('stg_transactions') }}
{%- set rules = [
    "source is not null and customer_id is not null",
    "occurred_on is not null and order_id is not null and line_id is not null",
    "net_amount is not null and is_return is not null",
    "not is_return or net_amount <= 0",
    "quantity is null or quantity >= 0",
    "discount_amount is null or discount_amount >= 0",
] %}

with

checked as (

    select
        case
            {%- for rule in rules %}
            when not coalesce({{ rule }}, false) then '{{ rule }}'
            {%- endfor %}
        end as broken_rule
    from {{ changed_lines(only_changed=true) }} as lines

)

select
    broken_rule,
    count(*) as n_lines
from checked
where broken_rule is not null
group by broken_rule
