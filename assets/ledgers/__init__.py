"""Stage ledgers: what earlier nights planned, and who is held out, opened for the date."""
