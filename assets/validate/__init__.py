"""Stage validate: checks of every table, reconciliations, and one verdict a run."""
