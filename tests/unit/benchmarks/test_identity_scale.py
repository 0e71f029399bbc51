"""The benchmark of stage identity runs, and counts what it says."""

from benchmarks.identity import seconds


def test_a_night_looks_only_at_what_is_new():
    found = seconds(1_200, 100)
    assert found["first_night_looked_at"] == 1_200
    assert 100 <= found["night_with_new_looked_at"] <= 250
    assert found["night_without_looked_at"] == 0
