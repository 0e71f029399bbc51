"""What an error says to do is done, as it is written, and then the source is sound: no remedy leads nowhere."""

import pytest
from landed_shop import COLUMNS, HEADER

from assets.ingest.check import check_source

ROWS = "".join(f"c{i % 9},o{i},1,2024-05-{i % 28 + 1:02} 10:00,{i + 1}.50\n" for i in range(60))
GOOD = f"{HEADER}\n{ROWS}"
WITHOUT_IDS = {name: ref for name, ref in COLUMNS.items() if name not in ("order_id", "line_id")}
NAMED = ["who", "order", "line", "when", "money"]
PLACES = dict(zip(("customer_id", "order_id", "line_id", "occurred_at", "amount"), range(1, 6), strict=True))


def check(shop, **table):
    shop.describe(table)
    report = check_source(shop.yaml)
    return report, report.render()


@pytest.mark.parametrize(
    ("content", "table", "words", "remedy"),
    [
        (ROWS, {}, "`column_names: [A, B, C]`", {"column_names": NAMED}),
        (ROWS, {}, "set `header: false` and refer to the 5 columns by position", {"header": False, "columns": PLACES}),
        (ROWS, {"header": False}, "refer to its 5 columns by position", {"header": False, "columns": PLACES}),
        (ROWS, {"header": False}, "`column_names: [A, B, C]`", {"column_names": NAMED}),
        (GOOD.replace(",", ";"), {}, "set `delimiter` to ';'", {"delimiter": ";"}),
        (GOOD.replace(",", "\t"), {}, "set `delimiter` to tab", {"delimiter": "tab"}),
        (
            f"Report of May\n\n{GOOD}".replace(",", "|"),
            {"header": "find"},
            "line 3 names them all with another one: set `delimiter` to '|'",
            {"header": "find", "delimiter": "|"},
        ),
        (f"Report\nof May\n{GOOD}", {}, "set `header: find`", {"header": "find"}),
        (f"Report\nof May\n{GOOD}", {}, "`skip_lines: 2`", {"skip_lines": 2}),
        (GOOD.replace("c1", "Zoë").encode("cp1252"), {}, "cp1252", {"encoding": "cp1252"}),
        (GOOD.replace("c1", "Zoë").encode("utf-16"), {}, "set `encoding: utf-16`", {"encoding": "utf-16"}),
        (GOOD.encode("utf-16-le"), {}, "set `encoding: utf-16-le`", {"encoding": "utf-16-le"}),
        (GOOD.replace("c1", "客户").encode("gb18030"), {}, "gb18030 (Chinese)", {"encoding": "gb18030"}),
        (
            GOOD.replace("money", "money,money").replace(".50\n", ".50,0\n"),
            {},
            "refer to it by its position",
            {"columns": {**COLUMNS, "amount": 5}},
        ),
        (GOOD.replace("money", "Money2"), {}, "did you mean 'Money2'", {"columns": {**COLUMNS, "amount": "Money2"}}),
        (GOOD.replace("2024-05-", "05/").replace(" 10:00", "/2024"), {}, "%m/%d/%Y", {"date_format": "%m/%d/%Y"}),
    ],
)
def test_what_a_file_needs(shop, content, table, words, remedy):
    shop.write(content)
    report, text = check(shop, **table)
    assert not report.ok and words in text, text
    report, text = check(shop, **{**table, **remedy})
    assert report.ok and report.files[0].n_accepted == 60, text
    assert [batch.rows_accepted for batch in shop.land()] == [60]


@pytest.mark.parametrize(
    ("remedy", "n_lines"),
    [
        ({"delivery": "full"}, 66),
        ({"corrections": "replace_days"}, 66),
        ({"columns": COLUMNS}, 66),
        ({"delivery": "delta"}, 126),
    ],
)
def test_a_delivery_that_repeats_another(shop, remedy, n_lines):
    again = ROWS + "".join(f"c{i},n{i},1,2024-05-28 11:00,5.25\n" for i in range(6))
    shop.write(GOOD, "a.csv")
    shop.write(f"{HEADER}\n{again}", "b.csv")
    report, text = check(shop, columns=WITHOUT_IDS)
    assert not report.ok and all(f"{key}: " in text or key == "columns" for key in remedy) and "map ids" in text
    report, text = check(shop, **{"columns": WITHOUT_IDS, **remedy})
    assert report.ok, text
    shop.land()
    counted = shop.query(
        "select count(*) from (select * from ingest.transactions as t where not exists (select 1 from"
        " ingest.replaced_days as gone where gone.batch_id = t.batch_id and gone.day = cast(t.occurred_at as date))"
        " qualify row_number() over (partition by cast(occurred_at as date), order_id, line_id order by batch_id) = 1)"
    )
    assert counted == [(n_lines,)]


def test_the_same_file_twice_counts_once_and_is_said(shop):
    shop.write(GOOD, "a.csv")
    shop.write(GOOD, "b.csv")
    report, text = check(shop, columns=WITHOUT_IDS)
    assert report.ok and "it is a.csv, byte for byte, and counts once" in text
    shop.land()
    assert shop.query("select count(*) from ingest.transactions") == [(60,)]
