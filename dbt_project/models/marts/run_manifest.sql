{{ config(pre_hook="{{ create_if_missing('validate', 'run_manifest') }}") }}

with manifest as (

    select * from {{ source('validate', 'run_manifest') }}
    where
        as_of_date = {{ as_of() }}
        and run_id = {{ run_id() }}

),

final as (

    select
        cast(as_of_date as date) as as_of_date,
        cast(run_id as string) as run_id,
        cast(started_at as timestamp) as started_at,
        cast(sources as string) as sources,
        cast(parameters as string) as parameters,
        cast(versions as string) as versions,
        cast(model_version as string) as model_version,
        cast(rows_in as bigint) as rows_in,
        cast(rows_accepted as bigint) as rows_accepted,
        cast(rows_quarantined as bigint) as rows_quarantined,
        cast(table_rows as string) as table_rows,
        cast(stages as string) as stages,
        cast(release_figures as string) as release_figures,
        cast(verdict as string) as verdict,
        cast(verdict_reason as string) as verdict_reason,
        cast(code_version as string) as code_version,
        -- Filled when a person releases a blocked night, in the published copy alone: a run never releases itself.
        cast(null as string) as released_by,
        cast(null as timestamp) as released_at,
        cast(null as string) as release_reason
    from manifest

)

select * from final
