"""Every kind of bad file, landed by the real code: what is stated happens, nothing is lost, and what `check-source`
calls sound before is not blocked afterwards."""

import os
import sys
from datetime import date
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "unit" / "ingest"))
from landed_shop import Shop  # noqa: E402

sys.path.insert(0, str(Path(__file__).resolve().parent))
from cases import CASES, COLUMNS, Case, typed  # noqa: E402

from assets.ingest.check import check_source  # noqa: E402
from assets.ingest.mapping.accounts import Accounts  # noqa: E402
from assets.ingest.mapping.columns import ColumnMapping  # noqa: E402
from assets.ingest.mapping.moments import NAMED_FORMATS  # noqa: E402
from assets.ingest.mapping.source import SourceMapping, TableMapping  # noqa: E402
from assets.ingest.mapping.text_steps import NORMALISATIONS  # noqa: E402
from assets.ingest.records import text_lines  # noqa: E402
from assets.shared.params import load_params  # noqa: E402
from assets.validate.deliveries import delivery_rules  # noqa: E402
from assets.validate.reconciliations import rows_of_files, run_reconciliations  # noqa: E402


@pytest.fixture
def shop(tmp_path, monkeypatch) -> Shop:
    """With a good file next to the bad one, an hour old, whose rows must be there whatever becomes of the other."""
    monkeypatch.setattr(text_lines, "RATIO_COUNTS_FROM", 2**20)
    monkeypatch.setattr(text_lines, "CHUNK_BYTES", 2**20)
    monkeypatch.setenv("HOLDFAST_ID_KEY", "a key of at least 16 characters")
    shop = Shop(tmp_path)
    beside = shop.write(typed(2), "beside.parquet")
    os.utime(beside, (1_700_000_000, 1_700_000_000))
    return shop


def blocking(shop) -> list[str]:
    """What of the landed files keeps a night from being published, by the rules of the release gate."""
    params = load_params()
    rules = [*rows_of_files(params), *delivery_rules(date(2024, 5, 31), params)]
    results = run_reconciliations(shop.rebuilt(), [rule for rule in rules if rule.severity == "blocking"])
    assert not [found for found in results if "could not be checked" in found.observed]
    return [f"{found.rule}: {found.observed}" for found in results if not found.passed]


#: Each fifth case in `make test`; all of them in the campaign.
OFTEN = 5


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=str(case), marks=[pytest.mark.campaign] * (at % OFTEN > 0))
        for at, case in enumerate(CASES)
    ],
)
def test_what_is_stated_happens(shop, case: Case):
    case.write(shop.folder / case.name)
    shop.describe({"columns": COLUMNS, **case.table}, case.top)
    if "done_marker" in case.table:
        (shop.folder / "beside.parquet.done").touch()
    report = check_source(shop.yaml)
    landed = {batch.file: batch for batch in shop.land()}
    blocked = blocking(shop)
    assert report.ok == (not blocked), f"check-source says {report.problems}, the gate {blocked}"
    assert landed["beside.parquet"].rows_accepted == 2, "a bad file must refuse itself only"

    refused = shop.query("select file, rule, is_waiting, reason, remedy from ingest.refused_files")
    if case.outcome in ("refused", "waiting"):
        ((file, rule, is_waiting, reason, remedy),) = refused
        assert file == case.name and rule in case.rules and is_waiting == (case.outcome == "waiting")
        assert case.name in reason and remedy and str(shop.folder) not in reason
        assert set(landed) == {"beside.parquet"}
        return

    assert refused == []
    batch = landed[case.name]
    assert (batch.rows_accepted, batch.rows_quarantined) == case.rows
    assert batch.rows_in == sum(case.rows) + case.left_out and batch.rows_left_out == case.left_out
    own = f"from ingest.transactions where batch_id = '{batch.batch_id}'"
    assert shop.query(f"select count(*) {own}") == [(case.rows[0],)]
    kept = shop.query("select rule, reason, raw_text, line_number, file from personal.quarantined_rows")
    assert len(kept) == case.rows[1] and {rule for rule, *_ in kept} == set(case.rules)
    assert all(reason and raw_text and line and file == case.name for _, reason, raw_text, line, file in kept)
    assert (case.outcome == "quarantined") == bool(case.rows[1])
    if case.customers is not None:
        assert [c for (c,) in shop.query(f"select distinct customer_id {own} order by 1")] == sorted(case.customers)
    if case.amounts is not None:
        assert [float(a) for (a,) in shop.query(f"select amount {own} order by 1")] == sorted(map(float, case.amounts))
    if case.times is not None:
        found = shop.query(f"select strftime(occurred_at, '%Y-%m-%d %H:%M') {own} order by 1")
        assert [t for (t,) in found] == sorted(case.times)


#: Keys that say nothing of how a file is read: names and places, what a source usually delivers, databases, presets
#: (tests/presets has a file of each), whose accounts are compared.
NOT_OF_A_FILE = {
    "name", "folder", "tables", "files", "columns", "preset", "business", "complete_through", "expects", "postgres",
    "identity",
}  # fmt: skip


def as_list(value: str | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else value or []


def test_every_key_of_a_mapping_has_a_case():
    """By the declarations of which the guide's tables are made: a new key needs a case."""
    tables = [{**case.top.get("defaults", {}), **case.table} for case in CASES]
    of_columns = [
        column for table in tables for column in table.get("columns", {}).values() if isinstance(column, dict)
    ]
    used = {
        SourceMapping: {key for case in CASES for key in case.top},
        TableMapping: {key for table in tables for key in table},
        ColumnMapping: {key for column in of_columns for key in column} | {"columns"},
        Accounts: {key for case in CASES for key in case.top.get("accounts", {})},
    }
    for keys, found in used.items():
        assert set(keys.declared()) - NOT_OF_A_FILE - found == set(), keys.__name__
    ways = {way for column in of_columns for way in as_list(column.get("normalise"))}
    formats = {text for keys in (*tables, *of_columns) for text in as_list(keys.get("date_format", "iso"))}
    assert set(NORMALISATIONS) - ways == set() and set(NAMED_FORMATS) - formats == set()


def test_there_are_at_least_sixty_kinds_in_both_formats_where_they_can_exist():
    kinds: dict[str, set[str]] = {}
    for case in CASES:
        kinds.setdefault(case.title, set()).add("parquet" if ".parquet" in case.name else "csv")
    assert len(kinds) >= 60
    assert sum(len(formats) == 2 for formats in kinds.values()) >= 50
    assert {case.outcome for case in CASES} == {"accepted", "quarantined", "refused", "waiting"}
    assert len({(case.title, case.name) for case in CASES}) == len(CASES)
