{{ as_made(ref('kpi_levels')) }}
