{%- set months = month_starts(12) -%}
{#- The peer that a customer is compared with: one at this share of those who buy as often. -#}
{% set level = 0.75 -%}

-- A proxy: what a customer spends elsewhere is in no table. Beside peers who buy as often (the same f_score), one who
-- spends less and buys of fewer categories probably buys the rest elsewhere.

with

customers as (

    select
        features.customer_id,
        rfm.f_score,
        greatest(features.net_sales_365d, 0) as net_sales
    from {{ ref('customer_features') }} as features
    inner join {{ ref('customer_rfm') }} as rfm on features.customer_id = rfm.customer_id
    where
        features.outlier_account_reason is null
        and {{ is_profiled('features') }}
        and features.n_orders_365d > 0

),

breadths as (

    select
        customer_id,
        count(distinct category) as n_categories
    from {{ ref('customer_category_month') }}
    where
        month >= cast('{{ months[0] }}' as date)
        and month < cast('{{ months[-1] }}' as date)
    group by customer_id

),

compared as (

    select
        customers.customer_id,
        customers.f_score,
        customers.net_sales,
        breadths.n_categories,
        cast(count(*) over (
            partition by customers.f_score order by customers.net_sales asc nulls last
            range between unbounded preceding and current row
        ) as double) / nullif(count(*) over (partition by customers.f_score), 0) as spend_place,
        cast(count(breadths.n_categories) over (
            partition by customers.f_score order by breadths.n_categories asc nulls last
            range between unbounded preceding and current row
        ) as double) / nullif(count(breadths.n_categories) over (partition by customers.f_score), 0) as breadth_place
    from customers
    left join breadths on customers.customer_id = breadths.customer_id

),

peers as (

    select
        f_score,
        min(case when spend_place >= {{ level }} then net_sales end) as peer_net_sales,
        min(case when breadth_place >= {{ level }} then n_categories end) as peer_n_categories
    from compared
    group by f_score

),

final as (

    select
        {{ as_of() }} as as_of_date,
        compared.customer_id,
        cast(compared.n_categories as bigint) as n_categories_year,
        cast(peers.peer_n_categories as bigint) as peer_n_categories_year,
        case
            when compared.net_sales >= peers.peer_net_sales and peers.peer_net_sales > 0 then cast(1 as double)
            else compared.net_sales / nullif(peers.peer_net_sales, 0)
        end as spend_share_proxy,
        case
            when compared.n_categories >= peers.peer_n_categories then cast(1 as double)
            else cast(compared.n_categories as double) / nullif(peers.peer_n_categories, 0)
        end as category_share_proxy
    from compared
    inner join peers on compared.f_score = peers.f_score

)

select * from final
