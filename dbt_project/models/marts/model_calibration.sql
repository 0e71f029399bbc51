{{ as_made(source('train', 'reliability'), is_dated=false) }}
