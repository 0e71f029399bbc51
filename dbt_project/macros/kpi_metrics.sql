{#
  Every number of the morning: name, what it says, its SQL over any rows of retention_kpis, unit and owner. The one place
  where a metric is defined: kpi_levels computes its rates from here, metric_definitions publishes them.
#}
{% macro kpi_metrics() %}
    {%- set desk, control, service = 'Retention desk', 'Management and controlling', 'Customer service' -%}
    {%- set found = [
        ('n_opening_customers', 'Customers not lost on the evening before.', none, 'customers', control),
        ('n_new_customers', 'Customers whose first order is of the day.', none, 'customers', control),
        ('n_referred_customers', 'New customers of the day whom another customer brought.', none, 'customers', control),
        ('n_won_back_customers', 'Customers who ordered on the day and were lost before.', none, 'customers', desk),
        ('n_lost_customers', 'Customers whose silence reached lost on the day.', none, 'customers', desk),
        ('n_closing_customers', 'Customers not lost that evening.', none, 'customers', control),
        ('n_moved_customers', 'Customers who came from other groups less those who left to other groups.', none,
            'customers', control),
        ('n_customers', 'Customers who ever ordered.', none, 'customers', control),
        ('n_active_customers', 'Customers with an order within the churn horizon up to the day.', none, 'customers', desk),
        ('n_retained_customers', 'Of the active ones, those who ordered again within the horizon after the day.', none,
            'customers', desk),
        ('n_buying_customers', 'Customers with an order on the day.', none, 'customers', control),
        ('n_returning_customers', 'Customers with an order on the day and one before.', none, 'customers', control),
        ('n_resumed_customers', 'Customers who ordered on the day and were silent or dormant before.', none, 'customers',
            desk),
        ('n_orders', 'Orders of the day.', none, 'orders', control),
        ('net_sales', 'Sales of the day less returns of the day.', none, 'money', control),
        ('margin', 'Net sales times the margin share; at a bank without fees as a whole and interest on balances.', none, 'money', control),
        ('n_complaints', 'Complaints of the day.', none, 'complaints', service),
        ('n_contacts', 'Contacts sent on the day.', none, 'contacts', desk),
        ('n_contacted_customers', 'Customers contacted on the day.', none, 'customers', desk),
        ('n_reached_customers', 'Customers whose contact of the day did not bounce.', none, 'customers', desk),
        ('n_scored_customers', 'Customers with an expected margin, on the newest evening.', none, 'customers', desk),
        ('expected_margin_year', 'What they are expected to bring in the coming year.', none, 'money', desk),
        ('average_order_value', 'Net sales of an order.',
            'cast(sum(net_sales) as double) / nullif(sum(n_orders), 0)', 'money', control),
        ('customer_lifetime_value', 'What a customer is expected to bring in the coming year.',
            'cast(sum(expected_margin_year) as double) / nullif(sum(n_scored_customers), 0)', 'money', desk),
        ('repeat_rate', 'Share of the buyers of the day who had bought before.',
            'cast(sum(n_returning_customers) as double) / nullif(sum(n_buying_customers), 0)', 'share', control),
        ('retention_rate', 'Share of the active customers who order again within the horizon.',
            'cast(sum(case when not is_left_censored then n_retained_customers end) as double) '
            ~ '/ nullif(sum(n_active_customers), 0)', 'share', desk),
        ('churn_rate', 'Share of the active customers who do not order again within the horizon.',
            'cast(sum(case when not is_left_censored then n_active_customers - n_retained_customers end) as double) '
            ~ '/ nullif(sum(n_active_customers), 0)', 'share', desk),
        ('reach_rate', 'Share of the contacted customers whose contact did not bounce.',
            'cast(sum(n_reached_customers) as double) / nullif(sum(n_contacted_customers), 0)', 'share', desk),
    ] -%}
    {%- set metrics = [] -%}
    {%- for name, sentence, sql, unit, owner in found -%}
        {%- do metrics.append({
            'name': name, 'sentence': sentence, 'is_sum': sql is none, 'unit': unit, 'owner': owner,
            'sql': sql if sql is not none else 'sum(' ~ name ~ ')',
        }) -%}
    {%- endfor -%}
    {{ return(metrics) }}
{% endmacro %}

{# The measures of the KPIs that add up over the rows of a day: counts, and sums of money. #}
{% macro kpi_measures() %}
    {{ return(kpi_metrics() | selectattr('is_sum') | map(attribute='name') | list) }}
{% endmacro %}

{# The rates and averages, which no sum gives. #}
{% macro kpi_rates() %}
    {{ return(kpi_metrics() | rejectattr('is_sum') | list) }}
{% endmacro %}

{% macro kpi_type(metric) -%}
    {{ 'double' if metric.unit == 'share' else 'decimal(18, 2)' if metric.unit == 'money' else 'bigint' }}
{%- endmacro %}
