"""Stage score: features and the champion become probabilities, money and reasons."""
