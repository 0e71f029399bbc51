-- One definition of the value class: where the as-of date is the first of a month, the class of that month is the one
-- that customer_value gives to everybody who had a purchase or return.
with

monthly as (

    select
        customer_id,
        value_class
    from {{ ref('monthly_value_class') }}
    where month = {{ as_of() }}

)

select
    monthly.customer_id,
    monthly.value_class as monthly_class,
    customer_value.value_class
from monthly
left join {{ ref('customer_value') }} as customer_value on monthly.customer_id = customer_value.customer_id
where monthly.value_class is distinct from customer_value.value_class
