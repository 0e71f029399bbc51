"""Suites of the feature tables."""
