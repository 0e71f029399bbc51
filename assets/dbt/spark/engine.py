"""The engine that builds the stages which grow with lines on Spark, and everything else on DuckDB.

In: an order (`assets/dbt/engine.py`). Out: dbt's results of both, and the tables of Spark as views in the warehouse.

* Each build goes to a new folder. It is handed over in one transaction, after dbt and its tests have succeeded: a
  process that dies at any moment leaves the views of the build before and all their files.
* Batches of lines are given to Spark as the Parquet files that they are; all else that it reads is small and copied.
* Seeds, and the views of stage staging for the later stages, are made on DuckDB.
"""

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb

from assets.dbt.engine import DuckDBEngine, Order
from assets.dbt.manifest import ParsedProject
from assets.dbt.runner import NodeResult
from assets.dbt.spark.inputs import hand_in
from assets.dbt.spark.job import Job, Registered
from assets.shared.errors import UserError
from assets.shared.quoting import identifier, path_list
from assets.shared.settings import Settings
from assets.shared.tables import declared_table
from assets.shared.warehouse import connect

#: The stages that grow with lines.
STAGES = ("staging", "features", "segments")

#: Which tables of Spark the warehouse shows: where their files are, and their columns in Spark's types.
_STATE = """
create schema if not exists platform;
create table if not exists platform.spark_tables (table_name varchar, folder varchar, columns varchar)
"""


class SparkEngine:
    name = "spark"

    def has_tables(self, con: duckdb.DuckDBPyConnection, tables: Collection[str]) -> bool:
        shown = spark_tables(con)
        return all(table in shown and Path(shown[table].folder).is_dir() for table in tables)

    def build(self, settings: Settings, order: Order) -> list[NodeResult]:
        on_spark = {uid for uid in order.models if _is_on_spark(order.project, uid)}
        tests = {uid for uid in order.tests if not on_spark.isdisjoint(_reads(order.project, uid))}
        views = {uid for uid in on_spark if _is_view(order.project, uid)}
        first = replace(order, models=set(order.models) - on_spark, tests=set(order.tests) - tests)
        results = DuckDBEngine().build(settings, first) if first.models or first.tests else []
        if on_spark and _all_ok(results):
            results += self._build_on_spark(settings, replace(order, models=on_spark, tests=tests))
        if views and _all_ok(results):  # they read tables of Spark
            DuckDBEngine().build(settings, replace(order, models=views, tests=(), on_done=lambda uid, seconds: None))
        return results

    def _build_on_spark(self, settings: Settings, order: Order) -> list[NodeResult]:
        place = settings.spark_place / uuid.uuid4().hex
        (place / "in").mkdir(parents=True)
        models = _with_views_read(order.project, order.models, order.tests)
        with connect(settings) as con:
            earlier = spark_tables(con)
            wanted = _names(order.project, _all_read(order.project, {*models, *order.tests}) - models)
            continued = set() if order.full_refresh else _continued(order.project, models)
            inputs = [
                *(earlier[name] for name in sorted({*continued, *wanted} & set(earlier))),
                *hand_in(con, sorted(wanted - set(earlier)), place / "in"),
            ]
        job = Job(
            home=str(settings.home),
            url=settings.spark_url,
            memory_mib=settings.engine_memory_bytes // 2**20,
            place=str(place),
            inputs=tuple(inputs),
            models=tuple(sorted(models)),
            tests=tuple(sorted(order.tests)),
            variables=order.variables,
            full_refresh=order.full_refresh,
        )
        answer = run_worker(settings, job, place, order.on_done)
        results = [NodeResult(**result) for result in answer["results"]]
        if _all_ok(results):
            _remove_notes(place)
            with connect(settings) as con:
                hand_over(con, answer["tables"])
            remove_other_places(settings)
        else:
            shutil.rmtree(place)
        asked = {*order.models, *order.tests}
        return [result for result in results if result.unique_id in asked]


