{% set rfm_measures = {
    'recency': 'days_since_last_order', 'frequency': 'n_orders_365d', 'monetary': 'net_sales_365d',
} -%}

with

-- Quintiles are taken over those who ever purchased: the others have no place on the scale.
buyers as (

    select * from {{ ref('customer_features') }}
    where n_orders > 0

),

customer_value as (

    select * from {{ ref('customer_value') }}

),

nodes as (

    select * from {{ ref('lifecycle_nodes') }}
    where cut_date = {{ as_of() }}

),

quintiles as (

    select
        count(*) as n_buyers
        {%- for measure, column in rfm_measures.items() %}
        {%- for percent in (20, 40, 60, 80) %},
        percentile_disc({{ percent / 100 }}) within group (order by {{ column }}) as {{ measure }}_{{ percent }}
        {%- endfor %}
        {%- endfor %}
    from buyers

),

rfm as (

    {%- for measure in rfm_measures %}
    {%- for percent in (20, 40, 60, 80) %}
    select
        'rfm' as segmentation,
        '{{ measure }}' as measure,
        'p{{ percent }}' as boundary,
        {{ measure }}_{{ percent }} as cut_value
    from quintiles
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

abc as (

    {%- for class, share in (('a', var('value_a_share')), ('b', var('value_b_share'))) %}
    select
        'abc' as segmentation,
        'cumulative_margin_share' as measure,
        '{{ class }}_up_to' as boundary,
        cast({{ share }} as double) as cut_value
    union all
    select
        'abc' as segmentation,
        'margin_window' as measure,
        '{{ class }}_from' as boundary,
        min(margin_window) as cut_value
    from customer_value
    where value_class = '{{ class | upper }}'
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

lifecycle as (

    {%- for stage in ('silent', 'dormant', 'lost') %}
    select
        'lifecycle' as segmentation,
        'days_since_last_order' as measure,
        '{{ stage }}_from' as boundary,
        cast({{ stage }}_days as double) as cut_value
    from nodes
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

all_cut_points as (

    select * from rfm
    union all
    select * from abc
    union all
    select * from lifecycle

),

final as (

    select
        {{ as_of() }} as as_of_date,
        cast(segmentation as string) as segmentation,
        cast(measure as string) as measure,
        cast(boundary as string) as boundary,
        cast(cut_value as double) as cut_value
    from all_cut_points

)

select * from final
