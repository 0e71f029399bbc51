"""A Spark session of the settings: a local one, one of a standalone cluster, or one of a Spark Connect server.

In: a URL and memory. Out: the session.
"""

from typing import Any

#: Timestamps have no zone, as in DuckDB. dbt-spark itself turns ANSI mode off, so both sides of a run are alike.
SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "false",
}
#: Of a session that is started here; a Spark Connect server has its own. The catalogue lives as long as the session:
#: what lasts is on record in the warehouse.
OF_A_NEW_SESSION = {
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.catalogImplementation": "in-memory",
}
#: Of a local session: Spark's default of 200 partitions is for a cluster.
OF_ONE_MACHINE = {"spark.sql.shuffle.partitions": "8", "spark.default.parallelism": "8"}


def start_session(url: str, memory_mib: int, place: str) -> Any:
    """A session with the settings above. url: `local[2]`, `spark://host:port` or `sc://host:port`. Where it is started
    here, memory_mib is that of the driver, and `place` the folder for what Spark keeps of schemas."""
    from pyspark.sql import SparkSession

    if url.startswith("sc://"):
        session = SparkSession.builder.remote(url).getOrCreate()
    else:
        builder = SparkSession.builder.master(url).appName("holdfast")
        own = OF_A_NEW_SESSION | (OF_ONE_MACHINE if url.startswith("local") else {})
        own |= {"spark.driver.memory": f"{memory_mib}m", "spark.sql.warehouse.dir": f"{place}/schemas"}
        for name, value in own.items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
    for name, value in SETTINGS.items():
        session.conf.set(name, value)
    return session
