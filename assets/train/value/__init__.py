"""The money part of stage train: what customers will be worth, learned and judged out of time."""
