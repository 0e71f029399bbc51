"""Suites of the public tables."""
