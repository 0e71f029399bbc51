{{ as_made(ref('kpi_daily')) }}
