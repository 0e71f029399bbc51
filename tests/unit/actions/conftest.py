"""The SQL of stage candidates, compiled by dbt, for the worlds of the plan."""

import json
from functools import cache
from types import SimpleNamespace

import plan_world
import pytest

from assets.dbt.runner import dbt_vars, invoke_dbt


@pytest.fixture(scope="session")
def candidates_sql(project_home, project):
    """Lets `plan_world.make_plan` run the models of stage candidates on its own small world. dbt compiles them once for
    each date and set of parameters."""

    def compiled(as_of, params):
        # What only Python reads changes no SQL.
        of_python = dict.fromkeys((f"actions_{channel}_capacity" for channel in params.capacities()), 1)
        return compiled_with(
            as_of, params.model_copy(update={**of_python, "actions_daily_budget": 1.0, "actions_care_budget": 1.0})
        )

    @cache
    def compiled_with(as_of, params):
        arguments = ["compile", "--select", "config.schema:candidates", "--exclude", "resource_type:test"]
        variables = json.dumps(dbt_vars(params, as_of.isoformat(), "none", ()))
        results = invoke_dbt(project_home, [*arguments, "--vars", variables], manifest=project.manifest).result.results
        models = {r.node.unique_id: r.node for r in results}
        return [SimpleNamespace(table=m.alias, sql=m.compiled_code) for m in in_order(models)]

    plan_world.CANDIDATES_SQL.append(compiled)
    yield
    plan_world.CANDIDATES_SQL.clear()


def in_order(models):
    """Each model after those it reads."""
    done = []
    while len(done) < len(models):
        ready = [
            m
            for uid, m in models.items()
            if m not in done and all(models[p] in done for p in m.depends_on.nodes if p in models)
        ]
        done += ready
    return done
