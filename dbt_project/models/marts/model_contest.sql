with made as (

    select * from {{ source('train', 'model_contest') }}

),

final as (

    select
        cast({{ as_of() }} as date) as as_of_date,
        cast({{ run_id() }} as string) as run_id,
        cast(model_version as string) as model_version,
        cast(trained_as_of as date) as trained_as_of,
        cast(member as string) as member,
        cast(member_rank as int) as member_rank,
        cast(population as string) as population,
        cast(cut_date as date) as cut_date,
        cast(cut_role as string) as cut_role,
        cast(metric as string) as metric,
        cast(value as double) as value,
        cast(low as double) as low,
        cast(high as double) as high,
        cast(n_rows as bigint) as n_rows,
        cast(n_churned as bigint) as n_churned,
        cast(is_chosen as boolean) as is_chosen,
        cast(reason as string) as reason
    from made

)

select * from final
