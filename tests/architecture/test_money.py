"""Money that readers see is exact and names its currency."""

import re

import pytest

#: Words of a column's name that mean money; words that make a share, a ratio or a model's term of it.
MONEY = re.compile(
    r"(^|_)(sales|margin|cost|profit|spend|spent|money|amount|revenue|order_value|lifetime_value|value_at_risk)(_|$)"
)
NO_MONEY = re.compile(r"^(contribution|needs|has|is|n)_|_(share|share_proxy|ratio|rate|basis|money)$")
#: Of one contact a cent may be too coarse, for instance what an e-mail costs.
EXACT_TYPES = {"decimal(18,2)", "decimal(18,4)"}


def money_columns(columns):
    """Names of the columns that hold money, of a mapping of names to columns of a contract."""
    return [
        name
        for name, column in columns.items()
        if column["data_type"] not in {"string", "boolean", "date", "bigint", "int"}
        and MONEY.search(name)
        and not NO_MONEY.search(name)
    ]


@pytest.fixture(scope="module")
def marts(project):
    return {
        node["name"]: node["columns"]
        for node in project.as_dict["nodes"].values()
        if node["resource_type"] == "model" and node["schema"] == "marts"
    }


def test_money_in_marts_is_exact(marts):
    found = {name: money_columns(columns) for name, columns in marts.items()}
    assert sum(map(len, found.values())) > 60
    assert {"net_sales", "margin", "expected_margin_year"} <= set(found["retention_kpis"])
    assert "money_moved" in found["movement_alerts"] and "contribution_money" not in found["churn_scores"]
    inexact = {
        f"{mart}.{name}": marts[mart][name]["data_type"]
        for mart, names in found.items()
        for name in names
        if marts[mart][name]["data_type"].replace(" ", "") not in EXACT_TYPES
    }
    assert not inexact


def test_a_mart_with_money_names_its_currency(marts):
    assert [mart for mart, columns in marts.items() if money_columns(columns) and "currency" not in columns] == []


@pytest.mark.parametrize(
    ("name", "is_money"),
    [
        ("net_sales_90d", True),
        ("value_at_risk_year", True),
        ("customer_lifetime_value", True),
        ("alert_money_moved", True),
        ("discount_share", False),
        ("contribution_money", False),
        ("churn_probability", False),
        ("margin_if_retained", True),
    ],
)
def test_names_of_money(name, is_money):
    assert money_columns({name: {"data_type": "double"}}) == [name] * is_money
