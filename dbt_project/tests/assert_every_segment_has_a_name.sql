-- Whatever segment a customer is in, people can read its name in both languages.
with

segments as (

    select distinct
        'lifecycle' as segmentation,
        lifecycle_stage as segment
    from {{ ref('customer_segments') }}
    union distinct
    select
        'value_class' as segmentation,
        value_class as segment
    from {{ ref('customer_segments') }}
    union distinct
    select
        'rfm' as segmentation,
        rfm_segment as segment
    from {{ ref('customer_segments') }}
    union distinct
    select
        'churn_band' as segmentation,
        churn_band as segment
    from {{ ref('churn_scores') }}
    union distinct
    select
        'loyalty_tier' as segmentation,
        loyalty_tier as segment
    from {{ ref('loyalty_tiers') }}
    union distinct
    select
        'nps_class' as segmentation,
        nps_class as segment
    from {{ ref('customer_360') }}

)

select segments.*
from segments
left join {{ ref('playbook_segment_names') }} as named
    on
        segments.segmentation = named.segmentation
        and segments.segment = named.segment
where
    segments.segment is not null
    and named.segment is null
