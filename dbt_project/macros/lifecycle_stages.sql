{# The stages of a customer's life, in the order in which they are passed. #}
{% macro lifecycle_stages() %}
    {{ return(['never_purchased', 'new', 'active', 'silent', 'dormant', 'lost']) }}
{% endmacro %}
