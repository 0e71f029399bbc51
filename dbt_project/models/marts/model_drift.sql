{{ as_made(source('score', 'model_drift')) }}
