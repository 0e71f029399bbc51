"""The chaos campaign: the real nightly job, killed and starved again and again, and what is left afterwards."""
