{{ as_made(ref('contact_outcomes'), doubles=['incremental_profit']) }}
