{{ config(materialized='table') }}

-- Several models read it, and each would take the newest of what is known of every customer again.

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
        {{ current_id('customers') }} as current_customer_id,
        row_number() over (
            partition by {{ current_id('customers') }}
            order by
                batches.loaded_at asc nulls first,
                customers.batch_id asc nulls first,
                customers.source asc nulls first,
                customers.joined_on asc nulls first,
                customers.region asc nulls first,
                customers.age_band asc nulls first,
                customers.income_band asc nulls first,
                customers.household_size asc nulls first,
                customers.household_type asc nulls first,
                customers.owner asc nulls first
        ) as age_rank
    from customers
    left join batches on customers.batch_id = batches.batch_id
    {{ joined_id_changes('customers') }}

),

-- Sources of one home describe one business: what one of them leaves empty another may know.
final as (

    select
        cast(current_customer_id as string) as customer_id,
        -- A new id is no new customer: of several ids of one the first day counts.
        case
            when count(distinct customer_id) > 1 then min(joined_on)
            else cast(max_by(joined_on, age_rank) filter (where joined_on is not null) as date)
        end as joined_on,
        {{ newest_known('region', 'string') }},
        {{ newest_known('age_band', 'string') }},
        {{ newest_known('income_band', 'string') }},
        {{ newest_known('household_size', 'string') }},
        {{ newest_known('household_type', 'string') }},
        {{ newest_known('owner', 'string') }},
        bool_or(has_email) as has_email,
        bool_or(has_phone) as has_phone,
        bool_or(has_postal_code) as has_postal_code,
        {{ newest_known('source', 'string') }},
        {{ newest_known('batch_id', 'string') }}
    from ranked
    where current_customer_id is not null
    group by current_customer_id

)

select * from final
