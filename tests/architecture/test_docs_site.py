"""The site of `make docs`: a page for every table, links that lead somewhere, nothing from the network."""

import re
from pathlib import Path

import pytest
import yaml

from assets.shared.errors import UserError
from pipelines import docs


@pytest.fixture(scope="module")
def pages(tmp_path_factory, project) -> Path:
    """Everything that the builder gets."""
    folder = tmp_path_factory.mktemp("docs")
    docs.write_pages(folder, project.as_dict)
    return folder


@pytest.mark.campaign
def test_every_public_table_has_a_page_with_its_columns(pages, project):
    listed = (pages / "pages" / "tables" / "index.md").read_text()
    for name, node in project.models_in("marts").items():
        page = (pages / "pages" / "tables" / f"{name}.md").read_text()
        assert f"[{name}]({name}.md)" in listed
        assert all(f"| `{column}` |" in page for column in node["columns"]) and "**Grain:**" in page
    assert "**Made from:**" in (pages / "pages" / "tables" / "features.md").read_text()


def test_every_page_of_the_guide_is_in_the_navigation(pages):
    configuration = yaml.safe_load((pages / "mkdocs.yml").read_text())
    named = set(re.findall(r"[\w/.-]+\.md", str(configuration["nav"])))
    there = {path.relative_to(pages / "pages").as_posix() for path in (pages / "pages").rglob("*.md")}
    assert named == there


def test_links_to_files_outside_are_names(pages):
    text = docs._within_site("[a](../dbt_project/seeds) [b](../README.md#commands) [c](docs/decisions)", Path("x.md"))
    assert text == "a (`dbt_project/seeds`) [b](index.md#commands) [c](decisions/index.md)"


@pytest.mark.slow
def test_the_site_is_built_checks_its_links_and_loads_nothing(tmp_path):
    """Of two pages: all of them take a minute."""
    (tmp_path / "pages").mkdir()
    configuration = yaml.safe_load((docs.ROOT / "docs" / "site.yml").read_text())
    configuration |= {"nav": ["index.md", "other.md"], "extra_css": []}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(configuration))
    (tmp_path / "pages" / "index.md").write_text("# One\n\n[other](other.md#two)\n")
    (tmp_path / "pages" / "other.md").write_text("# Two\n")
    docs.build(tmp_path, tmp_path / "site")
    html = (tmp_path / "site" / "index.html").read_text()
    assert not re.findall(r'(?:src|href)="https?://(?!squidfunk)[^"]+"', html)
    (tmp_path / "pages" / "index.md").write_text("# One\n\n[gone](gone.md) [other](other.md#three)\n")
    with pytest.raises(UserError) as error:
        docs.build(tmp_path, tmp_path / "site")
    assert "gone.md" in str(error.value) and "#three" in str(error.value)
