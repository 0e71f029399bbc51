"""A source and a home of its own for each test."""

import pytest
from landed_shop import Shop


@pytest.fixture
def shop(tmp_path) -> Shop:
    return Shop(tmp_path)
