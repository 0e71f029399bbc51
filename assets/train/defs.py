"""Stage train in Dagster: the active model for a date, trained when the store has none or a fresh one is asked."""

import dagster as dg

from assets.dbt.manifest import ParsedProject
from assets.model import model_store
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, building, picture, python_table_specs, row_count
from assets.train.keeper import ModelKeeper

_PLOTS = {
    "reliability.png": "Reliability",
    "lift.png": "Lift of model and rule",
    "scores.png": "Scores by outcome",
    "model-selection.png": "Model selection",
    "calibration.png": "Reliability by group",
}
#: Table → the pictures that are about it.
_ABOUT = {"reliability": ("reliability", "calibration"), "model_selection": ("model_selection",), "model_monitor": ()}


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
            drawn = {
                name.removesuffix(".png"): picture((folder / name).read_bytes(), words)
                for name, words in _PLOTS.items()
                if (folder / name).exists()
            }
            yield dg.MaterializeResult(
                asset_key=["train", "model_performance"],
                metadata={**row_count(con, "train.model_performance"), **about, **drawn},
            )
            from assets.train.value.tables import headline_numbers, write_value_tables

            write_value_tables(con, folder, model_id, params)
            for table, words in (("value_performance", "value"), ("profit_curve", "profit")):
                plot = folder / f"{words}.png"
                yield dg.MaterializeResult(
                    asset_key=["train", table],
                    metadata={
                        **row_count(con, f"train.{table}"),
                        **headline_numbers(con, table),
                        **({"plot": picture(plot.read_bytes(), words.capitalize())} if plot.exists() else {}),
                    },
                )
            for table, pictures in _ABOUT.items():
                yield dg.MaterializeResult(
                    asset_key=["train", table],
                    metadata={
                        **row_count(con, f"train.{table}"),
                        **{name: plot for name, plot in drawn.items() if name in pictures},
                    },
                )

    return train
