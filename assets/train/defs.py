"""Stage train in Dagster: the active model for a date, trained when the store has none or a fresh one is asked."""

from datetime import UTC, datetime

import dagster as dg

from assets.dbt.manifest import ParsedProject
from assets.shared import model_store
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, building, picture, python_table_specs, row_count

_PLOTS = {
    "reliability.png": "Reliability",
    "lift.png": "Lift beside the rule",
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
        sources = run.source_names()
        mark = model_store.fingerprint(params, sources)
        with building(context, run), run.warehouse() as con:
            trained_as_of = model_store.due_for_training(settings.models, day, mark, run.retrain)
            if trained_as_of is not None:
                model_id = _train_or_keep(context, con, settings, params, trained_as_of, sources, day, run.retrain)
            else:
                model_id = model_store.active_model_of_month(settings.models, day, mark)
                context.log.info(f"active model: {model_id}")
            # A model trained as of an earlier day may be due at once: a second run of this date must find nothing due.
            if trained_as_of is None or model_id.startswith(trained_as_of.isoformat()):
                _check(context, con, settings, params, model_id, day)
            from assets.train.performance import write_performance

            card = model_store.load_card(settings.models, model_id)
            from assets.train.card import with_checks

            folder, checks = settings.models / model_id, model_store.checks(settings.models, model_id)
            write_performance(con, card, checks, day)
            words = with_checks((folder / "card.md").read_text(encoding="utf-8"), checks)
            model_store.save_words(settings.models, model_id, "card.md", words)
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
            for table, pictures in _ABOUT.items():
                yield dg.MaterializeResult(
                    asset_key=["train", table],
                    metadata={
                        **row_count(con, f"train.{table}"),
                        **{name: plot for name, plot in drawn.items() if name in pictures},
                    },
                )

    return train


def _train_or_keep(context, con, settings, params, trained_as_of, sources, day, asked_for) -> str:
    """Train; when that fails by itself, the active model stays. A training that somebody asked for fails loudly,
    and leaves the store as it was just the same."""
    mark = model_store.fingerprint(params, sources)
    try:
        model_id = _train(con, settings, params, trained_as_of, sources)
    except Exception as error:
        kept = None if asked_for else model_store.active_model(settings.models, day, mark)
        if kept is None:
            raise
        context.log.warning(f"training as of {trained_as_of} failed, {kept} stays active: {error!r}")
        return kept
    context.log.info(f"trained {model_id}")
    return model_id


def _train(con, settings, params, trained_as_of, sources) -> str:
    from assets.train import training
    from assets.train.cutoffs import plan_cutoffs

    first_day = con.execute("select min(day) from ingest.batch_days").fetchone()[0]
    plan = plan_cutoffs(trained_as_of, first_day, params)
    mark = model_store.fingerprint(params, sources)
    incumbents = {}
    for cutoff in {*plan.test, *plan.validation}:
        model_id = model_store.active_model(settings.models, cutoff, mark)
        if model_id is not None:
            incumbents[cutoff] = model_store.load_model(settings.models, model_id, cutoff)
    trained = training.train_model(con, plan, params, sources, datetime.now(UTC), incumbents)
    model_store.save_model(settings.models, trained.card, trained.churn, trained.margin, trained.files)
    return trained.card["model_id"]


def _check(context, con, settings, params, model_id, day) -> None:
    """Compare the active model with newly matured outcomes, when that is due."""
    from assets.train.check_days import due_check

    due = due_check(settings.models, model_id, day, params)
    if due is None:
        return
    from assets.train import monitor
    from assets.train.snapshots import read_snapshots

    model = model_store.load_model(settings.models, model_id)
    rows = read_snapshots(con, [due.cutoff], params.churn_horizon_days, params.train_max_rows, due.day)
    found = monitor.check_model(model, rows, due.day, due.cutoff, params)
    model_store.save_check(settings.models, model_id, found.to_dict())
    context.log.info(f"checked {model_id} as of {due.day}: {found.verdict}. {found.reason}")
