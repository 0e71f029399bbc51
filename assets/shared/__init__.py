"""Facts and tools that every stage uses; no stage's own logic."""