def run_worker(settings: Settings, job: Job, place: Path, on_done: Any) -> Mapping[str, Any]:
    """Run the job in a process of its own. Raises UserError, with the end of what it said, where it does not answer."""
    asked, answer, log = place / "job.json", place / "answer.json", settings.dbt_target / "spark.log"
    job.write(asked)
    words = [sys.executable, "-m", "assets.dbt.spark.worker", str(asked), str(answer)]
    environment = {**os.environ, "SPARK_LOCAL_IP": "127.0.0.1", "PYTHONUNBUFFERED": "1"}
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("w", encoding="utf-8") as errors,
        subprocess.Popen(words, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            if line.startswith('{"done"'):
                done = json.loads(line)
                on_done(done["done"], done["seconds"])
    if process.returncode or not answer.exists():
        shutil.rmtree(place, ignore_errors=True)
        last = [line for line in log.read_text(encoding="utf-8").splitlines() if line.strip()][-1:]
        raise UserError(
            f"the process of Spark ended with code {process.returncode}: {''.join(last)[:500]}",
            f"read {log}; Java 17 or later and `make spark` are needed, and HOLDFAST_SPARK_URL must be reachable",
        )
    return json.loads(answer.read_text(encoding="utf-8"))


def spark_tables(con: duckdb.DuckDBPyConnection) -> dict[str, Registered]:
    """The tables of Spark that the warehouse shows, by name."""
    con.execute(_STATE)
    rows = con.execute("select table_name, folder, columns from platform.spark_tables").fetchall()
    return {row[0]: Registered(*row) for row in rows}


def hand_over(con: duckdb.DuckDBPyConnection, tables: Mapping[str, Mapping[str, Any]]) -> None:
    """Show the built tables as views with their declared columns and types, all or none."""
    con.execute(_STATE)
    con.execute("begin")
    for name, table in sorted(tables.items()):
        schema, plain = name.split(".")
        con.execute(f"create schema if not exists {schema}")
        kind = con.execute(
            "select table_type from information_schema.tables where table_schema = ? and table_name = ?",
            [schema, plain],
        ).fetchone()
        if kind:
            con.execute(f"drop {'view' if kind[0] == 'VIEW' else 'table'} {name}")
        types = declared_table(name).duckdb_types
        columns = ", ".join(f"cast({identifier(c)} as {kind}) as {identifier(c)}" for c, kind in types.items())
        nulls = ", ".join(f"cast(null as {kind}) as {identifier(c)}" for c, kind in types.items())
        files = [Path(file) for file in table["files"]]
        rows = f"select {columns} from read_parquet({path_list(files)}, hive_partitioning = false)"
        con.execute(f"create view {name} as {rows if files else f'select {nulls} where false'}")
        con.execute("delete from platform.spark_tables where table_name = ?", [name])
        con.execute("insert into platform.spark_tables values (?, ?, ?)", [name, table["folder"], table["columns"]])
    con.execute("commit")


def _remove_notes(place: Path) -> None:
    """Remove what lies beside the files of tables: checksums, against which an erasure's new file would be an error."""
    for note in [*place.rglob(".*.crc"), *place.rglob("_SUCCESS")]:
        note.unlink()


def remove_other_places(settings: Settings) -> None:
    """Remove the folders of builds whose tables nobody shows any more, those of builds that died among them."""
    with connect(settings) as con:
        shown = {Path(table.folder) for table in spark_tables(con).values()}
    for place in settings.spark_place.iterdir():
        if not any(place in folder.parents for folder in shown):
            shutil.rmtree(place)
        else:
            for folder in ("in", "schemas"):
                shutil.rmtree(place / folder, ignore_errors=True)


def _all_ok(results: Collection[NodeResult]) -> bool:
    return all(result.ok for result in results)


def _is_on_spark(project: ParsedProject, uid: str) -> bool:
    node = project.as_dict["nodes"].get(uid)
    return node is not None and node["resource_type"] == "model" and node["schema"] in STAGES


def _is_view(project: ParsedProject, uid: str) -> bool:
    return project.node(uid)["config"]["materialized"] == "view"


def _reads(project: ParsedProject, uid: str) -> set[str]:
    return set(project.node(uid)["depends_on"]["nodes"])


def _all_read(project: ParsedProject, uids: Iterable[str]) -> set[str]:
    return set().union(*(_reads(project, uid) for uid in uids))


def _with_views_read(project: ParsedProject, models: Collection[str], tests: Collection[str]) -> set[str]:
    """The models, and the views of the stages on Spark that they or the tests read: a view costs nothing there, and
    the lines behind it need not be copied."""
    found = set(models)
    waiting = {*models, *tests}
    while waiting:
        views = {
            uid
            for uid in _all_read(project, waiting)
            if _is_on_spark(project, uid) and _is_view(project, uid) and uid not in found
        }
        found |= views
        waiting = views
    return found


def _continued(project: ParsedProject, models: Collection[str]) -> set[str]:
    """The names of the incremental ones."""
    return _names(project, {uid for uid in models if project.node(uid)["config"]["materialized"] == "incremental"})


def _names(project: ParsedProject, uids: Iterable[str]) -> set[str]:
    nodes = [project.node_or_source(uid) for uid in uids]
    return {f"{node['schema']}.{node.get('alias') or node['name']}" for node in nodes}
