"""Wiring: what runs together, when, and with which resources. Imports everything; nothing imports it."""
