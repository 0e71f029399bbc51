{{ as_made(ref('kpi_daily'), has_money=true) }}
