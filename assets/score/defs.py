"""Stage score in Dagster: every customer seen before the date, scored by the active model."""

import dagster as dg

from assets.dbt.manifest import ParsedProject
from assets.model import model_store
from assets.shared.commands import command
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, building, picture, python_table_specs, row_count
from assets.shared.errors import UserError
from assets.shared.warehouse import fetch_row


def build_score_assets(project: ParsedProject, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """The scores of the night, and how published scores turned out."""
    reads = [
        dg.AssetKey(["features", "customer_features"]),
        dg.AssetKey(["features", "customer_day"]),
        dg.AssetKey(["staging", "stg_contracts"]),
        dg.AssetKey(["train", "model_performance"]),
    ]

    @dg.multi_asset(
        name="score",
        specs=python_table_specs(project.source_tables("score"), "score", reads, {"python", "scikitlearn"}),
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
    )
    def score(context: dg.AssetExecutionContext, run: Run):
        settings, params, day = run.settings(), run.params(), as_of(context)
        with building(context, run), run.warehouse() as con:
            model_id = model_store.active_model(
                settings.models, day, model_store.fingerprint(params, run.source_names())
            )
            if model_id is None:
                raise UserError(
                    f"no model is active as of {day}", f"train one first: {command('retrain', '--as-of', day)}"
                )
            model = model_store.load_model(settings.models, model_id, day)
            from assets.score.drift_table import write_drift
            from assets.score.plots import draw_scores
            from assets.score.quality_plots import draw_drift, draw_realised
            from assets.score.realised import write_realised
            from assets.score.scores import write_scores

            value = model_store.load_value_model(settings.models, model_id)
            rows = write_scores(con, day, model, value, params)
            eligible, at_risk = fetch_row(
                con,
                "select count(*) filter (where is_eligible), coalesce(sum(value_at_risk), 0) from score.churn_scores",
            )
            context.log.info(f"{eligible:,} of {rows:,} customers eligible, value at risk {at_risk:,.2f}")
            drawn = draw_scores(con)
            yield dg.MaterializeResult(
                asset_key=["score", "churn_scores"],
                metadata={
                    **row_count(con, "score.churn_scores"),
                    "model": model_id,
                    "scored_by": model.scored_by,
                    "eligible": eligible,
                    "value_at_risk": float(at_risk),
                    **({"plot": picture(drawn, "Scores by band")} if drawn else {}),
                },
            )
            yield dg.MaterializeResult(
                asset_key=["score", "expected_value"], metadata=row_count(con, "score.expected_value")
            )
            for table, rows, draw, words in (
                (
                    "realised_quality",
                    write_realised(con, settings, day, params),
                    draw_realised,
                    "Published scores against what happened",
                ),
                ("model_drift", write_drift(con, day, model), draw_drift, "Drift against the newest training cutoff"),
            ):
                drawn = draw(con)
                yield dg.MaterializeResult(
                    asset_key=["score", table],
                    metadata={"dagster/row_count": rows, **({"plot": picture(drawn, words)} if drawn else {})},
                )

    return score
