"""Where columns stand in a file: with and without a header, by position, skipped lines, Parquet of many types."""

from datetime import datetime
from decimal import Decimal

import duckdb
import pytest
from landed_shop import CDNOW, COLUMNS, HEADER

from assets.shared.errors import UserError

GOOD = "7,o1,1,2024-05-01 10:00,5.00"
BY_POSITION = {"customer_id": 1, "order_id": 2, "line_id": 3, "occurred_at": 4, "amount": 5}


def test_positions_without_a_header(shop):
    content = f"{GOOD}\n{GOOD.replace('o1', 'o2')}\nragged,row\n"
    rows = shop.landed(content, "order_id", header=False, columns=BY_POSITION)
    assert rows == [("o1",), ("o2",)]
    assert shop.refused() == [(3, "wrong_number_of_columns")]


def test_given_names_without_a_header(shop):
    assert shop.landed(f"{GOOD}\n", "order_id", column_names=HEADER.split(",")) == [("o1",)]


def test_whitespace_positions_without_a_header(shop):
    rows = shop.landed(
        CDNOW.split("\n", 1)[1],
        "customer_id, amount",
        delimiter="whitespace",
        header=False,
        date_format="%Y%m%d",
        columns={"customer_id": 1, "occurred_at": 2, "amount": 4},
    )
    assert rows == [("00001", Decimal("11.7700")), ("00002", Decimal("77.0000"))]


def test_lines_before_the_header_are_skipped_and_keep_their_numbers(shop):
    shop.landed(f"Export of 2024\nShop 1;;;\n{HEADER}\n{GOOD}\n,o2,1,2024-05-01,5\n", skip_lines=2)
    assert shop.query("select rows_in from ingest.batches") == [(2,)]
    assert shop.refused() == [(5, "customer_id_missing")]


def test_a_position_that_does_not_exist(shop):
    with pytest.raises(UserError, match="column 9, mapped to amount, is not in the file"):
        shop.landed(f"{GOOD}\n", header=False, columns={**BY_POSITION, "amount": 9})


@pytest.mark.parametrize(("delimiter", "mark"), [("tab", "\t"), ("\\t", "\t"), ("|", "|"), ("^", "^"), (" ", " ")])
def test_delimiters(shop, delimiter, mark):
    content = f'{HEADER}\n7,o1,1,2024-05-01,5\n8,"o{mark}2",1,2024-05-01,5\n'.replace(",", mark)
    assert shop.landed(content, "order_id", delimiter=delimiter) == sorted([("o1",), (f"o{mark}2",)])


def test_a_delimiter_of_two_characters(shop):
    content = f'{HEADER}\n7,o"1,1,2024-05-01,5\n'.replace(",", "||")
    assert shop.landed(content, "order_id", delimiter="||", quote="") == [('o"1',)]


def test_joined_columns_constants_case_and_values(shop):
    columns = {
        "customer_id": {"column": "who", "case": "upper"},
        "order_id": {"columns": ["shop", "receipt"], "separator": "-"},
        "line_id": "line",
        "occurred_at": {"columns": ["day", "time"], "date_format": "%d.%m.%Y %H:%M"},
        "amount": "money",
        "store_id": "shop",
        "channel": {"constant": "store"},
        "category": {"column": "kind", "values": {"A": "Apples"}},
    }
    rows = shop.landed(
        "who,shop,receipt,line,day,time,money,kind\nab,S1,17,1,05.06.2024,14:30,5,a\ncd,S2,,2,05.06.2024,14:30,5,B\n",
        "customer_id, order_id, occurred_at, channel, category",
        columns=columns,
    )
    at = datetime(2024, 6, 5, 14, 30)
    assert rows == [("AB", "S1-17", at, "store", "Apples"), ("CD", "S2", at, "store", "B")]


def test_an_optional_column_may_be_absent(shop):
    columns = {**COLUMNS, "category": {"column": "group", "optional": True}}
    shop.write(f"{HEADER}\n{GOOD}\n", "old.csv")
    shop.write(f"{HEADER},group\n{GOOD.replace('o1', 'o2')},toys\n", "young.csv")
    shop.describe({"columns": columns})
    shop.land()
    assert shop.query("select order_id, category from ingest.transactions order by 1") == [("o1", None), ("o2", "toys")]


def parquet(shop, sql: str, name: str = "sales.parquet") -> None:
    duckdb.connect().execute(f"copy ({sql}) to '{shop.folder / name}' (format parquet)")


def test_parquet_with_its_own_types(shop):
    parquet(
        shop,
        """
        select * from (values
            (17.0::double, 1::bigint, 1::int, timestamp '2024-05-01 10:00', 5.25::double),
            (18.0, 2, 1, timestamp '2024-05-02 10:00', 'nan'),
            (null, 3, 1, timestamp '2024-05-03 10:00', 7),
            (19.0, 4, 1, null, 7),
            (20.0, 5, 1, timestamp '2024-05-03 10:00', 1e15)
        ) as t(who, "order", line, "when", money)
        """,
    )
    shop.describe()
    shop.land()
    assert shop.query("select customer_id, order_id, occurred_at, amount from ingest.transactions") == [
        ("17", "1", datetime(2024, 5, 1, 10), Decimal("5.2500"))
    ]
    assert shop.refused() == [
        (2, "amount_not_finite"),
        (3, "customer_id_missing"),
        (4, "occurred_at_missing"),
        (5, "amount_out_of_range"),
    ]
    assert '"money":7.0' in shop.query("select raw_text from personal.quarantined_rows where line_number = 3")[0][0]


def test_parquet_with_text_dates_and_zoned_times(shop):
    parquet(
        shop,
        """
        select '1' as who, 'a' as "order", '1' as line, timestamptz '2024-07-01 22:30:00+00' as "when", '1,50' as money
        """,
    )
    shop.describe({"decimal": ","}, {"time_zone": "Europe/Berlin"})
    shop.land()
    assert shop.query("select occurred_at, amount from ingest.transactions") == [
        (datetime(2024, 7, 2, 0, 30), Decimal("1.5000"))
    ]


def test_damaged_parquet_is_named(shop):
    parquet(shop, "select 1 as who")
    path = shop.folder / "sales.parquet"
    path.write_bytes(path.read_bytes()[:-9])
    shop.describe()
    with pytest.raises(UserError, match=r"sales\.parquet cannot be read as Parquet: its end is missing"):
        shop.land()


def test_a_parquet_column_that_is_missing_is_named_with_the_ones_there_are(shop):
    parquet(shop, "select 1 as who, 2 as amount")
    shop.describe()
    with pytest.raises(UserError) as caught:
        shop.land()
    assert "which has: who, amount" in caught.value.remedy
