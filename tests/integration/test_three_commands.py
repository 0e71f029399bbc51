"""From a raw export to a first published night by three commands, with nothing but what `connect` wrote."""

from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration import shop
from tests.integration.command_line import called, published

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]


def ledger(folder: Path, lines: list[shop.Line]) -> None:
    """Days with the month as a word; every ninth line is money back, which another column says."""
    rows = ["Invoice No,Customer No,Invoice Date,DR/CR,Article Code,Amount"]
    for n, line in enumerate(lines):
        side = "CR" if n % 9 == 0 else "DR"
        rows.append(f"{line.receipt},{line.customer},{line.time:%d-%b-%Y},{side},{line.category},{line.paid:.2f}")
    (folder / "ledger.csv").write_text("\n".join(rows) + "\n")


def webshop(folder: Path, lines: list[shop.Line]) -> None:
    """Files of two encodings, German numbers, the order's total on each of its rows."""
    total: dict[int, Decimal] = defaultdict(Decimal)
    for line in lines:
        total[line.receipt] += Decimal(f"{line.paid:.2f}")
    for name, encoding, months in (("h1", "cp1252", range(1, 5)), ("h2", "utf-8-sig", range(5, 13))):
        rows = ["Bestellnr;Käufer;Bestelldatum;Artikel;Gesamtbetrag"]
        rows += [
            f"{line.receipt};Käufer {line.customer};{line.time:%d.%m.%Y %H:%M};{line.category};"
            f"{total[line.receipt]:.2f} €".replace(".2f", "").replace("€", "EUR")
            for line in lines
            if line.time.month in months
        ]
        text = "\r\n".join(rows[:1] + [",".join(row.rsplit(".", 1)) for row in rows[1:]])
        (folder / f"bestellungen_{name}.csv").write_bytes((text + "\r\n").encode(encoding))


def platform(folder: Path, lines: list[shop.Line]) -> None:
    """Cents, a time zone, addresses, and rows that never became sales."""
    rows = ["id|order_id|customer_email|created_at|status|amount_cents"]
    for n, line in enumerate(lines):
        status = "failed" if n % 11 == 0 else "paid"
        cents = round(line.paid * 100)
        rows.append(f"t{n}|{line.receipt}|{line.customer}@x.test|{line.time.isoformat()}+01:00|{status}|{cents}")
    (folder / "export.txt").write_text("\n".join(rows) + "\n")


@pytest.mark.parametrize("export", [ledger, webshop, platform])
def test_three_commands(tmp_path, monkeypatch, export):
    monkeypatch.setenv("HOLDFAST_ID_KEY", "a key of a test, not of a shop")
    folder, yaml, home = tmp_path / "exports", tmp_path / "shop.yml", tmp_path / "data"
    folder.mkdir()
    lines = shop.lines(n_customers=90)
    export(folder, lines)
    for arguments in (
        ("connect", str(folder), "--out", str(yaml)),
        ("check-source", str(yaml)),
        ("run", "--home", str(home), "--source", str(yaml)),
    ):
        done = called(home, *arguments)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    last = max(line.time.date() for line in lines)
    counted = [line for n, line in enumerate(lines) if export is not platform or n % 11]
    signs = [-1 if export is ledger and n % 9 == 0 else 1 for n, _ in enumerate(lines)]
    expected = sum(
        round(line.paid * 100) * sign
        for n, (line, sign) in enumerate(zip(lines, signs, strict=True))
        if export is not platform or n % 11
    )
    with published(home) as con:
        n, net = con.execute("select count(*), sum(net_sales_total) from marts.customer_360").fetchone()
        as_of = con.execute("select distinct as_of_date from marts.churn_scores").fetchall()
    assert (n, round(net * 100)) == (len({line.customer for line in counted}), expected)
    assert len(as_of) == 1 and (as_of[0][0] - last).days in (0, 1)
