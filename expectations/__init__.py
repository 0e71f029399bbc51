"""What must be true: Great Expectations suites. Path = stage/table."""
