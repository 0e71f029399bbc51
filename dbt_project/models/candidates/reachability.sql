{%- set reasons = reachability_reasons() -%}
with

customers as (

    select customer_id
    from {{ ref('customer_features') }}
    where
        outlier_account_reason is null
        and not {{ is_erased_person('customer_id') }}

),

permissions as (

    {{ contact_permissions(
        "select customer_id from " ~ ref('customer_features')
        ~ " where outlier_account_reason is null and not " ~ is_erased_person('customer_id')
    ) }}

),

complaints as (

    select * from {{ ref('open_complaints') }}

),

refusals as (

    select * from {{ ref('profiling_refusals') }}

),

-- The first thing that stands in the way, by its number in the list of reasons.
judged as (

    select
        permissions.customer_id,
        permissions.channel,
        permissions.purpose,
        case
            when permissions.is_bounced then 2
            when not permissions.is_reachable then 1
            when permissions.is_consented and permissions.purpose = 'marketing' and complaints.customer_id is not null
                then 6
            when permissions.is_consented and permissions.purpose = 'marketing' and refusals.customer_id is not null
                then 7
            when permissions.is_consented then 8
            when permissions.is_opted_out then 3
            when permissions.is_unconfirmed then 4
            else 5
        end as place
    from permissions
    left join complaints on permissions.customer_id = complaints.customer_id
    left join refusals on permissions.customer_id = refusals.customer_id

),

-- Of a customer over all channels the one counts that comes nearest.
both_levels as (

    select
        purpose,
        channel,
        place,
        count(*) as n_customers
    from judged
    group by
        purpose,
        channel,
        place

    union all

    select
        purpose,
        'any' as channel,
        place,
        count(*) as n_customers
    from (
        select
            customer_id,
            purpose,
            max(place) as place
        from judged
        group by
            customer_id,
            purpose
    ) as nearest
    group by
        purpose,
        place

),

everybody as (

    select count(*) as n_all from customers

),

final as (

    select
        {{ as_of() }} as as_of_date,
        both_levels.purpose,
        both_levels.channel,
        cast(case both_levels.place
            {%- for code, _, _ in reasons %}
            when {{ loop.index }} then '{{ code }}'
            {%- endfor %}
        end as string) as reason,
        cast(case both_levels.place
            {%- for _, words, _ in reasons %}
            when {{ loop.index }} then '{{ words }}'
            {%- endfor %}
        end as string) as reason_words,
        cast(case both_levels.place
            {%- for _, _, words in reasons %}
            when {{ loop.index }} then '{{ words }}'
            {%- endfor %}
        end as string) as reason_words_zh,
        cast(both_levels.n_customers as bigint) as n_customers,
        cast(everybody.n_all as bigint) as n_all_customers,
        cast(both_levels.n_customers as double) / nullif(everybody.n_all, 0) as share
    from both_levels
    cross join everybody

)

select {{ contract_columns() }}
from final
