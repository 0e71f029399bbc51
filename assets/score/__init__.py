"""Stage score: features and the chosen model become probabilities, money and reasons."""
