{#
  Value class of each row of `margins` (as_of_date, customer_id, margin_window as decimal, is_customer), date by date: the one
  definition of A, B and C. customer_value asks it for D, the KPIs for the beginning of each month.

  Equal margins are one group: the running sum takes them in together, so ties share a class. A customer is A while
  those above have not yet reached the share: whoever crosses the line is still A, so one customer who gives
  everything is A and not C. An id that is no customer has the class of its margin and moves no cut point.
#}
{% macro value_classes(margins) %}
with

weighed as (

    select
        as_of_date,
        customer_id,
        margin_window,
        case when is_customer then greatest(margin_window, 0) else 0 end as weight
    from {{ margins }}

),

ranked as (

    select
        as_of_date,
        customer_id,
        margin_window,
        sum(weight) over (partition by as_of_date) as total_margin,
        sum(weight) over (
            partition by as_of_date
            order by margin_window desc nulls last
            range between unbounded preceding and current row
        ) as margin_down_to_here,
        sum(weight) over (partition by as_of_date, margin_window) as margin_of_equals
    from weighed

),

shares as (

    select
        as_of_date,
        customer_id,
        margin_window,
        cast(margin_down_to_here as double) / nullif(cast(total_margin as double), 0) as cumulative_margin_share,
        cast(margin_down_to_here - margin_of_equals as double) / nullif(cast(total_margin as double), 0)
            as margin_share_above
    from ranked

)

select
    as_of_date,
    customer_id,
    cast(margin_window as double) as margin_window,
    cast(
        case
            when margin_window > 0 and margin_share_above < {{ var('value_a_share') }} then 'A'
            when margin_window > 0 and margin_share_above < {{ var('value_b_share') }} then 'B'
            else 'C'
        end as string
    ) as value_class,
    cumulative_margin_share
from shares
{% endmacro %}
