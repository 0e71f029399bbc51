{{ as_made(source('train', 'value_performance'), is_dated=false) }}
