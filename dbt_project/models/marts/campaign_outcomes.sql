{{ as_made(ref('contact_outcomes'), has_money=true, doubles=['incremental_profit']) }}
