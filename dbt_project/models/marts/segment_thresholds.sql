{{ as_made(ref('thresholds')) }}
