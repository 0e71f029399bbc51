"""What a stage cost: nothing of a step is lost, rows and bytes are those of its tables."""

import duckdb
import pytest

from assets.validate.stage_costs import OVERHEAD, stage_costs, stage_seconds, with_validation

STAGES = ("ingest", "staging", "features", "segments", "score")


def test_every_second_of_a_step_is_somewhere():
    steps = {"ingest": 3.0, "features_and_segments": 10.0, "score": 2.0}
    tables = [
        ("features_and_segments", "features", 4.0),
        ("features_and_segments", "segments", 1.5),
        ("features_and_segments", "features", 2.0),
        ("score", "score", 1.9),
    ]
    found = stage_seconds(steps, tables, STAGES)
    assert found == {"ingest": 3.0, "features": 6.0, "segments": 1.5, "score": 2.0, OVERHEAD: 2.5}
    assert sum(found.values()) == sum(steps.values())


def test_tables_built_side_by_side_leave_no_negative_rest():
    found = stage_seconds({"dbt": 5.0}, [("dbt", "features", 4.0), ("dbt", "segments", 3.0)], STAGES)
    assert found[OVERHEAD] == 0.0


@pytest.fixture
def con(tmp_path):
    with duckdb.connect(str(tmp_path / "w.duckdb")) as con:
        con.execute("create schema ingest")
        con.execute("create table ingest.batches as select 90 as rows_accepted, 5000 as size_bytes from range(2)")
        con.execute("create schema features")
        con.execute("create table features.customer_day as select range as id, random() as x from range(400000)")
        con.execute("create view features.a_view as select 1 as one")
        con.execute("checkpoint")
        yield con


def test_rows_and_bytes_are_those_of_the_tables(con):
    costs = {c["stage"]: c for c in stage_costs(con, STAGES, {"ingest": 1.234, OVERHEAD: 0.5})}
    assert costs["ingest"] == {"stage": "ingest", "rows": 180, "bytes": 10_000, "seconds": 1.23}
    assert costs["features"]["rows"] == 400_000
    assert 400_000 * 6 < costs["features"]["bytes"] < 400_000 * 16  # random doubles hardly compress
    assert costs["features"]["seconds"] is None
    assert costs["score"] == {"stage": "score", "rows": 0, "bytes": 0, "seconds": None}
    assert [*costs] == [*STAGES, OVERHEAD]


def test_validation_counts_its_checks_and_its_own_seconds_and_nothing_else_changes():
    costs = [{"stage": name, "rows": 3, "bytes": 9, "seconds": None} for name in ("score", "validate", "publish")]
    score, validate, publish = with_validation(costs, 2.345, 290)
    assert validate == {"stage": "validate", "rows": 290, "bytes": 9, "seconds": 2.35}
    assert [score, publish] == [costs[0], costs[2]]
