"""A home for each test, with a key for ids."""

import pytest
from landed_preset import KEY, Home


@pytest.fixture
def home(tmp_path, monkeypatch) -> Home:
    monkeypatch.setenv("HOLDFAST_ID_KEY", KEY)
    return Home(tmp_path)
