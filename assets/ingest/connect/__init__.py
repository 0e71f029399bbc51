"""`holdfast connect`: from files that somebody exported to a source YAML that they can check. One module a step: which
files there are (`found_files`), what their columns are (`column_guesses`), the YAML (`written`), what comes of it
(`totals`). Whatever is guessed is marked as guessed; nothing here decides how a file is landed."""
