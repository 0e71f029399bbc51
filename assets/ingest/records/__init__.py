"""Files as rows of raw values: every line accounted for, whatever the format."""
