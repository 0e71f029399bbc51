{{ as_made(ref('contact_outcomes')) }}
