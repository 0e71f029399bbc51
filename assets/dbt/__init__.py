"""The dbt project inside Dagster: parsed when stale, run in process."""
