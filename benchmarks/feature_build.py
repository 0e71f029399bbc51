"""Our own feature build alone, through dbt, from the raw batches of a home: what the peers are compared with.

    HOLDFAST_HOME=… python -m benchmarks.feature_build AS_OF

Rebuilds features.customer_day from all days (with staging's typing and deduplication, which no peer does) and
features.customer_features. Says the seconds a table as JSON; `start` is importing and parsing dbt.
"""

import json
import sys
import time
from datetime import date


def main() -> None:
    started = time.perf_counter()
    from assets.dbt import runner
    from assets.dbt.manifest import parse_project
    from assets.shared.params import load_params
    from assets.shared.settings import load_settings

    settings, as_of = load_settings(), date.fromisoformat(sys.argv[1])
    project = parse_project(settings)
    seconds = {"start": time.perf_counter() - started}
    result = runner.invoke_dbt(
        settings,
        [
            "run",
            "--select",
            "customer_day",
            "lifecycle_nodes",
            "customer_features",
            "--full-refresh",
            "--vars",
            json.dumps(runner.dbt_vars(load_params(), as_of.isoformat(), "benchmark", [])),
        ],
        manifest=project.manifest,
    )
    for node in result.result.results:
        if str(node.status) != "success":
            sys.exit(node.message)
        seconds[node.node.name] = node.execution_time
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
