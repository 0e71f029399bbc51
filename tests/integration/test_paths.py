"""Names that a user writes never lead out of the home."""

import json

import pytest

from pipelines.cli import main


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A home, and a folder next to it that looks like a batch of another one. Its path as seen from `raw/`."""
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOLDFAST_SOURCES", "completejourney")
    (tmp_path / "home" / "raw" / "shop" / "transactions").mkdir(parents=True)
    batch = tmp_path / "outside" / "transactions" / "0011223344556677"
    batch.mkdir(parents=True)
    (batch / "batch.json").write_text(json.dumps({"batch_id": "0011223344556677", "file": "not-yours.csv"}))
    return batch


@pytest.mark.parametrize(
    "arguments",
    [
        ["quarantine", "list", "--source", "../../outside"],
        ["quarantine", "show", "--source", "shop", "--entity", "../../../outside/transactions"],
        ["quarantine", "redrive", "--entity", "../../../outside/transactions"],
        ["quarantine", "list", "--batch", "../0011223344556677"],
        ["rollback", "--to", "../../outside"],
        ["release", "--as-of", "2024-01-01", "--run", "../../outside", "--reason", "because"],
        ["run", "--as-of", "../../2024-01-01"],
    ],
    ids=lambda arguments: " ".join(arguments[:3]),
)
def test_a_name_that_leads_out_of_the_home_is_refused(outside, arguments, capsys):
    try:
        code = main(arguments)
    except SystemExit as error:  # argparse
        code = error.code
    said = capsys.readouterr()
    assert code == 2, said
    assert "not-yours" not in said.out + said.err and "Traceback" not in said.err
    assert [path.name for path in outside.iterdir()] == ["batch.json"]
