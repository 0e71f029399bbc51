{{ config(schema='personal') }}

with

customers as (

    select * from {{ source('ingest', 'customers') }}

),

batches as (

    {{ batch_times() }}

),

ranked as (

    select
        customers.*,
        row_number() over (
            partition by customers.customer_id
            order by loaded_at nulls first, customers.batch_id nulls first, customers.source nulls first,
                email nulls first, phone nulls first, postal_code nulls first, full_name nulls first,
                birth_date nulls first
        ) as age_rank
    from customers
    left join batches on customers.batch_id = batches.batch_id

),

final as (

    select
        cast(customer_id as string) as customer_id,
        {{ newest_known('email', 'string') }},
        {{ newest_known('phone', 'string') }},
        {{ newest_known('postal_code', 'string') }},
        {{ newest_known('full_name', 'string') }},
        {{ newest_known('birth_date', 'date') }}
    from ranked
    where customer_id is not null
    group by customer_id

)

select * from final
