{{ as_made(source('train', 'model_selection'), is_dated=false) }}
