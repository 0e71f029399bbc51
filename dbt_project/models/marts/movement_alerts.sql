{{ as_made(source('movements', 'customer_movements'), has_money=true, doubles=['money_moved']) }}
