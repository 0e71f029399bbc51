"""Stage movements: who stopped, slowed down or spends otherwise than usual, under a stated rate of false alarms."""
