-- The newest word on profiling; of two at the same moment the refusal. Who said nothing refuses nothing.
with

statements as (

    select
        customer_id,
        status <> 'granted' as is_refused,
        row_number() over (
            partition by customer_id
            order by
                coalesce(valid_from, cast('1900-01-01' as timestamp)) desc nulls last,
                case when status = 'granted' then 1 else 0 end asc nulls last
        ) as age_rank
    from {{ ref('stg_consents') }}
    where
        purpose = 'profiling'
        and coalesce(valid_from, cast('1900-01-01' as timestamp)) < {{ as_of() }}

),

final as (

    select customer_id
    from statements
    where age_rank = 1 and is_refused

)

select * from final
