"""Tables of Spark outside the home."""

from dataclasses import replace

import duckdb
import pytest

from assets.shared.errors import UserError
from assets.shared.settings import load_settings
from pipelines.erasure.erase import erase
from pipelines.erasure.identifiers import Identifiers
from pipelines.erasure.rewriting import rewrite_database


def test_an_erasure_refuses_while_tables_of_spark_lie_elsewhere(home, tmp_path):
    folder = tmp_path / "mounted"
    (folder / "build").mkdir(parents=True)
    settings = replace(load_settings(), spark_folder=folder)
    with pytest.raises(UserError, match="lie outside the home") as error:
        erase(settings, [], {}, print, lambda: pytest.fail("no marts are asked for"))
    assert "remove what is in that folder" in error.value.remedy


def test_a_view_on_files_that_are_gone_does_not_stop_a_rewrite(tmp_path):
    path, file = tmp_path / "w.duckdb", tmp_path / "x.parquet"
    with duckdb.connect(str(path)) as con:
        con.execute(f"copy (select 'c1' as customer_id) to '{file}' (format parquet)")
        con.execute(f"create table t as select 'c1' as customer_id; create view v as from '{file}'")
    file.unlink()
    with duckdb.connect() as con:
        assert rewrite_database(con, path, Identifiers({"c1": "x1"}, secret="s"), lambda where, facts: None)
