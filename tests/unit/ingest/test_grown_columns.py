"""A home that was filled before an entity got a column goes on: earlier batches know nothing of it."""

import duckdb
from landed_shop import Shop

from assets.ingest.batches import data_files


def test_batches_landed_before_a_column_existed_are_shown_with_it_empty(tmp_path):
    shop = Shop(tmp_path)
    columns = {"customer_id": "who", "owner": "by"}
    shop.describe({"files": "sales*"}, customers={"files": "people*", "columns": columns})
    shop.write("who,order,line,when,money\nann,1,1,2024-01-02,5\n")
    shop.write("who,by\nann,17\n", "people1.csv")
    (batch,) = (batch for batch in shop.land() if batch.entity == "customers")
    (path,) = data_files(shop.settings, batch)
    with duckdb.connect() as con:
        con.execute(f"copy (select * exclude (owner) from '{path}') to '{path}.new' (format parquet)")
    path.with_name(path.name + ".new").replace(path)
    assert shop.query("select customer_id, owner, has_email from ingest.customers") == [("ann", None, False)]
    shop.write("who,by\nbob,23\n", "people2.csv")
    shop.land()
    assert shop.query("select customer_id, owner from ingest.customers order by all") == [("ann", None), ("bob", "23")]
    assert shop.query("select count(*) from personal.customers") == [(2,)]
