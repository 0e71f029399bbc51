{{ as_made(source('movements', 'customer_movements'), doubles=['money_moved']) }}
