{# The measures of the KPIs that add up over the rows of a day: counts, and money in two of them. #}
{% macro kpi_measures() %}
    {{ return([
        'n_opening_customers', 'n_new_customers', 'n_won_back_customers', 'n_lost_customers', 'n_closing_customers',
        'n_moved_customers', 'n_customers', 'n_active_customers', 'n_retained_customers', 'n_buying_customers',
        'n_returning_customers', 'n_resumed_customers', 'n_orders', 'net_sales', 'margin', 'n_complaints', 'n_contacts',
        'n_contacted_customers', 'n_reached_customers', 'n_scored_customers', 'expected_margin_year',
    ]) }}
{% endmacro %}

{% macro kpi_money_or_count(measure) -%}
    {{ 'bigint' if measure.startswith('n_') else 'decimal(18, 2)' }}
{%- endmacro %}
