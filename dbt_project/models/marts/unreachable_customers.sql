{{ as_made(ref('reachability')) }}
