-- The newest word on profiling; of two at the same moment the refusal. Who said nothing refuses nothing.
with

statements as (

    select
        customer_id,
        status <> 'granted' as is_refused,
        row_number() over (
            partition by customer_id
            order by
                known_at desc nulls last,
                case when status = 'granted' then 1 else 0 end asc nulls last
        ) as age_rank
    from ({{ confirmed_consents() }}) as consents
    where
        purpose = 'profiling'
        and known_at < {{ as_of() }}
        and not is_unconfirmed

),

final as (

    select customer_id
    from statements
    where age_rank = 1 and is_refused

)

select * from final
