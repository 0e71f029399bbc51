"""Stage actions: candidates become the contact plan."""
