"""What a user can cause: one clear error that names thing and remedy, no traceback, nothing published touched."""

import gzip

import duckdb
import pytest

from tests.integration import shop
from tests.integration.command_line import called, contents, holdfast

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def published_home(tmp_path_factory):
    """A home with a file that readers read, and a source: what is refused must leave the one as it is."""
    folder = tmp_path_factory.mktemp("bad-input")
    yaml = shop.write(folder / "shop", shop.lines(n_customers=60))
    (folder / "home" / "published").mkdir(parents=True)
    with duckdb.connect(str(folder / "home" / "published" / "holdfast.duckdb")) as con:
        for schema in ("marts", "history"):
            con.execute(f"create schema {schema}")
            con.execute(
                f"create table {schema}.churn_scores as select 'c0001' as customer_id, 0.5 as churn_probability"
            )
    return folder / "home", yaml


def refused(home, *arguments, names, by=called):
    """Run, in this process or `by` one of its own, and insist on one error that names everything in `names` and a
    remedy, and on untouched tables."""
    before = contents(home), contents(home, "history")
    done = by(home, *arguments)
    assert done.returncode == 2, done.stdout + done.stderr
    error = done.stderr[done.stderr.index("error: ") :]
    assert "Traceback" not in done.stderr, done.stderr[-3000:]
    assert "remedy: " in error and done.stderr.count("error: ") == 1, done.stderr[-3000:]
    for name in names:
        assert name in error, error
    assert (contents(home), contents(home, "history")) == before
    return error


def test_unknown_parameter(published_home):
    home, yaml = published_home
    arguments = ["run", "--source", str(yaml), "--param", "churn_horizon=60"]
    refused(home, *arguments, names=["churn_horizon", "churn_horizon_days"], by=holdfast)


def test_parameter_out_of_range(published_home):
    home, yaml = published_home
    refused(home, "run", "--source", str(yaml), "--param", "churn_horizon_days=1", names=["churn_horizon_days", "7"])


def test_parameter_without_value(published_home):
    home, _ = published_home
    refused(home, "run", "--param", "churn_horizon_days", names=["--param", "name=value"])


@pytest.mark.parametrize("day", ["2031-01-01", "2020-01-01"])
def test_date_outside_the_data(published_home, day):
    home, yaml = published_home
    refused(home, "run", "--source", str(yaml), "--as-of", day, names=[day, str(shop.AS_OF)])


def test_range_the_wrong_way_round(published_home):
    home, yaml = published_home
    arguments = ["run", "--source", str(yaml), "--from", "2024-08-02", "--to", "2024-08-01"]
    refused(home, *arguments, names=["2024-08-02", "swap"])


def test_half_a_range(published_home):
    home, yaml = published_home
    refused(home, "run", "--source", str(yaml), "--from", "2024-08-02", names=["--from", "--to"])


def test_unknown_source(published_home):
    home, _ = published_home
    refused(home, "run", "--source", "completejorney", names=["completejorney", "completejourney"])


def test_missing_yaml(published_home, tmp_path):
    home, _ = published_home
    refused(home, "run", "--source", str(tmp_path / "none.yml"), names=["none.yml"])


def test_missing_folder(published_home, tmp_path):
    home, _ = published_home
    (tmp_path / "shop.yml").write_text(shop.YAML.replace("folder: .", "folder: nowhere"))
    refused(home, "run", "--source", str(tmp_path / "shop.yml"), names=["nowhere"])


def test_missing_required_column(published_home, tmp_path):
    home, _ = published_home
    yaml = shop.write(tmp_path, [])
    (tmp_path / "sales.csv").write_text("customer,receipt,position,paid\nc1,1,1,2.00\n")
    refused(home, "run", "--source", str(yaml), names=["sales.csv", "time"])


def test_truncated_gzip(published_home, tmp_path):
    home, _ = published_home
    yaml = shop.write(tmp_path, [])
    yaml.write_text(yaml.read_text().replace("sales*.csv", "sales*.csv*"))
    (tmp_path / "sales.csv").unlink()
    packed = gzip.compress((shop.HEADER + "".join(line.csv() for line in shop.lines(20))).encode())
    (tmp_path / "sales.csv.gz").write_bytes(packed[: len(packed) // 2])
    refused(home, "run", "--source", str(yaml), names=["sales.csv.gz", "cut short"])


def test_a_home_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    done = holdfast(tmp_path / "file" / "home", "run")
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert "HOLDFAST_HOME" in done.stderr and str(tmp_path / "file" / "home") in done.stderr


def test_check_source_says_what_is_wrong_before_anything_is_loaded(tmp_path):
    yaml = shop.write(tmp_path / "shop", shop.lines(30))
    broken = yaml.read_text().replace("occurred_at: time", "occurred_at: category")
    yaml.write_text(broken)
    done = holdfast(tmp_path / "home", "check-source", str(yaml))
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "sales.csv" in done.stdout and "occurred_at" in done.stdout
    assert not (tmp_path / "home" / "raw").exists()
