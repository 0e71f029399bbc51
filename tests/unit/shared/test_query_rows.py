"""Totals give one row; a query that gives none is a mistake of ours."""

import duckdb
import pytest

from assets.shared.query_rows import one_row


def test_a_total_of_nothing_is_a_row():
    assert one_row(duckdb.execute("select count(*), sum(n) from (select 1 as n where false)")) == (0, None)


def test_no_row_is_no_answer():
    with pytest.raises(LookupError, match="gave none"):
        one_row(duckdb.execute("select 1 where false"))
