{{ as_made(source('actions', 'plan_limits')) }}
