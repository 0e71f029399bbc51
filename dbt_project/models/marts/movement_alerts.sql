{{ as_made(source('movements', 'customer_movements')) }}
