"""Suites of stage staging."""
