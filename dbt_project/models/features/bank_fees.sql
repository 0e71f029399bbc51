{%- set categories = [] -%}
{%- for name in (var('value_fee_categories') | string).split(',') if name.strip() -%}
{%- do categories.append("'" ~ (name.strip() | lower | replace("'", "''")) ~ "'") -%}
{%- endfor -%}
{%- set is_fee = 'false' -%}
{%- if var('business') == 'bank' and categories -%}
{%- set is_fee = 'lower(category) in (' ~ categories | join(', ') ~ ')' -%}
{%- endif -%}

-- Read from lines, and so only at a bank.

with final as (

    select
        customer_id,
        occurred_on as day,
        cast(sum(net_amount) as decimal(28, 4)) as fees
    from {{ ref('stg_transactions') }}
    where
        {{ is_fee }}
        and occurred_on < {{ as_of() }}
    group by
        customer_id,
        occurred_on

)

select * from final
