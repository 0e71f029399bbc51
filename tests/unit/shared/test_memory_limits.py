"""When memory or the disk behind it runs out, the message says which setting to change."""

import pytest

from assets.shared import warehouse
from assets.shared.errors import UserError
from assets.shared.settings import Settings, prepare_home

#: A list of twenty million numbers is one value, and one value cannot be put on disk in parts.
TOO_LARGE = "select len(list(i)) from range(20_000_000) as r(i)"
#: What is sorted can be put on disk, as far as that goes.
SORTED = "create table t as select hash(i) as h, repeat('x', 50) || i as words from range(1_000_000) as r(i) order by h"


@pytest.fixture
def settings(tmp_path) -> Settings:
    made = Settings(home=tmp_path, sources=("shop",), memory_limit="60MB", threads=1)
    prepare_home(made)
    return made


def test_every_connection_keeps_the_limits(settings):
    with warehouse.connect(settings) as con:
        found = con.execute("select current_setting('threads'), current_setting('temp_directory')").fetchone()
        limit = con.execute("select current_setting('memory_limit')").fetchone()[0]
    assert found == (1, str(settings.spill))
    assert limit.endswith("MiB") and float(limit.split()[0]) * 2**20 < settings.memory_bytes


def test_a_step_that_needs_more_memory_names_the_setting(settings):
    with pytest.raises(UserError, match="HOLDFAST_MEMORY_LIMIT") as caught, warehouse.connect(settings) as con:
        con.execute(TOO_LARGE)
    assert "HOLDFAST_THREADS" in caught.value.remedy


def test_memory_that_python_lacks_names_the_setting_too(settings):
    with pytest.raises(UserError, match="HOLDFAST_MEMORY_LIMIT"), warehouse.connect(settings):
        raise MemoryError


def test_what_does_not_fit_into_memory_goes_to_disk(settings):
    with warehouse.connect(settings) as con:
        con.execute(SORTED)
        assert warehouse.count_rows(con, "main.t") == 1_000_000


def test_a_full_disk_is_told_apart(settings):
    with pytest.raises(UserError, match="disk") as caught, warehouse.connect(settings) as con:
        con.execute("set max_temp_directory_size = '1MB'")
        con.execute(SORTED)
    assert str(settings.spill) in caught.value.what and "HOLDFAST_MEMORY_LIMIT" in caught.value.remedy


def test_other_errors_stay_what_they_are(settings):
    with pytest.raises(ZeroDivisionError), warehouse.connect(settings):
        raise ZeroDivisionError
