"""Stage actions in Dagster: the holdout ledger and the contact plan of a date."""

from collections.abc import Callable
from datetime import date
from typing import Any

import dagster as dg

from assets.actions.contact_plan import build_contact_plan
from assets.actions.holdout import build_holdout_ledger
from assets.actions.playbook import inactive_triggers
from assets.actions.plots import draw_contact_plan
from assets.dbt.manifest import ParsedProject
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, building, picture, python_table_specs, row_count
from assets.shared.params import Params
from assets.shared.settings import Settings

_READS = (
    ["features", "customer_day"],
    ["features", "customer_features"],
    ["features", "lifecycle_nodes"],
    ["score", "churn_scores"],
    ["segments", "customer_lifecycle"],
    ["segments", "customer_value"],
    ["segments", "promotion_dependence"],
    ["segments", "customer_movements"],
    ["staging", "stg_customers"],
    ["staging", "stg_contacts"],
    ["staging", "stg_consents"],
    ["staging", "stg_interactions"],
    ["ingest", "source_status"],
    ["playbook", "playbook_actions"],
    ["playbook", "playbook_calendar"],
    ["playbook", "playbook_channels"],
)


#: Connection, settings, parameters, sources, date → how many customers were given reasons.
ExplainListed = Callable[[Any, Settings, Params, tuple[str, ...], date], int]


def build_actions_assets(
    project: ParsedProject, partitions: dg.PartitionsDefinition, explain_listed: ExplainListed
) -> dg.AssetsDefinition:
    """The plan and the ledger as one step: the plan must see the ledger of its own date. `explain_listed` then sees to
    it that nobody on the plan is without reasons."""

    @dg.multi_asset(
        name="actions",
        specs=python_table_specs(project.source_tables("actions"), "actions", [dg.AssetKey(k) for k in _READS]),
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
    )
    def actions(context: dg.AssetExecutionContext, run: Run):
        day, params, ledgers = as_of(context), run.params(), run.settings().ledgers
        with building(context, run), run.warehouse() as con:
            holdout = build_holdout_ledger(con, params, day, ledgers)
            yield dg.MaterializeResult(
                asset_key=["actions", "holdout_ledger"],
                metadata={**row_count(con, "actions.holdout_ledger"), **holdout},
            )
            plan = build_contact_plan(con, params, day, ledgers)
            explained = explain_listed(con, run.settings(), params, run.source_names(), day)
            if explained:
                context.log.info(f"{explained:,} customers on the plan were given reasons beyond the explained share")
            idle = inactive_triggers(con, day)
            context.log.info(
                f"{plan['contacts']:,} of {plan['candidates']:,} candidates to contact, expected profit "
                f"{plan['expected_profit']:,.2f} for {plan['expected_spend']:,.2f} of {plan['budget']:,.2f}"
            )
            for entry in idle:
                context.log.info(f"playbook entry {entry.calendar_id} proposes nobody: {entry.reason}")
            yield dg.MaterializeResult(
                asset_key=["actions", "contact_plan"],
                metadata={
                    **row_count(con, "actions.contact_plan"),
                    **plan,
                    "plot": picture(draw_contact_plan(con, params), "Contact plan"),
                    "inactive_playbook_entries": dg.MetadataValue.md(
                        "\n".join(f"- `{t.calendar_id}` ({t.action_id}): {t.reason}" for t in idle) or "none"
                    ),
                },
            )

    return actions
