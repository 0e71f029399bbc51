"""A simulated business goes through the whole job, and a night later through it again."""

import shutil
from datetime import date, timedelta

import duckdb
import pytest

from pipelines.cli import main
from tests.integration.command_line import published, ran

pytestmark = pytest.mark.campaign

LINES, CUSTOMERS = 20_000, 900


@pytest.fixture(scope="module")
def business(tmp_path_factory):
    out = tmp_path_factory.mktemp("simulated") / "business"
    code = main(
        [
            "simulate",
            "--lines",
            str(LINES),
            "--customers",
            str(CUSTOMERS),
            "--seed",
            "3",
            "--nights",
            "1",
            "--years",
            "1",
            "--truth-months",
            "0",
            "--knowable-customers",
            "0",
            "--out",
            str(out),
        ]
    )
    assert code == 0
    return out


def test_a_simulated_business_runs_and_its_night_too(business, tmp_path):
    home, source = tmp_path / "home", str(business / "source.yml")
    last = date.fromisoformat((business / "last_date").read_text().strip())

    ran(home, "--source", source, "--as-of", str(last))
    with duckdb.connect() as con:
        truth = f"'{business}/truth/churn/{last}.parquet'"
        customers = con.execute(f"select count(*) from {truth} where horizon_days = 30").fetchone()[0]
    with published(home) as con:
        scored, eligible = con.execute(
            "select count(*) filter (where ineligible_reason is distinct from 'never_purchased'), "
            "count(churn_probability) from marts.churn_scores where as_of_date = ?",
            [last],
        ).fetchone()
        assert scored == customers and eligible > 0.3 * customers
        # the published probabilities rank the customers nearly as the truth does
        agreement = con.execute(f"""
            select corr(rank_published, rank_true) from (
                select rank() over (order by s.churn_probability) as rank_published,
                    rank() over (order by t.p_no_purchase) as rank_true
                from marts.churn_scores as s
                inner join {truth} as t on s.customer_id = t.customer_id and t.horizon_days = s.horizon_days
                where s.churn_probability is not null
            )
        """).fetchone()[0]
        assert agreement > 0.6
        assert con.execute("select count(*) from marts.campaign_outcomes where arm = 'holdout'").fetchone()[0] > 0

    for file in (business / "nights" / last.isoformat()).iterdir():
        shutil.copy(file, business / "landing")
    said = ran(home, "--source", source)
    assert str(last + timedelta(1)) in said
    with published(home) as con:
        assert con.execute("select distinct as_of_date from marts.churn_scores").fetchall() == [(last + timedelta(1),)]
