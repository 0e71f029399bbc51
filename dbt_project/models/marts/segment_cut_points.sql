with cut_points as (

    select * from {{ ref('cut_points') }}

),

final as (

    select
        cast(as_of_date as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(segmentation as string) as segmentation,
        cast(measure as string) as measure,
        cast(boundary as string) as boundary,
        cast(cut_value as double) as cut_value,
        cast(meaning as string) as meaning
    from cut_points

)

select * from final
