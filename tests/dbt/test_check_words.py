"""Every data test says in words what it checks."""

import pytest

from assets.dbt.check_words import describe_check


def generic(name: str, **kwargs) -> dict:
    return {"test_metadata": {"name": name, "kwargs": kwargs}}


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ({"description": "Given."}, "Given."),
        (generic("unique_key", columns=["a"]), "No two rows have the same a, and none is empty."),
        (generic("unique_key", columns=["a", "b", "c"]), "No two rows have the same a, b and c, and none is empty."),
        (generic("expressions_true", expressions=["x >\n 0", "y"]), "True in every row: x > 0; y."),
        (generic("not_null", column_name="a"), "a is never empty."),
        (generic("accepted_values", column_name="a", values=["x", 1]), "a is one of x, 1."),
        (
            generic("relationships", column_name="a", field="b", to="ref('reasons')"),
            "Every a is a b of reasons.",
        ),
        ({"raw_code": "-- One\n-- two.\n-- depends_on: {{ ref('x') }}\nselect 1"}, "One two."),
        ({"raw_code": "{#- Three\n   four. #}\nselect 1"}, "Three four."),
    ],
)
def test_words(node, words):
    assert describe_check(node) == words


def test_every_check_of_the_project_has_a_description(definitions):
    graph = definitions.get_repository_def().asset_graph
    specs = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    assert len(specs) > 150
    assert [spec.name for spec in specs if not spec.description] == []
