"""Stage ingest: files of the business become canonical Parquet batches, a ledger and a quarantine."""
