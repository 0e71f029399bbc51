{{ as_made(source('train', 'model_monitor'), is_dated=false) }}
