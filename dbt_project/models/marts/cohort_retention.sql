{{ as_made(ref('cohort_months')) }}
