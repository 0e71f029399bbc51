"""Stage actions in Dagster: the contact plan of a date."""

import dagster as dg

from assets.actions.contact_plan import build_contact_plan
from assets.actions.plots import draw_contact_plan
from assets.dbt.manifest import ParsedProject
from assets.shared.defs import ONE_DATE_A_RUN, Run, as_of, building, picture, python_table_specs, row_count

_READS = (
    ["candidates", "candidates"],
    ["candidates", "contact_options"],
    ["candidates", "customer_state"],
    ["candidates", "reasons"],
    ["candidates", "calendar_entries"],
    ["playbook", "playbook_actions"],
    ["playbook", "playbook_channels"],
    ["playbook", "playbook_owners"],
    ["playbook", "playbook_quiet_days"],
)


def build_actions_assets(project: ParsedProject, partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """The plan."""

    @dg.multi_asset(
        name="actions",
        specs=python_table_specs(project.source_tables("actions"), "actions", [dg.AssetKey(k) for k in _READS]),
        partitions_def=partitions,
        backfill_policy=ONE_DATE_A_RUN,
    )
    def actions(context: dg.AssetExecutionContext, run: Run):
        day, params, ledgers = as_of(context), run.params(), run.settings().ledgers
        with building(context, run), run.warehouse() as con:
            plan = build_contact_plan(con, params, day, ledgers)
            idle = con.execute(
                "select calendar_id, action_id, inactive_reason from candidates.calendar_entries"
                " where inactive_reason is not null order by calendar_id"
            ).fetchall()
            context.log.info(
                f"{plan['contacts']:,} of {plan['candidates']:,} candidates to contact, expected profit "
                f"{plan['expected_profit']:,.2f} for {plan['expected_spend']:,.2f} of {plan['budget']:,.2f}; "
                f"{plan['care_contacts']:,} of them care and service for {plan['care_spend']:,.2f}"
            )
            for entry, _, reason in idle:
                context.log.info(f"playbook entry {entry} proposes nobody: {reason}")
            yield dg.MaterializeResult(
                asset_key=["actions", "contact_plan"],
                metadata={
                    **row_count(con, "actions.contact_plan"),
                    **plan,
                    "plot": picture(draw_contact_plan(con, params), "Contact plan"),
                    "limits": dg.MetadataValue.md(
                        "\n".join(
                            f"- {words}" for (words,) in con.execute("select words from actions.plan_limits").fetchall()
                        )
                    ),
                    "inactive_playbook_entries": dg.MetadataValue.md(
                        "\n".join(
                            f"- `{calendar_id}` ({action_id}): {reason}" for calendar_id, action_id, reason in idle
                        )
                        or "none"
                    ),
                },
            )
            yield dg.MaterializeResult(
                asset_key=["actions", "plan_limits"], metadata=row_count(con, "actions.plan_limits")
            )

    return actions
