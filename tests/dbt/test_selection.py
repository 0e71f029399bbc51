"""What a build hands to dbt is exactly what it was asked for."""

import pytest

from assets.dbt.runner import invoke_dbt, tagged


def listed(settings, manifest, selector: str) -> set[str]:
    found = invoke_dbt(
        settings, ["list", "--select", selector, "--indirect-selection", "empty", "--output", "name"], manifest
    )
    return set(found.result)


def test_the_tag_selects_the_named_nodes_and_no_other(project_home, project):
    model, test = "model.holdfast.customer_rfm", next(u for u in project.as_dict["nodes"] if u.startswith("test."))
    with tagged(project.manifest, [model, test]) as selector:
        assert listed(project_home, project.manifest, selector) == {"customer_rfm", test.split(".")[2]}


def test_the_tag_is_gone_after_a_build_that_failed(project):
    node = project.manifest.nodes["model.holdfast.customer_rfm"]
    with pytest.raises(RuntimeError), tagged(project.manifest, [node.unique_id]):
        assert "holdfast_selected" in node.tags
        raise RuntimeError
    assert "holdfast_selected" not in node.tags
