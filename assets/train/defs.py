"""Stage train in Dagster: the active model for a date, trained when the store has none or a fresh one is asked."""

from pathlib import Path

import dagster as dg

from assets.dbt.manifest import ParsedProject
from assets.model import model_store
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, building, picture, python_table_specs, row_count
from assets.train.keeper import ModelKeeper

#: Table to the pictures about it: file in the model's folder, its words. They are kept in the events of the night that
#: trained, and there once: a month of nights with the same model would keep them thirty times.
_PICTURES = {
    "model_performance": {"lift.png": "Lift of model and rule", "scores.png": "Scores by outcome"},
    "reliability": {"reliability.png": "Reliability", "calibration.png": "Reliability by group"},
    "model_selection": {"model-selection.png": "Model selection"},
    "value_performance": {"value.png": "Value"},
    "profit_curve": {"profit.png": "Profit"},
}


def drawn_with(folder: Path) -> dict[str, dict[str, dg.MarkdownMetadataValue]]:
    """Table to the pictures that the model in `folder` was saved with, by name."""
    return {
        table: {
            name.removesuffix(".png"): picture((folder / name).read_bytes(), words)
            for name, words in files.items()
            if (folder / name).exists()
        }
        for table, files in _PICTURES.items()
    }


def build_train_assets(project: ParsedProject, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """The performance tables of the active model; training it is their by-product."""
    snapshots = dg.AssetKey(["features", "training_snapshots"])

    @dg.multi_asset(
        name="train",
        specs=python_table_specs(project.source_tables("train"), "train", [snapshots], {"python", "scikitlearn"}),
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
    )
    def train(context: dg.AssetExecutionContext, run: Run):
        settings, params, day = run.settings(), run.params(), as_of(context)
        with building(context, run), run.warehouse() as con:
            known = model_store.list_models(settings.models)
            keeper = ModelKeeper(settings.models, params, run.source_names(), context.log)
            model_id = keeper.keep_active(con, day, run.retrain)
            from assets.train.performance import write_performance

            card = model_store.load_card(settings.models, model_id)
            from assets.train.card_text import with_checks

            folder, checks = settings.models / model_id, model_store.checks(settings.models, model_id)
            decision = model_store.decision_on(card, checks, day)
            write_performance(con, card, checks, day)
            words = with_checks((folder / "card.md").read_text(encoding="utf-8"), checks)
            model_store.save_words(settings.models, model_id, "card.md", words)
            context.log.info(f"scored by {decision['scored_by']}: {decision['reason']}")
            about = {
                "model": model_id,
                "scored_by": decision["scored_by"],
                "decision": decision["reason"],
                "card": dg.MetadataValue.md((folder / "card.md").read_text()),
                "folder": dg.MetadataValue.path(str(folder)),
            }
            drawn = {} if model_id in known else drawn_with(folder)
            yield dg.MaterializeResult(
                asset_key=["train", "model_performance"],
                metadata={
                    **row_count(con, "train.model_performance"),
                    **about,
                    **drawn.get("model_performance", {}),
                },
            )
            from assets.train.value.tables import headline_numbers, write_value_tables

            write_value_tables(con, folder, model_id, params)
            for table in ("value_performance", "profit_curve"):
                yield dg.MaterializeResult(
                    asset_key=["train", table],
                    metadata={
                        **row_count(con, f"train.{table}"),
                        **headline_numbers(con, table),
                        **drawn.get(table, {}),
                    },
                )
            for table in ("reliability", "model_selection", "model_monitor"):
                yield dg.MaterializeResult(
                    asset_key=["train", table],
                    metadata={**row_count(con, f"train.{table}"), **drawn.get(table, {})},
                )

    return train
