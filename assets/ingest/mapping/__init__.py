"""The mapping language: what a source's YAML may say, and what each of its keys does."""
