{{ as_made(ref('voice_attributes')) }}
