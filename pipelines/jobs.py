"""The jobs: what runs together."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition as Job


def run_config(overrides: Mapping[str, str] | None = None, retrain: bool = False) -> dict[str, Any]:
    """Run configuration of either job: what a run may vary."""
    return {"resources": {"run": {"config": {"overrides": dict(overrides or {}), "retrain": retrain}}}}


def build_jobs() -> tuple[Job, Job]:
    """`nightly`: everything as of one date. `retrain`: the stages up to a fresh model as of one date; the nights
    from that date on score with it."""
    nightly = dg.define_asset_job(
        "nightly",
        selection=dg.AssetSelection.all(),
        config=run_config(),
        description="Everything as of one date: ingest to publish. Trains only when no model is active.",
    )
    retrain = dg.define_asset_job(
        "retrain",
        selection=dg.AssetSelection.groups("ingest", "identity", "playbook", "staging", "features", "train"),
        config=run_config(retrain=True),
        description="A fresh model as of one date. The nights from that date on score with it.",
    )
    return nightly, retrain
