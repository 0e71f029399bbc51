"""One night of the shop, run once and shared by the files that only look at what it left."""

from datetime import timedelta
from pathlib import Path

import pytest

from tests.integration import shop
from tests.integration.command_line import ran

NIGHT = shop.AS_OF - timedelta(days=2)


@pytest.fixture(scope="session")
def lines() -> list[shop.Line]:
    return shop.lines()


@pytest.fixture(scope="session")
def source(tmp_path_factory, lines) -> Path:
    """The shop's source, never changed by a test."""
    return shop.write(tmp_path_factory.mktemp("shop"), lines)


@pytest.fixture(scope="session")
def night(tmp_path_factory, source) -> Path:
    """A home after one run as of NIGHT. A test may run that night again, and nothing else."""
    home = tmp_path_factory.mktemp("night") / "home"
    ran(home, "--source", str(source), "--as-of", str(NIGHT))
    return home
