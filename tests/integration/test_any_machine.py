"""The same rows on any machine: a million lines at two numbers of threads and limits of memory."""

import pytest

from tests.integration.command_line import contents, holdfast

pytestmark = pytest.mark.long

#: Threads and memory: one that holds all, and one core that spills.
AMPLE, SCARCE = ("2", "8GB"), ("1", "900MB")


@pytest.fixture(scope="module")
def homes(tmp_path_factory):
    """The home of either machine, after a run on the same million lines of twenty thousand customers."""
    folder = tmp_path_factory.mktemp("size-s")
    made = holdfast(folder, "simulate", "--lines", "1000000", "--customers", "20000", "--out", str(folder / "shop"))
    assert made.returncode == 0, made.stderr
    found = {}
    with pytest.MonkeyPatch.context() as environment:
        for threads, memory in (AMPLE, SCARCE):
            environment.setenv("HOLDFAST_THREADS", threads)
            environment.setenv("HOLDFAST_MEMORY_LIMIT", memory)
            home = folder / f"{threads}-{memory}"
            run = holdfast(home, "run", "--source", str(folder / "shop" / "source.yml"), timeout=1800)
            assert run.returncode == 0, run.stderr
            found[threads, memory] = contents(home)
    return found


def test_every_row_of_every_mart_is_the_same(homes):
    ample, scarce = homes[AMPLE], homes[SCARCE]
    assert list(scarce) == list(ample)
    assert [table for table in ample if scarce[table] != ample[table]] == []


def test_there_is_something_to_compare(homes):
    assert len(homes[AMPLE]["churn_scores"]) > 10_000
