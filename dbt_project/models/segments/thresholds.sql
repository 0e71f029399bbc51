{# measure: (score, whether a large value scores high) -#}
{% set rfm_measures = {
    'days_since_last_order': ('r_score', false), 'n_orders_365d': ('f_score', true), 'net_sales_365d': ('m_score', true),
} -%}
{# Bounds that are parameters: segmentation, measure, boundary, value, what it means. -#}
{% set parameter_bounds = [
    ('abc', 'cumulative_margin_share', 'a_up_to', var('value_a_share'),
        'A while the customers above hold less than this share of all positive margin'),
    ('abc', 'cumulative_margin_share', 'b_up_to', var('value_b_share'),
        'B while the customers above hold less than this share of all positive margin'),
    ('promotion', 'discount_order_share', 'dependent_from', var('promotion_dependent_min_share'),
        'at or above it, and the other promotion bounds too: promotion dependent'),
    ('promotion', 'discount_share', 'dependent_from', var('promotion_dependent_min_discount_share'),
        'at or above it, and the other promotion bounds too: promotion dependent'),
    ('promotion', 'n_orders', 'dependent_from', var('promotion_dependent_min_orders'),
        'at or above it, and the other promotion bounds too: promotion dependent'),
    ('churn_band', 'churn_probability', 'medium_from', var('churn_band_medium_min'), 'at or above it: medium; below: low'),
    ('churn_band', 'churn_probability', 'high_from', var('churn_band_high_min'), 'at or above it: high'),
    ('churn_band', 'churn_probability', 'critical_from', var('churn_band_critical_min'), 'at or above it: critical'),
    ('movement_alert', 'false_alerts_per_1000', 'accepted', var('movement_false_alerts_per_1000'),
        'new false alerts of losses a night for every 1,000 customers watched'),
    ('movement_alert', 'false_opportunities_per_1000', 'accepted', var('movement_false_opportunities_per_1000'),
        'new false alerts of gains a night for every 1,000 customers watched'),
] -%}

with

-- Quintiles are taken over those who ever purchased: the others have no place on the scale, nor have ids that are no
-- customers, and who refuses profiling.
buyers as (

    select * from {{ ref('customer_features') }}
    where
        n_orders > 0
        and outlier_account_reason is null
        and {{ is_profiled() }}

),

customer_value as (

    select * from {{ ref('customer_value') }}

),

nodes as (

    select * from {{ ref('lifecycle_nodes') }}
    where cutoff_date = {{ as_of() }}

),

quintiles as (

    select
        {%- for measure in rfm_measures %}
        {%- for percent in (20, 40, 60, 80) %}
        percentile_disc({{ percent / 100 }}) within group (order by {{ measure }} asc nulls last)
            as {{ measure }}_{{ percent }},
        {%- endfor %}
        {%- endfor %}
        count(*) as n_buyers
    from buyers

),

rfm as (

    {%- for measure, (score, is_high_best) in rfm_measures.items() %}
    {%- for percent in (20, 40, 60, 80) %}
    {%- set passed = loop.index %}
    select
        'rfm' as segmentation,
        '{{ measure }}' as measure,
        'p{{ percent }}' as boundary,
        {{ measure }}_{{ percent }} as threshold,
        {%- if is_high_best %}
        'at or below it: {{ score }} at most {{ passed }}; above: at least {{ passed + 1 }}' as meaning
        {%- else %}
        'at or below it: {{ score }} at least {{ 6 - passed }}; above: at most {{ 5 - passed }}' as meaning
        {%- endif %}
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

parameters as (

    {%- for segmentation, measure, boundary, value, meaning in parameter_bounds %}
    select
        '{{ segmentation }}' as segmentation,
        '{{ measure }}' as measure,
        '{{ boundary }}' as boundary,
        cast({{ value }} as double) as threshold,
        '{{ meaning }}' as meaning
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

abc as (

    {%- for class, classes in {'A': 'A', 'B': 'B or A'}.items() %}
    select
        'abc' as segmentation,
        'margin_window' as measure,
        '{{ class | lower }}_from' as boundary,
        min(margin_window) as threshold,
        'smallest margin in {{ class }}: at or above it {{ classes }}' as meaning
    from customer_value
    where value_class = '{{ class }}'
    {%- if not loop.last %}
    union all
    {%- endif %}
    {%- endfor %}

),

lifecycle as (

    {%- for kind, words in {
        '': '', 'fixed_': ' with lifecycle_mode fixed', 'auto_': ' with lifecycle_mode auto'
    }.items() %}
    {%- set is_last_kind = loop.last %}
    {%- for stage in ('silent', 'dormant', 'lost') %}
    {%- set meaning = 'at or above it: ' ~ stage ~ (' or later' if stage != 'lost' else '') ~ words %}
    select
        'lifecycle{{ "_" if kind }}{{ kind[:-1] }}' as segmentation,
        'days_since_last_order' as measure,
        '{{ stage }}_from' as boundary,
        cast({{ kind }}{{ stage }}_days as double) as threshold,
        '{{ meaning }}' as meaning
    from nodes
    {%- if kind == 'auto_' %}
    where auto_{{ stage }}_days is not null
    {%- endif %}
    {%- if not (loop.last and is_last_kind) %}
    union all
    {%- endif %}
    {%- endfor %}
    {%- endfor %}

),

tiers as (

    select
        'loyalty_tier' as segmentation,
        '{{ var("loyalty_basis") }}' as measure,
        concat_ws('_', tier, 'from') as boundary,
        cast(qualifies_from as double) as threshold,
        case
            when tier_basis = 'declared' then 'at or above it: this tier, as the playbook declares'
            else concat_ws(
                '', 'at or above it: this tier; not declared: what ',
                cast(cast(round(100 * default_quantile) as bigint) as string),
                ' % of those who earned anything in the window do not exceed'
            )
        end as meaning
    from {{ ref('tier_bounds') }}

),

all_thresholds as (

    select * from rfm
    union all
    select * from abc
    union all
    select * from lifecycle
    union all
    select * from parameters
    union all
    select * from tiers

),

final as (

    select
        {{ as_of() }} as as_of_date,
        cast(segmentation as string) as segmentation,
        cast(measure as string) as measure,
        cast(boundary as string) as boundary,
        cast(threshold as double) as threshold,
        cast(meaning as string) as meaning
    from all_thresholds

)

select * from final
