"""Stage identity: which ids are one person, as known on the date."""
