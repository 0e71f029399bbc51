{{ as_made(ref('tenure_hazard')) }}
