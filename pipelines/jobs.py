"""The jobs: what runs together."""

import dagster as dg


def build_jobs() -> tuple[dg.UnresolvedAssetJobDefinition, dg.UnresolvedAssetJobDefinition]:
    """`nightly`: everything as of one date. `retrain`: the stages up to a fresh model as of one date; the nights
    from that date on score with it."""
    nightly = dg.define_asset_job(
        "nightly",
        selection=dg.AssetSelection.all(),
        description="Everything as of one date: ingest to publish. Trains only when no model is in force.",
    )
    retrain = dg.define_asset_job(
        "retrain",
        selection=dg.AssetSelection.groups("ingest", "playbook", "staging", "features", "train"),
        config=dg.RunConfig(resources={"run": {"config": {"retrain": True}}}),
        description="A fresh model as of one date. The nights from that date on score with it.",
    )
    return nightly, retrain
