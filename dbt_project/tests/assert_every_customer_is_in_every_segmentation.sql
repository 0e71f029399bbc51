-- Segments exhaust the customers: each customer of customer_features who does not refuse profiling has a row in every
-- table of one row a customer, and none of them knows anybody else. (That no customer has two rows is the key test of
-- each.)

{% set segmentations = [
    'customer_value', 'customer_rfm', 'customer_lifecycle', 'promotion_dependence',
    'customer_tiers', 'cost_to_serve',
] -%}

with

{% for segmentation in segmentations -%}
{{ segmentation }}_gaps as (

    select
        '{{ segmentation }}' as segmentation,
        coalesce(customers.customer_id, segments.customer_id) as customer_id
    from (
        select * from {{ ref('customer_features') }}
        where {{ is_profiled() }}
    ) as customers
    full outer join {{ ref(segmentation) }} as segments
        on customers.customer_id = segments.customer_id and customers.as_of_date = segments.as_of_date
    where
        customers.customer_id is null
        or segments.customer_id is null

){% if not loop.last %},{% endif %}

{% endfor -%}

{% for segmentation in segmentations -%}
select * from {{ segmentation }}_gaps
{% if not loop.last %}union all
{% endif %}
{%- endfor %}
