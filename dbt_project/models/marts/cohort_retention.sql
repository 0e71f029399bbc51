{{ as_made(ref('cohort_months'), has_money=true) }}
