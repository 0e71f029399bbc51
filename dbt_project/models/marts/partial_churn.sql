{{ as_made(ref('stopped_categories'), has_money=true) }}
