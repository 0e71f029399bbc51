{{ as_made(ref('lifecycle_transitions')) }}
