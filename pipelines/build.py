"""Everything wired: assets, jobs, schedules and resources for the home and sources of the settings.

Tests and the command line use it as Dagster does. Nothing is computed here.
"""

import hashlib
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import dagster as dg

from assets.actions.defs import build_actions_assets
from assets.dbt.defs import build_dbt_assets
from assets.dbt.manifest import parse_project
from assets.explain.defs import build_explain_assets
from assets.identity.defs import build_identity_assets
from assets.ingest.defs import build_ingest_assets
from assets.ledgers.defs import build_ledgers_assets
from assets.model import model_store
from assets.model.open_days import closed_days
from assets.movements.defs import build_movements_assets
from assets.publish.defs import build_publish_assets
from assets.score.defs import build_score_assets
from assets.shared.defs import Run
from assets.shared.params import load_params
from assets.shared.settings import DEFAULT_SOURCE, Settings, prepare_home
from assets.train.check_days import check_at, due_check
from assets.train.cutoffs import plan_cutoffs
from assets.train.defs import build_train_assets
from assets.train.training_day import first_day, training_day
from assets.train.value.cutoffs import plan_value_cutoffs
from assets.validate.defs import build_validate_assets
from pipelines.business_day import business_zone
from pipelines.jobs import build_jobs
from pipelines.ownership import owned
from pipelines.schedules import build_schedules
from pipelines.sensors import build_sensors
from pipelines.stages import STAGES

ROOT = Path(__file__).resolve().parents[1]

#: As-of dates begin here where a source does not say when its data does.
EARLIEST = date(1990, 1, 1)


def build_definitions(settings: Settings) -> dg.Definitions:
    """Definitions for one home. Raises UserError when the home cannot be written or the dbt project is broken."""
    prepare_home(settings)
    project = parse_project(settings)
    partitions = as_of_dates(settings)
    nightly, retrain = build_jobs()
    has_ended = settings.sources == (DEFAULT_SOURCE,)
    own = owned(None if has_ended else load_params().freshness_max_days_late)
    return dg.Definitions(
        assets=dg.map_asset_specs(
            own,
            [
                build_ingest_assets(project, partitions),
                build_identity_assets(project, partitions),
                build_dbt_assets(
                    "features_and_segments",
                    project,
                    ("playbook", "staging", "features", "segments"),
                    partitions,
                    snapshot_cutoffs,
                ),
                build_movements_assets(project, partitions),
                build_train_assets(project, partitions),
                build_score_assets(project, partitions),
                build_ledgers_assets(project, partitions),
                build_dbt_assets("candidates", project, ("candidates",), partitions, snapshot_cutoffs),
                build_actions_assets(project, partitions),
                build_explain_assets(project, partitions),
                build_dbt_assets("measures_and_marts", project, ("measure", "marts"), partitions, snapshot_cutoffs),
                *build_validate_assets(project, partitions, code_version(), tuple(STAGES)),
                build_publish_assets(project, partitions),
            ],
        ),
        jobs=[nightly, retrain],
        sensors=build_sensors(settings, nightly, partitions),
        schedules=build_schedules(nightly, retrain, partitions, settings.schedule_hour, business_zone(settings)),
        resources={"run": Run()},
        # One DuckDB file has one writing process, and a process per step would pay every heavy import again.
        executor=dg.in_process_executor,
    )


def as_of_dates(settings: Settings) -> dg.DailyPartitionsDefinition:
    """The as-of dates there can be: those of the built-in source alone, which has ended, or every day up to today."""
    if settings.sources == (DEFAULT_SOURCE,):
        from assets.ingest.completejourney import FIRST_AS_OF, LAST_AS_OF

        end = LAST_AS_OF + timedelta(days=1)
        return dg.DailyPartitionsDefinition(start_date=FIRST_AS_OF.isoformat(), end_date=end.isoformat())
    # end_offset=1: the night of today works as of today, on data through yesterday; today is that of the business.
    return dg.DailyPartitionsDefinition(start_date=EARLIEST.isoformat(), end_offset=1, timezone=business_zone(settings))


def snapshot_cutoffs(run: Run, as_of: date) -> Sequence[date]:
    """Training cutoffs that this run must build: those of a training, or the one that a check of the active model
    needs, or none."""
    from assets.train.value.rows import enough_customers_on

    settings, params = run.settings(), run.params()
    mark = model_store.fingerprint(params, run.source_names())
    with run.warehouse() as con:
        began, closed = first_day(con), closed_days(con)
        planned = training_day(as_of, began, params, closed)
        trained_as_of = model_store.due_for_training(settings.models, as_of, mark, planned, run.retrain)
        if trained_as_of is None:
            model_id = model_store.active_model(settings.models, as_of, mark)
            due = due_check(settings.models, model_id, as_of, params) if model_id is not None else None
            return () if due is None else (due.cutoff,)
        enough = enough_customers_on(con, params.train_min_customers, trained_as_of)
    value = plan_value_cutoffs(trained_as_of, enough, params)
    # The model may be due for a check as soon as it is there: a second run of this date would make it.
    check = check_at(trained_as_of, as_of, params)
    return sorted(
        {
            *plan_cutoffs(trained_as_of, began, params, closed).cutoffs,
            *(value.cutoffs if value else ()),
            *((check.cutoff,) if check else ()),
        }
    )


def code_version() -> str:
    """Twelve hex digits over all source files: which code made a run, with or without git."""
    digest = hashlib.sha256()
    for folder in ("assets", "expectations", "pipelines", "dbt_project"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".sql", ".yml", ".csv"} and "target" not in path.parts:
                digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]
