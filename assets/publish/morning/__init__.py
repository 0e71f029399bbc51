"""The morning page of a set: one HTML file that a person reads in a minute."""
