"""A shop that was closed for three weeks, on the morning after it reopened, beside the same shop that never closed."""

from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.integration import shop
from tests.integration.command_line import published, ran

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(1800)]

CLOSED_FROM, CLOSED_DAYS = date(2024, 7, 25), 21
REOPENED = CLOSED_FROM + timedelta(CLOSED_DAYS)


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Per shop: the stages with their shares, and the median churn probability of those who bought before."""
    lines = shop.lines(n_customers=220)
    found = []
    for name, as_of in (("open", CLOSED_FROM), ("closed", REOPENED)):
        later = [line for line in lines if line.time.date() < CLOSED_FROM]
        if name == "closed":
            pause = timedelta(CLOSED_DAYS)
            later += [replace(n, time=n.time + pause) for n in lines if n.time.date() >= CLOSED_FROM]
        yaml = shop.write(tmp_path_factory.mktemp(name) / "shop", later)
        if name == "closed":
            closed = f'closed_on: ["{CLOSED_FROM}..{REOPENED - timedelta(1)}"]'
            yaml.write_text(yaml.read_text().replace("    files:", f"    expects: {{{closed}}}\n    files:"))
        home = tmp_path_factory.mktemp("home") / name
        ran(home, "--source", str(yaml), "--as-of", str(as_of))
        with published(home) as con:
            stages = con.execute(
                "select lifecycle_stage, count(*) / sum(count(*)) over () from marts.customer_360 group by 1"
            ).fetchall()
            (median,) = con.execute(
                "select median(churn_probability) from marts.churn_scores where is_eligible"
            ).fetchone()
            silent = con.execute("select customer_id, days_since_last_order from marts.customer_360").fetchall()
        found.append((dict(stages), median, dict(silent)))
    return found


def test_a_closure_moves_nobody(seen):
    (stages, median, silent), (stages_after, median_after, silent_after) = seen
    assert silent_after == silent
    assert stages_after == pytest.approx(stages)
    assert median_after == pytest.approx(median, abs=0.05)
