{{ as_made(ref('customer_tiers'), has_money=true) }}
