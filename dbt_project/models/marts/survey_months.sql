{{ as_made(ref('voice_months')) }}
