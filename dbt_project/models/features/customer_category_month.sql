{{ config(
    materialized='incremental',
    incremental_strategy='append',
    on_schema_change='fail',
    pre_hook=remove_rows(
        "month in (select cast(date_trunc('month', day) as date) from {{ source('platform', 'changed_days') }})"
    ),
) }}

-- A fact table: no as-of date and no parameter enters it, so one build serves every date. The month in which an as-of
-- date lies holds days after it; who reads that month takes its lines.

with

final as (

    {{ category_months(changed_month_lines()) }}

)

select
    customer_id,
    category,
    month,
    cast(n_days as int) as n_days,
    first_on,
    last_on,
    cast(net_sales as decimal(28, 4)) as net_sales
from final
