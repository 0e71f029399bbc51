"""Spark on this machine, local[2], the same SQL as the floor. Needs Java."""

import os
from datetime import date
from pathlib import Path

from pyspark.sql import SparkSession

from benchmarks.peers import program, sql

MEMORY = os.environ.get("SPARK_DRIVER_MEMORY", "12g")


def build(landing: Path, as_of: date, out: Path, watch: program.Stopwatch) -> None:
    spark = (
        SparkSession.builder.master("local[2]")
        .config("spark.driver.memory", MEMORY)
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "8")
        .config("spark.sql.ansi.enabled", "false")
        .config("spark.local.dir", str(out / "spark"))
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    spark.read.parquet(program.transactions(landing)).createOrReplaceTempView("landed")
    spark.sql(sql.LINES).createOrReplaceTempView("lines")
    spark.sql(sql.CUSTOMER_DAY).write.mode("overwrite").parquet(str(out / "customer_day.parquet"))
    watch.mark("customer_day")
    spark.read.parquet(str(out / "customer_day.parquet")).createOrReplaceTempView("customer_day")
    features = sql.customer_features(sql.spark_days, f"date'{as_of.isoformat()}'")
    spark.sql(features).write.mode("overwrite").parquet(str(out / "customer_features.parquet"))
    watch.mark("customer_features")
    spark.stop()


if __name__ == "__main__":
    program.run(build)
