{{ staged_lines() }}
