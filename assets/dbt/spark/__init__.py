"""The stages that grow with lines on Apache Spark, where the settings say so (decision 50).

In: the working warehouse up to stage ingest. Out: the tables of these stages as Parquet files, shown in the warehouse
as views, so that everything after runs on DuckDB unchanged. Nothing else imports this package, and only `session` and
`worker`, in a process of their own, import pyspark.
"""
