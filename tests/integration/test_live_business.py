"""A business that lives with its plan: whole nights, customers who react, and what the nights learn of it."""

from datetime import timedelta

import duckdb
import pytest

from pipelines.cli import main
from simulation.live import next_morning
from tests.integration.command_line import published

pytestmark = pytest.mark.campaign

DAYS = 2


def test_nights_and_days_alternate_and_what_was_sent_comes_back(tmp_path):
    out = tmp_path / "business"
    size = ["--lines", "20000", "--customers", "900", "--years", "1", "--seed", "4", "--nights", str(DAYS)]
    size += ["--start", "2021-02-01"]  # no night falls on a quiet day
    truth = ["--truth-months", "0", "--knowable-customers", "0"]
    assert main(["simulate", *size, *truth, "--out", str(out)]) == 0
    first = next_morning(out)
    assert main(["simulate", "--live", str(DAYS), "--out", str(out)]) == 0
    assert next_morning(out) == first + timedelta(days=DAYS)
    with published(out / "home") as con:
        (as_of,) = con.execute("select max(as_of_date) from marts.retention_actions").fetchone()
        planned, sent = con.execute(
            "select sum(n_planned), sum(n_sent) from marts.contact_funnel where planned_by = 'holdfast'"
        ).fetchone()
    assert as_of == first + timedelta(days=DAYS - 1)
    with duckdb.connect() as con:
        exported = con.execute(f"select count(*) from read_csv('{out}/home/exports/{first}/email.csv')").fetchone()[0]
        reported = con.execute(
            f"select count(*) from '{out}/landing/contacts_plan_{first}.parquet' where channel = 'email'"
        ).fetchone()[0]
    assert exported == reported > 0
    assert planned >= sent > 0, "what the business reports of a night is known on the next"
    assert main(["simulate", "--live", "--out", str(out)]) == 2, "it has no day left"
