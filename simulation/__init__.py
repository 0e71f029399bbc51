"""A simulated business whose churn, value and response to contacts are known. No stage of the pipeline reads this."""
