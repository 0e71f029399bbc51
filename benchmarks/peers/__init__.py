"""The same two tables, customer_day and customer_features, made by hand with the tools a user would pick instead.

Each module is a program, `python -m benchmarks.peers.<tool> LANDING AS_OF OUT`: it reads the transactions of a
simulated business as they landed and writes `OUT/customer_day.parquet` and `OUT/customer_features.parquet`. Seconds a
table go to standard output as JSON. No peer deduplicates, validates or keeps anything for tomorrow.
"""
