"""The rules of sqlfluff for the dbt project (dbt_project/.sqlfluff) refuse what they are there for."""

import pytest
from sqlfluff.core import FluffConfig, Linter

from assets.shared.params import DBT_PROJECT_DIR

GOOD = """with

customers as (

    select * from {{ ref('stg_customers') }}

),

final as (

    select
        customer_id,
        {%- for column in ('region', 'age_band') %}
        cast({{ column }} as string) as {{ column }}{% if not loop.last %},{% endif %}
        {%- endfor %}
    from customers
    where joined_on < {{ as_of() }} and {{ sample_bucket('customer_id') }} < {{ var('validate_compare_days') }}

)

select * from final
"""


@pytest.fixture(scope="module")
def linter() -> Linter:
    return Linter(config=FluffConfig.from_path(str(DBT_PROJECT_DIR / "models")))


def broken(linter: Linter, sql: str) -> set[str]:
    """Codes of the rules that a text breaks; TMP and PRS stand for Jinja and SQL that cannot be read."""
    return {violation.rule_code() for violation in linter.lint_string(sql, fname="model.sql").get_violations()}


def test_the_style_of_the_house_passes(linter):
    assert broken(linter, GOOD) == set()


@pytest.mark.parametrize(
    ("here", "there", "rule"),
    [
        ("select * from final", "SELECT * from final", "CP01"),
        ("        customer_id,\n", "        Customer_id,\n", "CP02"),
        ("cast({{ column }}", "CAST({{ column }}", "CP03"),
        ("as string)", "as STRING)", "CP05"),
        ("        customer_id,\n", "        customer_id\n        , region as r,\n", "LT04"),
        ("    select * from {{", "    select customer_id, region, age_band, joined_on from {{", "LT09"),
        ("        customer_id,\n", "      customer_id,\n", "LT02"),
        ("        customer_id,\n", "        customer_id  ,\n", "LT01"),
        ("        customer_id,\n", "        customer_id as id, -- " + "x" * 120 + "\n", "LT05"),
        ("        customer_id,\n", "        customer_id id,\n", "AL02"),
        ("        customer_id,\n", "        customer_id || 'x',\n", "AL03"),
        ("        customer_id,\n", "        customer_id::string as id,\n", "CV11"),
        ("        customer_id,\n", "        customer_id != 'x' as is_x,\n", "CV01"),
        ("        customer_id,\n", "        ifnull(customer_id, 'x') as id,\n", "CV02"),
        ("    from customers\n", "    from customers c\n", "AL01"),
        ("    from customers\n", "    from customers join customers as others on true\n", "AM05"),
        ("    from customers\n", "    from customers cross join (select 1 as one) as ones\n", "ST05"),
        ("    from customers\n", "    from customers cross join {{ ref('thresholds') }} as bounds\n", "RF02"),
        ("select * from final\n", "select customer_id from final group by 1\n", "AM06"),
        ("select * from final\n", "select customer_id, region from final order by region, customer_id desc\n", "AM03"),
        ("\n)\n\nselect * from final", "\n)\nselect * from final", "LT08"),
        ("{{ as_of() }}", "{{as_of()}}", "JJ01"),
        ("{{ as_of() }}", "{{ as_off() }}", "TMP"),
        ("var('validate_compare_days')", "var('no_such_parameter')", "TMP"),
        ("from customers\n", "from from customers\n", "PRS"),
    ],
)
def test_another_style_is_refused(linter, here, there, rule):
    assert here in GOOD
    assert rule in broken(linter, GOOD.replace(here, there, 1))
