"""Stage train in Dagster: the model in force for a date, trained when the store has none or a fresh one is asked."""

from datetime import UTC, datetime

import dagster as dg

from assets.dbt.manifest import ParsedProject
from assets.shared import model_store
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, picture, python_table_specs, row_count, user_errors

_PLOTS = {"reliability.png": "Reliability", "lift.png": "Lift beside the rule", "scores.png": "Scores by outcome"}


def build_train_assets(project: ParsedProject, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """The performance tables of the model in force; training it is their by-product."""
    snapshots = dg.AssetKey(["features", "training_snapshots"])

    @dg.multi_asset(
        name="train",
        specs=python_table_specs(project.source_tables("train"), "train", [snapshots], {"python", "scikitlearn"}),
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
    )
    def train(context: dg.AssetExecutionContext, run: Run):
        settings, params, day = run.settings(), run.params(), as_of(context)
        sources = run.source_names()
        mark = model_store.fingerprint(params, sources)
        with user_errors(), run.warehouse() as con:
            model_id = None if run.retrain else model_store.champion_for(settings.models, day, mark)
            if model_id is None:
                model_id = _train(con, settings, params, day if run.retrain else model_store.anchor(day), sources)
                context.log.info(f"trained {model_id}")
            else:
                context.log.info(f"model in force: {model_id}")
            from assets.train.performance import write_performance

            card = model_store.load_card(settings.models, model_id)
            write_performance(con, card)
            folder = settings.models / model_id
            context.log.info(f"scored by {card['decision']['scored_by']}: {card['decision']['reason']}")
            about = {
                "model": model_id,
                "scored_by": card["decision"]["scored_by"],
                "decision": card["decision"]["reason"],
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
            from assets.train.value_tables import told, write_value_tables

            write_value_tables(con, folder, model_id, params)
            for table, words in (("value_performance", "value"), ("profit_curve", "profit")):
                plot = folder / f"{words}.png"
                yield dg.MaterializeResult(
                    asset_key=["train", table],
                    metadata={
                        **row_count(con, f"train.{table}"),
                        **told(con, table),
                        **({"plot": picture(plot.read_bytes(), words.capitalize())} if plot.exists() else {}),
                    },
                )
            yield dg.MaterializeResult(
                asset_key=["train", "reliability"],
                metadata={
                    **row_count(con, "train.reliability"),
                    **{name: plot for name, plot in drawn.items() if name == "reliability"},
                },
            )

    return train


def _train(con, settings, params, trained_as_of, sources) -> str:
    from assets.train import champion
    from assets.train.cuts import plan_cuts

    first_day = con.execute("select min(day) from ingest.batch_days").fetchone()[0]
    plan = plan_cuts(trained_as_of, first_day, params)
    trained = champion.train(con, plan, params, sources, datetime.now(UTC))
    model_store.save(settings.models, trained.card, trained.churn, trained.margin, trained.files)
    return trained.card["model_id"]
