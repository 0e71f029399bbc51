-- The days that the morning numbers show: MetricFlow asks for a table of days.

select cast({{ as_of() }} - cast(round(generated_number) as int) as date) as kpi_date
from ({{ dbt.generate_series(400) }}) as series
