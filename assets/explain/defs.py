"""Stage explain in Dagster: the scores of the night in words, for those somebody will look at."""

import dagster as dg

from assets.dbt.manifest import ParsedProject
from assets.model import model_store
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, building, python_table_specs, row_count
from assets.shared.warehouse import fetch_value

_READS = (
    ["features", "customer_features"],
    ["score", "churn_scores"],
    ["actions", "contact_plan"],
)


def build_explain_assets(project: ParsedProject, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """Reasons and changes of the scores, after the plan: whoever is on it is explained."""

    @dg.multi_asset(
        name="explain",
        specs=python_table_specs(
            project.source_tables("explain"), "explain", [dg.AssetKey(k) for k in _READS], {"python", "scikitlearn"}
        ),
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
    )
    def explain(context: dg.AssetExecutionContext, run: Run):
        settings, day = run.settings(), as_of(context)
        with building(context, run), run.warehouse() as con:
            from assets.explain.earlier import read_earlier
            from assets.explain.score_reasons import scored_by, write_reasons

            who, model, earlier = scored_by(con), None, None
            if who is not None:
                model = who.as_it_scored(model_store.load_model(settings.models, who.model_version, day))
                earlier = read_earlier(con, settings, day, model)
            if earlier is not None:
                context.log.info(f"compared with the scores published as of {earlier.as_of_date}")
            rows = write_reasons(con, day, model, run.params(), earlier)
            explained = fetch_value(con, "select count(*) filter (where is_explained) from explain.score_reasons")
            context.log.info(f"{explained:,} of {rows:,} customers have reasons for their score")
            yield dg.MaterializeResult(
                asset_key=["explain", "score_reasons"],
                metadata={
                    **row_count(con, "explain.score_reasons"),
                    "explained": explained,
                    "compared_with": str(earlier.as_of_date) if earlier else "nothing published before",
                },
            )

    return explain
