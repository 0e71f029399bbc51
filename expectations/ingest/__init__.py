"""Suites of the raw tables in canonical columns."""
