{{ as_made(ref('lifecycle_transitions'), has_money=true) }}
