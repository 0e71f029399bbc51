"""The model: its features, candidate models and fits, what is stored of it, and how it scores."""
