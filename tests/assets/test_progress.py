"""Progress lines: what a step took last time, and how much is left by it."""

import time

import dagster as dg
import pytest

from pipelines.progress import last_seconds, progress_logger


@dg.op
def slow():
    time.sleep(0.6)


@dg.op(ins={"after": dg.In(dg.Nothing)})
def quick():
    pass


@dg.job(logger_defs={"progress": progress_logger})
def toy():
    quick(slow())


def _run(instance) -> None:
    expected = last_seconds(instance, "toy")
    toy.execute_in_process(instance=instance, run_config={"loggers": {"progress": {"config": {"expected": expected}}}})


def test_the_second_run_tells_what_the_first_one_took(capfd):
    with dg.DagsterInstance.ephemeral() as instance:
        assert last_seconds(instance, "toy") == {}
        _run(instance)
        first = capfd.readouterr().err
        assert "1. slow …\n" in first and "2. quick …\n" in first and "last time" not in first
        seconds = last_seconds(instance, "toy")
        assert list(seconds) == ["slow", "quick"] and seconds["slow"] >= 0.6
        _run(instance)
        second = capfd.readouterr().err
        both = sum(seconds.values())
        assert f"1. slow … (last time {seconds['slow']:.0f} s; about {both:.0f} s left in all)" in second
        assert f"2. quick … (last time {seconds['quick']:.0f} s; about {seconds['quick']:.0f} s left in all)" in second


def test_a_failed_run_is_no_measure(capfd):
    @dg.op
    def broken():
        raise ValueError("broken")

    @dg.job(name="toy")
    def breaking():
        broken()

    with dg.DagsterInstance.ephemeral() as instance:
        breaking.execute_in_process(instance=instance, raise_on_error=False)
        assert last_seconds(instance, "toy") == {}


@dg.asset
def table():
    return dg.MaterializeResult(metadata={"dagster/row_count": 1234})


@pytest.mark.parametrize("verbose", [True, False])
def test_tables_are_for_who_asks(capfd, verbose):
    with dg.DagsterInstance.ephemeral() as instance:
        dg.define_asset_job("one").resolve(
            asset_graph=dg.Definitions(assets=[table]).resolve_asset_graph()
        ).with_logger_defs({"progress": progress_logger}).execute_in_process(
            instance=instance, run_config={"loggers": {"progress": {"config": {"verbose": verbose}}}}
        )
    said = capfd.readouterr().err
    assert "1. table …" in said and "table done in" in said
    assert ("1,234 rows" in said) == verbose
