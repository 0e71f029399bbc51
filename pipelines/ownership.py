"""Who answers for an asset, how it is tagged, and how old it may be: said once, for every asset there is.

In: asset specs as the stages declare them. Out: the same with owners, tags, kinds and, for what readers see, a
freshness policy, which the daemon judges.
"""

from collections.abc import Callable
from datetime import timedelta

import dagster as dg

from pipelines.stages import PLAYBOOK

#: What readers decide by is the retention team's; what it is made from belongs to whoever runs the pipeline. Dagster
#: takes teams or addresses; teams name no person.
PUBLIC_OWNER, OWNER = "team:retention", "team:data"

#: Groups whose tables somebody outside the pipeline uses.
PUBLIC = {"marts", "publish", PLAYBOOK}


def owned(max_days_late: int | None) -> Callable[[dg.AssetSpec], dg.AssetSpec]:
    """What to apply to every spec. max_days_late: days that readers may be behind; None where the data has ended."""

    def own(spec: dg.AssetSpec) -> dg.AssetSpec:
        is_public = spec.group_name in PUBLIC
        policy = None
        if spec.group_name in ("marts", "publish") and max_days_late is not None:
            # A night begins at the same hour, and may take its time.
            allowed = timedelta(days=1 + max_days_late)
            policy = dg.FreshnessPolicy.time_window(fail_window=allowed, warn_window=allowed - timedelta(hours=12))
        return spec.replace_attributes(
            owners=[PUBLIC_OWNER if is_public else OWNER],
            tags={**spec.tags, "holdfast/audience": "readers" if is_public else "pipeline"},
            freshness_policy=policy,
            kinds={*spec.kinds} or {"python"},
        )

    return own
