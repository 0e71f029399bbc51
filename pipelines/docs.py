"""`make docs`: the guide, the decisions and a page a table as one site that needs no server and no network.

In: the Markdown of the repository and the parsed dbt project. Out: `site/`, and a warning, which fails the build, for
every link that leads nowhere. Reads no home: tables are described by their declarations.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from assets.shared.errors import UserError

ROOT = Path(__file__).resolve().parents[1]
SITE = ROOT / "site"

#: Pages outside `docs/`: file of the repository to page of the site.
PAGES = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "RELEASING.md": "releasing.md",
}

_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]+)\]\((?P<to>[^)\s]+)\)")


def main() -> int:
    """Build the site. Returns the exit code."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            pages = Path(folder) / "pages"
            write_pages(pages, read_project(Path(folder)))
            build(pages, SITE)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"open {SITE / 'index.html'}")
    return 0


def read_project(folder: Path) -> Mapping[str, Any]:
    """The dbt project as a dictionary; what dbt leaves behind goes into `folder`."""
    from assets.dbt.manifest import parse_project
    from assets.shared.settings import DEFAULT_SOURCE, Settings

    return parse_project(Settings(home=folder / "home", sources=(DEFAULT_SOURCE,))).as_dict


def build(pages: Path, site: Path) -> None:
    """Make the site of the pages. Raises UserError, with what the builder said, for links that lead nowhere."""
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--config-file",
        str(pages / "mkdocs.yml"),
    ]
    done = subprocess.run([*command, "--site-dir", str(site)], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return
    if "No module named mkdocs" in done.stderr:
        raise UserError("mkdocs is not installed", "make .venv/.ready, or pip install 'holdfast[docs]'")
    wrong = [line for line in done.stderr.splitlines() if line.startswith(("WARNING", "ERROR"))]
    raise UserError("\n".join(wrong) or done.stderr.strip(), "correct these links; pages/… stands for docs/…")


def write_pages(folder: Path, project: Mapping[str, Any]) -> None:
    """Everything that the builder needs, in `folder`: the guide, pages made from the project, the configuration."""
    pages = folder / "pages"
    shutil.copytree(ROOT / "docs", pages)
    for name, page in PAGES.items():
        (pages / page).write_text(_from_root((ROOT / name).read_text()))
    for path in pages.rglob("*.md"):
        path.write_text(_within_site(path.read_text(), path.relative_to(pages)))
    decisions = sorted((pages / "decisions").glob("*.md"))
    (pages / "decisions" / "index.md").write_text(
        "# Decisions\n\n" + "".join(f"- [{_title(path)}]({path.name})\n" for path in decisions)
    )
    (pages / "tables").mkdir()
    for name, text in table_pages(project).items():
        (pages / "tables" / name).write_text(text)
    configuration = yaml.safe_load((pages / "site.yml").read_text())
    (pages / "site.yml").unlink()
    public = [name for name in _pages_of(pages / "tables") if Path(name).stem not in _stages(project)]
    inner = [name for name in _pages_of(pages / "tables") if name not in public]
    lists: dict[str, list[Any]] = {
        "Tables": [*public, {"Within the warehouse": inner}],
        "Decisions": _pages_of(pages / "decisions"),
    }
    configuration["nav"] = _filled(configuration["nav"], lists)
    unnamed = [path.name for path in sorted(pages.glob("*.md")) if path.name not in str(configuration["nav"])]
    configuration["nav"] += unnamed
    (folder / "mkdocs.yml").write_text(yaml.safe_dump(configuration, sort_keys=False))


def _filled(nav: list[Any], lists: Mapping[str, list[Any]]) -> list[Any]:
    """The navigation with the lists in the sections of these names."""
    return [
        {
            title: lists[title] if title in lists else _filled(below, lists) if isinstance(below, list) else below
            for title, below in entry.items()
        }
        for entry in nav
    ]


def _stages(project: Mapping[str, Any]) -> set[str]:
    return {node["schema"] for node in [*project["nodes"].values(), *project["sources"].values()]}


def _pages_of(folder: Path) -> list[str]:
    """The pages of a folder for the navigation, its list first."""
    return sorted(
        (f"{folder.name}/{path.name}" for path in folder.glob("*.md")), key=lambda p: (p[-8:] != "index.md", p)
    )


def _from_root(text: str) -> str:
    """Links of a page that stood above `docs/`."""
    return text.replace("](docs/decisions)", "](decisions/index.md)").replace("](docs/", "](")


def _within_site(text: str, page: Path) -> str:
    """`text` with links to pages that have another name here; other files of the repository are named, not linked."""
    up = "../" * (len(page.parts) - 1)

    def link(found: re.Match[str]) -> str:
        to, _, anchor = found["to"].partition("#")
        name = to.split("/")[-1]
        if to.endswith("docs/decisions") or to == "decisions":
            return f"[{found['text']}]({up}decisions/index.md)"
        if name in PAGES and to.strip("./") == name:
            return f"[{found['text']}]({up}{PAGES[name]}{'#' + anchor if anchor else ''})"
        if "://" in to or to.endswith((".md", ".png")) or not to:
            return found[0]
        return f"{found['text']} (`{to.removeprefix('../')}`)"

    return _LINK.sub(link, text)


def _title(path: Path) -> str:
    first = path.read_text().splitlines()[0].removeprefix("# ")
    return first if first[0].isdigit() else f"{int(path.name[:4])}. {first}"


def table_pages(project: Mapping[str, Any]) -> dict[str, str]:
    """File name to Markdown: a page for each public table, one a stage for the others, and the list of all."""
    tables = [
        node
        for node in [*project["nodes"].values(), *project["sources"].values()]
        if node["resource_type"] in ("model", "seed", "source")
    ]
    readers = _readers(project)
    stages: dict[str, list[Mapping[str, Any]]] = {}
    for node in sorted(tables, key=_name):
        stages.setdefault(node["schema"], []).append(node)
    pages = {f"{_name(node)}.md": _table(node, project, readers, 1) for node in stages["marts"]}
    for stage, nodes in sorted(stages.items()):
        if stage != "marts":
            head = f"# Stage {stage}\n\nNot published: these tables are in the working warehouse.\n\n"
            pages[f"{stage}.md"] = head + "\n".join(_table(node, project, readers, 2) for node in nodes)
    public = "".join(f"| [{_name(n)}]({_name(n)}.md) | {_cell(_grain(n))} | {_cell(_meta(n).get('for', ''))} |\n"
                     for n in stages["marts"])  # fmt: skip
    others = "".join(f"- [{s}]({s}.md): {', '.join(map(_name, nodes))}\n" for s, nodes in sorted(stages.items())
                     if s != "marts")  # fmt: skip
    pages["index.md"] = (
        "# Tables\n\nWhat readers see is schema `marts`; schema `history` has the same tables over all as-of dates.\n\n"
        f"| table | grain | for |\n|---|---|---|\n{public}\n## Within the warehouse\n\n{others}"
    )
    return pages


def _readers(project: Mapping[str, Any]) -> dict[str, list[str]]:
    """Unique id to the tables and uses that read it."""
    found: dict[str, list[str]] = {}
    for node in [*project["nodes"].values(), *project["exposures"].values()]:
        if node["resource_type"] in ("model", "exposure"):
            for read in node["depends_on"]["nodes"]:
                found.setdefault(read, []).append(node.get("label") or _qualified(node))
    return found


def _table(node: Mapping[str, Any], project: Mapping[str, Any], readers: Mapping[str, list[str]], level: int) -> str:
    meta = _meta(node)
    every = {**project["nodes"], **project["sources"]}
    reads = [_qualified(every[uid]) for uid in node.get("depends_on", {}).get("nodes", ()) if uid in every]
    facts = {
        "Grain": _grain(node),
        "Key": ", ".join(f"`{column}`" for column in meta.get("key", ())),
        "For": meta.get("for", ""),
        "Made from": ", ".join(f"`{name}`" for name in sorted(set(reads))),
        "Read by": ", ".join(sorted(set(readers.get(node["unique_id"], ())))),
    }
    lines = [f"{'#' * level} {_name(node)}", "", " ".join(node["description"].split()), ""]
    lines += [f"- **{name}:** {' '.join(str(words).split())}" for name, words in facts.items() if words]
    lines += ["", "| column | type | meaning |", "|---|---|---|"]
    lines += [
        f"| `{column['name']}` | {column.get('data_type') or ''} | {_cell(column['description'])} |"
        for column in node["columns"].values()
    ]
    return "\n".join([*lines, *_rules(meta.get("rules", ())), ""])


def _rules(rules: Iterable[Mapping[str, Any]]) -> list[str]:
    """The sentences of the rules that the table must keep to be published."""
    said = [" ".join(rule["reason"].split()) for rule in rules if rule.get("reason")]
    return ["", "A night is published only where:", "", *(f"- {words}" for words in said)] if said else []


def _meta(node: Mapping[str, Any]) -> Mapping[str, Any]:
    return node.get("config", {}).get("meta") or node.get("meta") or {}


def _grain(node: Mapping[str, Any]) -> str:
    return _meta(node).get("grain", "")


def _name(node: Mapping[str, Any]) -> str:
    return node.get("alias") or node["name"]


def _qualified(node: Mapping[str, Any]) -> str:
    return f"{node['schema']}.{_name(node)}"


def _cell(text: str) -> str:
    return " ".join(str(text).split()).replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
