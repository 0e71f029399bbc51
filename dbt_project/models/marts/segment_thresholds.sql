with thresholds as (

    select * from {{ ref('thresholds') }}

),

final as (

    select
        cast(as_of_date as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(segmentation as string) as segmentation,
        cast(measure as string) as measure,
        cast(boundary as string) as boundary,
        cast(cutoff_value as double) as cutoff_value,
        cast(meaning as string) as meaning
    from thresholds

)

select * from final
