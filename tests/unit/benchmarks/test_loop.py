"""The benchmark of the contact plan: two nights on a small business, each way to choose, and the page."""

import pytest

from benchmarks import loop

pytestmark = pytest.mark.campaign


def test_two_nights_of_each_way_are_compared_on_the_same_business(tmp_path, monkeypatch, capsys):
    page = tmp_path / "loop.md"
    size = ["--customers", "300", "--lines", "9000", "--years", "1", "--days", "30", "--every", "15", "--seeds", "2"]
    monkeypatch.setattr("sys.argv", ["loop", *size, "--out", str(page)])
    loop.main()
    said = capsys.readouterr().out
    text = page.read_text()
    for way in loop.WAYS:
        assert f"business 2, {way}: " in said
        assert f"| {way} |" in text
    assert page.with_suffix(".png").stat().st_size > 5_000
    assert "300 customers" in text and "a night every 15 days" in text
