"""Faults of the input through the whole run: a missing extract, a file that is no file, a date as it was known then."""

import json
from datetime import timedelta

import pytest

from tests.integration import shop
from tests.integration.command_line import contents, holdfast, published, ran

pytestmark = pytest.mark.slow


def expecting_every_day(yaml) -> None:
    yaml.write_text(yaml.read_text().replace("    files:", "    expects: {every_days: 1}\n    files:"))


@pytest.mark.campaign
def test_a_missing_extract_stops_the_run_before_anybody_is_scored(tmp_path):
    lines = shop.lines(n_customers=60)
    yaml = shop.write(tmp_path / "shop", [line for line in lines if line.time.date() < shop.AS_OF - timedelta(days=2)])
    expecting_every_day(yaml)
    done = holdfast(tmp_path / "home", "run", "--source", str(yaml), "--as-of", str(shop.AS_OF))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    error = done.stderr[done.stderr.index("error: ") :]
    for words in ("source shop", str(shop.AS_OF - timedelta(days=1)), "absent", "remedy", "ingest_extract_guard=warn"):
        assert words in error
    assert not (tmp_path / "home" / "published" / "holdfast.duckdb").exists()


@pytest.mark.campaign
def test_after_a_missing_extract_yesterdays_set_stays_and_a_person_can_let_the_night_pass_on_record(tmp_path):
    lines = shop.lines(n_customers=60)
    # So small a shop sells nothing on some days; the day before the first night must not be one of them.
    last = max(d for line in lines if (d := line.time.date()) < shop.AS_OF - timedelta(days=1)) + timedelta(days=1)
    lines = [line for line in lines if line.time.date() < last]
    yaml = shop.write(tmp_path / "shop", lines)
    expecting_every_day(yaml)
    home = tmp_path / "home"
    ran(home, "--source", str(yaml), "--as-of", str(last))
    before = contents(home)

    late = ["--source", str(yaml), "--as-of", str(shop.AS_OF)]
    held = holdfast(home, "run", *late)
    assert held.returncode == 1 and "Traceback" not in held.stderr
    assert "source shop" in held.stderr and f"{last}: extract absent" in held.stderr and "remedy" in held.stderr
    assert contents(home) == before, "what readers see is yesterday's set"
    with published(home) as con:
        assert con.execute("select distinct as_of_date from marts.churn_scores").fetchall() == [(last,)]

    said = ran(home, *late, "--param", "ingest_extract_guard=warn")
    assert f"extract absent: source shop, {last} (declared): 0 rows" in " ".join(said.split())
    with published(home) as con:
        assert con.execute("select distinct as_of_date from marts.churn_scores").fetchall() == [(shop.AS_OF,)]
        absent = con.execute(
            "select count(*) from marts.data_quality where kind = 'extract' and not passed and severity = 'warning'"
        ).fetchone()
        (parameters,) = con.execute("select parameters from marts.run_manifest").fetchone()
    assert absent[0] >= 1
    assert json.loads(parameters)["ingest_extract_guard"] == "warn"


@pytest.mark.campaign
def test_a_night_with_a_refused_file_is_held_back_and_can_be_let_pass_on_record(tmp_path):
    yaml = shop.write(tmp_path / "shop", shop.lines(n_customers=60))
    (tmp_path / "shop" / "sales_broken.csv").write_bytes(b"\x1f\x8b\x08cutoff")
    home = tmp_path / "home"
    arguments = ["run", "--source", str(yaml), "--as-of", str(shop.AS_OF)]
    held = holdfast(home, *arguments)
    assert held.returncode != 0 and "no_refused_files" in held.stderr + held.stdout
    assert not (home / "published" / "holdfast.duckdb").exists()
    said = ran(home, *arguments[1:], "--param", "ingest_refused_files=warn")
    assert "sales_broken.csv" in said and "rows in =" in said
    with published(home) as con:
        assert con.execute(
            "select rule, passed, severity from marts.data_quality where kind = 'refused_file'"
        ).fetchall() == [("damaged_gzip", False, "warning")]
        (parameters,) = con.execute("select parameters from marts.run_manifest").fetchone()
    assert json.loads(parameters)["ingest_refused_files"] == "warn"


@pytest.mark.campaign
def test_a_date_as_known_then_is_the_night_of_then_and_touches_nothing_of_now(tmp_path):
    lines = shop.lines(n_customers=60)
    late = [line for line in lines if line.customer.endswith("7")]
    yaml = shop.write(tmp_path / "shop", [line for line in lines if line not in late])
    home = tmp_path / "home"
    arguments = ["--source", str(yaml), "--as-of", str(shop.AS_OF)]
    ran(home, *arguments)
    then = contents(home)
    batches = sorted(home.glob("raw/shop/*/*/batch.json"))
    moment = max(json.loads(path.read_text())["loaded_at"] for path in batches)

    shop.write(tmp_path / "shop", late, "sales_late.csv")
    ran(home, *arguments)
    now, history = contents(home), contents(home, "history")
    assert now["customer_360"] != then["customer_360"]

    ran(home, *arguments, "--knowledge-time", moment.replace(" ", "T"))
    (known,) = (home / "as_known").iterdir()
    found = contents(known)
    of_the_run = {"run_manifest", "data_quality"}
    for table in set(then) - of_the_run:
        assert found[table] == then[table], table
    assert (contents(home), contents(home, "history")) == (now, history)
    with published(known) as con:
        (parameters,) = con.execute("select parameters from marts.run_manifest").fetchone()
    assert json.loads(parameters)["ingest_knowledge_time"] == moment.replace(" ", "T")
