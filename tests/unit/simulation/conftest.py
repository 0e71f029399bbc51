"""One tiny simulated business for all tests that only read it."""

from datetime import date

import duckdb
import pytest

from simulation.business import Request, simulate

LINES, CUSTOMERS, NIGHTS = 16_000, 1_500, 2


@pytest.fixture(scope="session")
def make_request(tmp_path_factory):
    """A small request; keyword arguments override."""

    def make(**changes) -> Request:
        usual = {
            "lines": LINES,
            "customers": CUSTOMERS,
            "seed": 7,
            "nights": NIGHTS,
            "years": 1.0,
            "start": date(2021, 3, 1),
            "cutoffs": 2,
            "knowable_customers": 400,
            "out": tmp_path_factory.mktemp("simulated"),
        }
        return Request(**{**usual, **changes})

    return make


@pytest.fixture(scope="session")
def business(make_request):
    """(request, population) of a business that has been written."""
    request = make_request()
    return request, simulate(request)


@pytest.fixture
def read(business):
    """Rows of a query; `{out}` in it is the business's folder."""
    request, _ = business

    def rows(sql: str) -> list[tuple]:
        with duckdb.connect() as con:
            return con.execute(sql.replace("{out}", str(request.out))).fetchall()

    return rows
