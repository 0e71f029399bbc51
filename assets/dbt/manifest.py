"""The parsed dbt project.

In: the dbt project folder. Out: dbt's `Manifest` (for runs) and the same as a dictionary (for Dagster).
dbt's own partial parsing re-reads only files that changed, so a fresh parse in every process costs well under
a second and can never be stale.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from assets.dbt.check_words import describe_check
from assets.dbt.runner import invoke_dbt
from assets.shared.settings import Settings


@dataclass(frozen=True)
class ParsedProject:
    """One parse of the dbt project. `manifest` is dbt's object; `as_dict` what `manifest.json` would hold."""

    manifest: Any

    @cached_property
    def as_dict(self) -> dict[str, Any]:
        """With a description for every data test: Dagster shows it at the check."""
        found = self.manifest.writable_manifest().to_dict(omit_none=False)
        for node in found["nodes"].values():
            if node["resource_type"] == "test":
                node["description"] = describe_check(node)
                node["meta"] = {**node.get("meta", {}), "description": node["description"]}
        return found

    def node(self, unique_id: str) -> dict[str, Any]:
        return self.as_dict["nodes"][unique_id]

    def node_or_source(self, unique_id: str) -> dict[str, Any]:
        return self.as_dict["nodes"].get(unique_id) or self.as_dict["sources"][unique_id]

    def models_in(self, stage: str) -> dict[str, dict[str, Any]]:
        """Table name to node for one stage."""
        return {
            node["alias"]: node
            for node in self.as_dict["nodes"].values()
            if node["resource_type"] == "model" and node["schema"] == stage
        }

    def source_tables(self, stage: str) -> dict[str, dict[str, Any]]:
        """Name to declaration of the tables that Python makes in `stage` (models/python_sources)."""
        return {s["name"]: s for s in self.as_dict["sources"].values() if s["source_name"] == stage}


def parse_project(settings: Settings, target: str = "duckdb") -> ParsedProject:
    """Parse the project for this process, with the macros of a target. Raises UserError naming the broken file."""
    settings.dbt_target.mkdir(parents=True, exist_ok=True)
    from dbt.parser.manifest import write_semantic_manifest

    # Without manifest.json, which nobody reads and which takes longer to write than the parse. Metrics need the other.
    manifest = invoke_dbt(settings, ["parse", "--no-write-json"], target=target).result
    write_semantic_manifest(manifest, str(settings.dbt_target))
    return ParsedProject(manifest)
