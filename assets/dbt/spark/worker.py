"""The process that runs dbt on Spark: `python -m assets.dbt.spark.worker JOB ANSWER`.

In: a job (`job`). Out: a line of JSON on standard output for each node that is done, and at the end the file ANSWER
with the results of dbt and the tables that were built. A process of its own, because the dbt manifest of a process has
the macros of one adapter, and so that the Java machine and its memory end with the build.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from assets.dbt.manifest import parse_project
from assets.dbt.runner import build_nodes, tagged
from assets.dbt.spark.job import Job
from assets.dbt.spark.session import start_session
from assets.shared.quoting import literal
from assets.shared.settings import Settings

#: Where the dbt project puts the files of tables (`location_root`).
PLACE_VARIABLE = "HOLDFAST_SPARK_PLACE"


def main(job_path: str, answer_path: str) -> None:
    """Build what the job names, and write the answer."""
    job = Job.read(Path(job_path))
    os.environ[PLACE_VARIABLE] = job.place
    if job.url.startswith("sc://"):
        os.environ["SPARK_REMOTE"] = job.url  # dbt asks for a session by itself and must get this one
    session = start_session(job.url, job.memory_mib, job.place)
    settings = Settings(home=Path(job.home), sources=())
    project = parse_project(settings, target="spark")
    register(session, job, {node["schema"] for node in project.as_dict["nodes"].values()})
    with tagged(project.manifest, {*job.models, *job.tests}) as chosen:
        results = build_nodes(
            settings,
            project.manifest,
            [chosen],
            dict(job.variables),
            on_done=lambda uid, seconds: print(json.dumps({"done": uid, "seconds": seconds}), flush=True),
            full_refresh=job.full_refresh,
            tests="selected",
            target="spark",
        )
    done = {result.unique_id for result in results if result.ok and result.status != "skipped"}
    tables = {}
    for uid in done.intersection(job.models):
        node = project.node(uid)
        if node["config"]["materialized"] != "view":
            name = f"{node['schema']}.{node['alias']}"
            tables[name] = describe(session, name)
    answer = {"results": [asdict(result) for result in results], "tables": tables}
    Path(answer_path).write_text(json.dumps(answer), encoding="utf-8")
    session.stop()


def register(session: Any, job: Job, schemas: set[str]) -> None:
    """Schemas without what an earlier job left in them on a server, and the tables that this one reads. All tables are
    external: their files stay when they are dropped."""
    for schema in sorted(schemas | {table.name.split(".")[0] for table in job.inputs}):
        session.sql(f"drop schema if exists {schema} cascade")
        session.sql(f"create schema {schema}")
    for table in job.inputs:
        session.sql(f"create table {table.name} ({table.columns}) using parquet location {literal(table.folder)}")


def describe(session: Any, name: str) -> dict[str, Any]:
    """Where the files of a table are, and its columns in Spark's types."""
    table = session.table(name)
    files = [unquote(urlparse(uri).path) for uri in table.inputFiles()]
    folder = session.sql(f"describe table extended {name}").where("col_name = 'Location'").collect()[0][1]
    return {
        "files": sorted(files),
        "folder": unquote(urlparse(folder).path),
        "columns": ", ".join(f"`{field.name}` {field.dataType.simpleString()}" for field in table.schema.fields),
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
