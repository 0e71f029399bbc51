{#
  Every customer seen before each cutoff, with what was known of them by then: one row a cutoff and customer.

  `cutoffs` names a relation with one row a `cutoff_date`; `date_column` is what that date is called in the result.
  Scoring (customer_features) and training (training_snapshots) both call this, so they cannot drift apart. `among`
  names a relation of the customer_id to describe; without it all are. `unprofiled` names one of customers who may not be
  scored.

  Silence, gaps, tenure and the windows of 30 and 90 days count open days: long closures are no silence (macro open_day).

  Only days before the cutoff enter; a row exactly at the cutoff belongs to the future. An order day is a day with at least
  one order. Features are doubles, NULL where they are not defined: a customer of one order day has no gaps, and
  complaints are unknown, not zero, until some source has delivered a first interaction, and so are returns until the
  first line that is one. Money is summed as decimal and
  divided once, so the order of summation cannot show.
#}
{% macro customer_features_at(cutoffs, date_column='cutoff_date', among=none, unprofiled=none) %}
{%- set window_days = var('value_window_days') -%}
{%- set kept_sales = 'greatest(cast(histories.net_sales_total as double), cast(0 as double))' -%}

with

cutoffs_in_scope as (

    select
        cutoffs.cutoff_date,
        {{ open_day('cutoffs.cutoff_date') }} as open_cutoff
    from {{ cutoffs }} as cutoffs
    {{ joined_business_days('cutoffs.cutoff_date') }}

),

purchase_days as (

    select
        days.customer_id,
        days.day,
        {{ open_day('days.day') }} as open_day
    from {{ ref('customer_day') }} as days
    {{ joined_business_days('days.day') }}
    where
        days.n_orders > 0
        and days.day < (select max(cutoffs_in_scope.cutoff_date) from cutoffs_in_scope)
        {%- if among %}
        and days.customer_id in (select customer_id from {{ among }})
        {%- endif %}

),

-- The order days alone go through the window: it holds all its rows at once, so what is only added up stays out of it.
order_days as (

    select
        customer_id,
        day,
        row_number() over by_day as order_day_number,
        cast({{ dbt.datediff('lag(open_day) over by_day', 'open_day', 'day') }} as bigint) as gap_days,
        -- The mean of the last three gaps is the time since the third order day before this one, in thirds.
        {{ dbt.datediff('lag(open_day, 3) over by_day', 'open_day', 'day') }} / cast(3 as double) as last_three_gaps_days
    from purchase_days
    window by_day as (partition by customer_id order by day asc nulls last)

),

-- A median of groups keeps the values of all groups at once and cannot spill; a sort can. So gaps are ranked, and the
-- middle one or two are averaged.
known_gaps as (

    select
        cutoffs_in_scope.cutoff_date,
        order_days.customer_id,
        order_days.day,
        order_days.order_day_number,
        order_days.gap_days,
        order_days.last_three_gaps_days,
        cast(row_number() over (
            partition by cutoffs_in_scope.cutoff_date, order_days.customer_id order by order_days.gap_days asc nulls last
        ) as bigint) as gap_rank,
        count(order_days.gap_days) over (partition by cutoffs_in_scope.cutoff_date, order_days.customer_id) as n_gaps
    from order_days
    inner join cutoffs_in_scope on order_days.day < cutoffs_in_scope.cutoff_date

),

rhythms as (

    select
        cutoff_date,
        customer_id,
        count(*) as n_order_days,
        max(n_gaps) as n_gaps,
        avg(gap_days) filter (
            where 2 * gap_rank >= n_gaps and 2 * gap_rank <= n_gaps + 2
        ) as gap_median_days,
        max(gap_days) as gap_max_days,
        sum(gap_days) as gap_sum_days,
        sum(gap_days * gap_days) as gap_square_sum,
        max_by(gap_days, day) filter (where gap_days is not null) as gap_last_days,
        max_by(last_three_gaps_days, day) filter (where last_three_gaps_days is not null) as last_three_gaps_days,
        max(gap_days) filter (where order_day_number = 2) as second_gap_days
    from known_gaps
    group by
        cutoff_date,
        customer_id

),

sums as (

    select
        cutoffs_in_scope.cutoff_date,
        days.customer_id,
        min(days.day) filter (where days.n_orders > 0) as first_order_on,
        max(days.day) filter (where days.n_orders > 0) as last_order_on,
        min({{ open_day('days.day') }}) filter (where days.n_orders > 0) as first_order_open_day,
        max({{ open_day('days.day') }}) filter (where days.n_orders > 0) as last_order_open_day,
        sum(days.n_orders) as n_orders,
        {%- for window in range(6) %}
        coalesce(sum(days.n_orders) filter (
            where
                {{ open_day('days.day') }} >= cutoffs_in_scope.open_cutoff - {{ 30 * (window + 1) }}
                {%- if window %}
                and {{ open_day('days.day') }} < cutoffs_in_scope.open_cutoff - {{ 30 * window }}
                {%- endif %}
        ), 0) as n_orders_window_{{ window + 1 }},
        {%- endfor %}
        sum(days.n_orders) filter (where days.day >= cutoffs_in_scope.cutoff_date - {{ window_days }}) as n_orders_365d,
        sum(days.net_sales) filter (
            where {{ open_day('days.day') }} >= cutoffs_in_scope.open_cutoff - 30
        ) as net_sales_30d,
        sum(days.net_sales) filter (
            where {{ open_day('days.day') }} >= cutoffs_in_scope.open_cutoff - 90
        ) as net_sales_90d,
        sum(days.net_sales) filter (
            where
                {{ open_day('days.day') }} >= cutoffs_in_scope.open_cutoff - 180
                and {{ open_day('days.day') }} < cutoffs_in_scope.open_cutoff - 90
        ) as net_sales_prev_90d,
        sum(days.net_sales) filter (where days.day >= cutoffs_in_scope.cutoff_date - {{ window_days }}) as net_sales_365d,
        sum(days.net_sales) as net_sales_total,
        cast(sum(days.gross_sales) as double) as gross_sales,
        min_by(days.gross_sales, days.day) filter (
            where days.n_orders > 0 and days.gross_sales is not null
        ) as first_order_amount,
        max_by(cast(days.gross_sales as double) / nullif(days.n_orders, 0), days.day) filter (
            where days.n_orders > 0 and days.gross_sales is not null
        ) as order_value_last,
        sum(days.n_lines) as n_lines,
        sum(days.n_return_lines) as n_return_lines,
        sum(days.quantity) as quantity,
        cast(sum(days.discount_amount) as double) as discount_amount,
        sum(days.n_discount_orders) as n_discount_orders,
        sum(days.n_categories) as n_categories
    from {{ ref('customer_day') }} as days
    {{ joined_business_days('days.day') }}
    inner join cutoffs_in_scope on days.day < cutoffs_in_scope.cutoff_date
    {%- if among %}
    where days.customer_id in (select customer_id from {{ among }})
    {%- endif %}
    group by
        cutoffs_in_scope.cutoff_date,
        days.customer_id

),

histories as (

    select
        sums.*,
        rhythms.n_order_days,
        rhythms.n_gaps,
        rhythms.gap_median_days,
        rhythms.gap_max_days,
        rhythms.gap_sum_days,
        rhythms.gap_square_sum,
        rhythms.gap_last_days,
        rhythms.last_three_gaps_days,
        rhythms.second_gap_days
    from sums
    left join rhythms on sums.cutoff_date = rhythms.cutoff_date and sums.customer_id = rhythms.customer_id

),

joined_customers as (

    select
        cutoffs_in_scope.cutoff_date,
        customers.customer_id,
        customers.joined_on
    from {{ ref('stg_customers') }} as customers
    inner join cutoffs_in_scope on customers.joined_on < cutoffs_in_scope.cutoff_date
    {%- if among %}
    where customers.customer_id in (select customer_id from {{ among }})
    {%- endif %}

),

-- What was known of contracts at each cutoff: an early end only once it lay in the past.
contract_terms as (

    select
        cutoffs_in_scope.cutoff_date,
        contracts.customer_id,
        contracts.started_on,
        coalesce(
            case
                when contracts.ended_on < cutoffs_in_scope.cutoff_date
                    then least(contracts.ended_on, coalesce(contracts.ends_on, contracts.ended_on))
                else contracts.ends_on
            end,
            cast('9999-12-31' as date)
        ) as covered_until_on
    from {{ ref('stg_contracts') }} as contracts
    inner join cutoffs_in_scope on contracts.started_on < cutoffs_in_scope.cutoff_date
    {%- if among %}
    where contracts.customer_id in (select customer_id from {{ among }})
    {%- endif %}

),

contracts as (

    select
        cutoff_date,
        customer_id,
        min(started_on) as contract_since_on,
        max(covered_until_on) as covered_until_on,
        count(distinct started_on) - 1 as n_contract_renewals
    from contract_terms
    group by
        cutoff_date,
        customer_id

),

seen as (

    select
        cutoff_date,
        customer_id
    from contracts

    union distinct

    select
        cutoff_date,
        customer_id
    from histories

    union distinct

    select
        cutoff_date,
        customer_id
    from joined_customers

),

complaints as (

    select
        cutoffs_in_scope.cutoff_date,
        interactions.customer_id,
        count(*) as n_complaints_90d
    from {{ ref('stg_interactions') }} as interactions
    inner join cutoffs_in_scope
        on
            interactions.occurred_on < cutoffs_in_scope.cutoff_date
            and interactions.occurred_on >= cutoffs_in_scope.cutoff_date - 90
    where interactions.kind = 'complaint'
    group by
        cutoffs_in_scope.cutoff_date,
        interactions.customer_id

),

contacts as (

    select
        cutoffs_in_scope.cutoff_date,
        sent.customer_id,
        count(*) as n_contacts_90d
    from {{ ref('stg_contacts') }} as sent
    inner join cutoffs_in_scope
        on
            sent.sent_on < cutoffs_in_scope.cutoff_date
            and sent.sent_on >= cutoffs_in_scope.cutoff_date - 90
            -- Somebody held out was kept from a contact.
            and coalesce(sent.outcome, 'sent') <> 'held_out'
    group by
        cutoffs_in_scope.cutoff_date,
        sent.customer_id

),

-- Balances hold from day to day, so their averages are over days. All accounts of a customer are added up.
balance_windows as (

    select
        cutoffs_in_scope.cutoff_date,
        spans.customer_id,
        min(spans.from_day) as first_day,
        sum(
            case when coalesce(spans.until_day, cutoffs_in_scope.cutoff_date) >= cutoffs_in_scope.cutoff_date then spans.balance end
        ) as balance,
        {%- for name, first, last in [('30d', 30, 0), ('prev_90d', 120, 30)] %}
        sum(spans.balance * {{ days_within('spans', first, last) }}) as balance_days_{{ name }},
        {%- endfor %}
        sum(greatest(spans.balance, 0) * {{ days_within('spans', window_days, 0) }}) as deposit_days,
        sum(greatest(-spans.balance, 0) * {{ days_within('spans', window_days, 0) }}) as lending_days,
        sum(greatest(spans.balance, 0) * {{ days_within('spans', 30, 0) }}) as deposit_days_30d,
        sum(greatest(-spans.balance, 0) * {{ days_within('spans', 30, 0) }}) as lending_days_30d
    from {{ ref('balance_spans') }} as spans
    inner join cutoffs_in_scope
        on
            spans.from_day < cutoffs_in_scope.cutoff_date
            and coalesce(spans.until_day, cutoffs_in_scope.cutoff_date)
            > cutoffs_in_scope.cutoff_date - {{ [window_days, 120] | max }}
    group by
        cutoffs_in_scope.cutoff_date,
        spans.customer_id

),

-- Since less than the window: over the days since the first balance.
balance_averages as (

    select
        *,
        cast(balance_days_30d as double)
        / nullif(least(30, {{ dbt.datediff('first_day', 'cutoff_date', 'day') }}), 0) as balance_30d,
        cast(balance_days_prev_90d as double)
        / nullif(least(90, greatest({{ dbt.datediff('first_day', 'cutoff_date', 'day') }} - 30, 0)), 0) as balance_prev_90d,
        {{ interest('deposit_days', 'lending_days') }} as interest,
        {{ interest('deposit_days_30d', 'lending_days_30d') }} / nullif(
            least(30, {{ dbt.datediff('first_day', 'cutoff_date', 'day') }}), 0
        ) as interest_a_day
    from balance_windows

),

fees as (

    {{ fees_before_cutoffs(window_days) }}

),

-- Asked of the rows before each cutoff, and not of what sources bring today: a first contact after the cutoff
-- must not turn an unknown into a zero.
cutoff_context as (

    select
        cutoffs_in_scope.cutoff_date,
        cutoffs_in_scope.open_cutoff,
        coalesce(
            cutoffs_in_scope.cutoff_date > (select min(occurred_on) from {{ ref('stg_interactions') }}), false
        ) as has_interactions,
        coalesce(
            cutoffs_in_scope.cutoff_date > (select min(sent_on) from {{ ref('stg_contacts') }}), false
        ) as has_contacts,
        coalesce(
            cutoffs_in_scope.cutoff_date > (select min(day) from {{ ref('customer_day') }} where n_return_lines > 0), false
        ) as has_returns,
        nodes.lost_days,
        {{ is_contractual() }} as is_contractual
    from cutoffs_in_scope
    inner join {{ ref('lifecycle_nodes') }} as nodes on cutoffs_in_scope.cutoff_date = nodes.cutoff_date

),

-- One narrow row for everybody. It is the side of the join that is held in memory; the wide histories stream past it.
people as (

    select
        seen.cutoff_date,
        seen.customer_id,
        joined_customers.joined_on,
        contracts.contract_since_on,
        contracts.covered_until_on,
        contracts.n_contract_renewals,
        complaints.n_complaints_90d,
        contacts.n_contacts_90d,
        balance_averages.balance,
        balance_averages.balance_30d,
        balance_averages.balance_prev_90d,
        balance_averages.interest,
        balance_averages.interest_a_day,
        fees.fees,
        outliers.reason as outlier_account_reason
    from seen
    left join joined_customers
        on seen.cutoff_date = joined_customers.cutoff_date and seen.customer_id = joined_customers.customer_id
    left join contracts on seen.cutoff_date = contracts.cutoff_date and seen.customer_id = contracts.customer_id
    left join complaints on seen.cutoff_date = complaints.cutoff_date and seen.customer_id = complaints.customer_id
    left join contacts on seen.cutoff_date = contacts.cutoff_date and seen.customer_id = contacts.customer_id
    left join balance_averages
        on seen.cutoff_date = balance_averages.cutoff_date and seen.customer_id = balance_averages.customer_id
    left join fees on seen.cutoff_date = fees.cutoff_date and seen.customer_id = fees.customer_id
    left join {{ ref('outlier_accounts') }} as outliers on seen.customer_id = outliers.customer_id

),

measured as (

    select
        people.cutoff_date,
        people.customer_id,
        people.joined_on,
        cutoff_context.lost_days,
        cutoff_context.is_contractual,
        people.contract_since_on,
        people.covered_until_on,
        people.n_contract_renewals,
        people.outlier_account_reason,
        cast(people.balance as double) as balance,
        people.balance_30d,
        people.balance_prev_90d,
        -- An account that was never used is no customer yet.
        case when histories.customer_id is not null then people.interest end as interest,
        case when histories.customer_id is not null then people.interest_a_day end as interest_a_day,
        cast(people.fees as double) as fees,
        histories.first_order_on,
        histories.last_order_on,
        cast({{ dbt.datediff('histories.last_order_open_day', 'cutoff_context.open_cutoff', 'day') }} as double)
            as days_since_last_order,
        cast({{ dbt.datediff('histories.first_order_open_day', 'histories.last_order_open_day', 'day') }} as double)
            as recency_days,
        cast({{ dbt.datediff('histories.first_order_open_day', 'cutoff_context.open_cutoff', 'day') }} as double) as tenure_days,
        coalesce(histories.n_orders, 0) as n_orders,
        coalesce(histories.n_order_days, 0) as n_order_days,
        cast(histories.gap_median_days as double) as gap_median_days,
        cast(histories.gap_sum_days as double) / nullif(histories.n_gaps, 0) as gap_mean_days,
        cast(histories.gap_max_days as double) as gap_max_days,
        sqrt(
            cast(
                histories.n_gaps * histories.gap_square_sum - histories.gap_sum_days * histories.gap_sum_days as double
            )
            / nullif(histories.n_gaps * (histories.n_gaps - 1), 0)
        ) as gap_std_days,
        cast(histories.gap_last_days as double) as gap_last_days,
        histories.last_three_gaps_days,
        cast(histories.second_gap_days as double) as second_gap_days,
        {%- for window in range(6) %}
        coalesce(histories.n_orders_window_{{ window + 1 }}, 0) as n_orders_window_{{ window + 1 }},
        {%- endfor %}
        coalesce(histories.n_orders_365d, 0) as n_orders_365d,
        cast(coalesce(histories.net_sales_30d, 0) as double) as net_sales_30d,
        cast(coalesce(histories.net_sales_90d, 0) as double) as net_sales_90d,
        cast(coalesce(histories.net_sales_prev_90d, 0) as double) as net_sales_prev_90d,
        cast(coalesce(histories.net_sales_365d, 0) as double) as net_sales_365d,
        cast(coalesce(histories.net_sales_total, 0) as double) as net_sales_total,
        histories.gross_sales,
        -- Money that came back was not spent: an order and its return cancel, whenever the return came.
        case
            when histories.first_order_amount is not null
                then least(cast(histories.first_order_amount as double), {{ kept_sales }})
        end as first_order_amount,
        case
            when histories.order_value_last is not null then least(histories.order_value_last, {{ kept_sales }})
        end as order_value_last,
        {{ kept_sales }} / nullif(histories.n_orders, 0) as average_order_value,
        histories.n_lines,
        histories.n_return_lines,
        cutoff_context.has_returns,
        -- Units come back with their money.
        cast(histories.quantity as double) * {{ kept_sales }} / nullif(histories.gross_sales, 0) as quantity,
        histories.discount_amount,
        histories.n_discount_orders,
        histories.n_categories,
        case when cutoff_context.has_interactions then coalesce(people.n_complaints_90d, 0) end as n_complaints_90d,
        {%- if unprofiled %}
        unprofiled.customer_id is not null as is_unprofiled,
        {%- endif %}
        case when cutoff_context.has_contacts then coalesce(people.n_contacts_90d, 0) end as n_contacts_90d
    from histories
    right join people on histories.cutoff_date = people.cutoff_date and histories.customer_id = people.customer_id
    inner join cutoff_context on people.cutoff_date = cutoff_context.cutoff_date
    {%- if unprofiled %}
    left join {{ unprofiled }} as unprofiled on people.customer_id = unprofiled.customer_id
    {%- endif %}

),

judged as (

    select
        *,
        n_orders_window_1 + n_orders_window_2 + n_orders_window_3 as n_orders_90d,
        n_orders_window_4 + n_orders_window_5 + n_orders_window_6 as n_orders_prev_90d,
        case
            {%- if unprofiled %}
            when is_unprofiled then 'refuses_profiling'
            {%- endif %}
            when n_orders = 0 then 'never_purchased'
            when outlier_account_reason is not null then 'outlier_account'
            when is_contractual and covered_until_on is null then 'no_contract'
            when is_contractual and covered_until_on < cutoff_date then 'contract_ended'
            when not is_contractual and days_since_last_order >= lost_days then 'lost'
            when tenure_days < {{ var('churn_min_tenure_days') }} then 'too_little_history'
        end as ineligible_reason
    from measured

)

select
    cutoff_date as {{ date_column }},
    customer_id,
    joined_on,
    first_order_on,
    last_order_on,
    ineligible_reason is null as is_eligible,
    cast(ineligible_reason as string) as ineligible_reason,
    cast(outlier_account_reason as string) as outlier_account_reason,
    case
        when is_contractual then coalesce(covered_until_on >= cutoff_date, false)
        else coalesce(days_since_last_order <= {{ var('churn_horizon_days') }}, false)
    end as is_active,
    -- recency
    days_since_last_order,
    recency_days,
    tenure_days,
    case when n_order_days > 0 then cast(n_order_days - 1 as double) end as frequency,
    cast(n_orders as double) as n_orders,
    cast(n_order_days as double) as n_order_days,
    -- recency against the customer's own rhythm
    days_since_last_order / nullif(gap_median_days, 0) as recency_over_gap_median,
    days_since_last_order / nullif(gap_mean_days, 0) as recency_over_gap_mean,
    days_since_last_order / nullif(gap_max_days, 0) as recency_over_gap_max,
    (days_since_last_order - gap_mean_days) / nullif(gap_std_days, 0) as recency_gap_z,
    -- regularity
    gap_median_days,
    gap_mean_days,
    gap_max_days,
    gap_std_days,
    gap_std_days / nullif(gap_mean_days, 0) as gap_cv,
    gap_last_days,
    gap_last_days / nullif(gap_median_days, 0) as gap_last_over_median,
    last_three_gaps_days / nullif(gap_mean_days, 0) as gap_last3_over_mean,
    -- trend
    cast(n_orders_window_1 as double) as n_orders_30d,
    cast(n_orders_90d as double) as n_orders_90d,
    cast(n_orders_prev_90d as double) as n_orders_prev_90d,
    cast(n_orders_90d + 1 as double) / nullif(n_orders_prev_90d + 1, 0) as orders_trend_ratio,
    net_sales_30d,
    net_sales_90d,
    net_sales_prev_90d,
    -- One average order is added to both sides, as one order is above: an empty quarter divides nothing by zero.
    (greatest(net_sales_90d, cast(0 as double)) + average_order_value)
    / nullif(greatest(net_sales_prev_90d, cast(0 as double)) + average_order_value, 0) as sales_trend_ratio,
    -- Least squares slope over six equally spaced counts, x = 1 (oldest) to 6: sum of (2x - 7) * count over 35.
    cast(
        5 * (n_orders_window_1 - n_orders_window_6)
        + 3 * (n_orders_window_2 - n_orders_window_5)
        + (n_orders_window_3 - n_orders_window_4) as double
    ) / 35 as orders_slope_6m,
    -- first purchases
    first_order_amount,
    second_gap_days,
    -- money
    net_sales_total,
    cast(n_orders_365d as double) as n_orders_365d,
    net_sales_365d,
    {{ margin_of('net_sales_365d', 'fees', 'interest') }} as margin_365d,
    average_order_value,
    order_value_last / nullif(average_order_value, 0) as order_value_last_over_mean,
    -- basket
    cast(n_lines - n_return_lines as double) / nullif(n_orders, 0) as lines_per_order,
    quantity / nullif(n_orders, 0) as quantity_per_order,
    discount_amount / nullif(gross_sales + discount_amount, 0) as discount_share,
    cast(n_discount_orders as double) / nullif(n_orders, 0) as discount_order_share,
    case when has_returns then cast(n_return_lines as double) / nullif(n_lines, 0) end as return_share,
    cast(n_categories as double) / nullif(n_order_days, 0) as categories_per_day,
    -- rate
    30 * cast(n_orders as double) / nullif(tenure_days, 0) as orders_per_30d,
    -- service
    cast(n_complaints_90d as double) as n_complaints_90d,
    cast(n_contacts_90d as double) as n_contacts_90d,
    -- contract: days that are still covered, none for an open end; the cutoff itself is the first of them
    case
        when covered_until_on < cast('9999-12-31' as date)
            then cast({{ dbt.datediff('cutoff_date', 'covered_until_on', 'day') }} + 1 as double)
    end as contract_days_left,
    cast({{ dbt.datediff('contract_since_on', 'cutoff_date', 'day') }} as double) as contract_tenure_days,
    cast(n_contract_renewals as double) as n_contract_renewals,
    -- balances: what is nothing or a debt is no base of a ratio
    balance,
    balance_30d,
    balance_prev_90d,
    case when balance_prev_90d > 0 then greatest(balance_30d, 0) / nullif(balance_prev_90d, 0) end as balance_trend_ratio,
    case
        when interest_a_day is not null or fees is not null
            then
                coalesce(interest_a_day, 0)
                + coalesce(fees, 0) * (1 - cast({{ var('value_margin_share') }} as double)) / {{ window_days }}
    end as income_a_day
from judged
{% endmacro %}
