"""Which rows of a file count: conditions, footers, headers to be found, cells that stand once for several rows."""

from decimal import Decimal

import pytest
from landed_shop import COLUMNS, HEADER

from assets.ingest.check import check_source
from assets.shared.errors import UserError

GOOD = "7,o1,1,2024-05-01,5.00"


def counts(shop) -> tuple[int, int, int, int]:
    return shop.query("select rows_in, rows_accepted, rows_quarantined, rows_left_out from ingest.batches")[0]


def test_rows_that_nobody_wants_are_counted_apart_and_not_kept(shop):
    rest = "8,o2,1,2024-05-01,6,payout\n9,o3,1,2024-05-01,x,Sale\n9,o4,1,2024-05-01,x,payout\n"
    content = f"{HEADER},kind\n{GOOD},sale\n{rest}"
    assert shop.landed(content, "order_id", where="kind != payout") == [("o1",)]
    assert shop.refused() == [(4, "amount_not_a_number")]
    assert counts(shop) == (4, 1, 1, 2)
    assert shop.query("select rows_left_out from ingest.source_status") == [(2,)]


def test_a_row_that_cannot_be_split_is_never_left_out(shop):
    shop.landed(f"{HEADER},kind\n{GOOD},sale\n8,o2,payout\n", where="kind != payout")
    assert shop.refused() == [(3, "wrong_number_of_columns")] and counts(shop) == (2, 1, 1, 0)


def test_conditions_read_numbers_as_the_table_does(shop):
    content = f"{HEADER};n\n".replace(",", ";") + "7;o1;1;2024-05-01;1.234,50;2\n7;o2;1;2024-05-01;9,00;2\n"
    rows = shop.landed(content, "order_id", delimiter=";", decimal=",", thousands=".", where="money > 1000")
    assert rows == [("o1",)]


def test_conditions_on_days_read_them_as_the_table_does(shop):
    content = f"{HEADER}\n7,o1,1,31.12.2023,5\n7,o2,1,01.01.2024,5\n7,o3,1,21.02.2023,5\n7,o4,1,soon,5\n"
    rows = shop.landed(content, "order_id", date_format="%d.%m.%Y", where="when >= 2024-01-01")
    assert rows == [("o2",)] and counts(shop) == (4, 1, 1, 2)
    assert shop.refused() == [(5, "occurred_at_not_a_date")], "what cannot be read is refused, never left out unseen"


def test_the_limit_of_refused_rows_is_of_the_rows_that_are_wanted(shop):
    lines = [f"{i},o{i},1,2024-05-01,{'x' if i < 12 else 5},{'sale' if i < 31 else 'other'}" for i in range(1000)]
    shop.write("\n".join([f"{HEADER},kind", *lines]))
    problems = check_source(shop.describe({"where": "kind = sale"})).problems
    assert problems and problems[0].startswith("38.7% of the sampled rows")


def test_a_condition_on_a_column_that_is_not_there_refuses_the_file(shop):
    with pytest.raises(UserError, match="column 'Typ', mapped to where, is not in the file"):
        shop.landed(f"{HEADER}\n{GOOD}\n", where="Typ = sale")


def test_a_condition_on_a_parquet_file(shop, tmp_path):
    import duckdb

    duckdb.connect().execute(
        "copy (select 7 as who, 'o' || i as 'order', '1' as line, timestamp '2024-05-01' as 'when', i::double as money,"
        f" i = 1 as test from range(3) as r(i)) to '{shop.folder}/sales.parquet' (format parquet)"
    )
    shop.describe({"where": "test = false and money >= 0"})
    shop.land()
    assert shop.query("select order_id from ingest.transactions order by 1") == [("o0",), ("o2",)]


def test_quarantined_rows_that_a_new_condition_leaves_out_leave_the_quarantine(shop):
    from assets.ingest.batches import read_batches
    from assets.ingest.redrive import redrive_batch

    shop.landed(f"{HEADER},kind\n{GOOD},sale\n8,o2,1,2024-05-01,-,payout\n8,o3,1,2024-05-01,-,sale\n")
    shop.describe({"where": "kind != payout"})
    (batch,) = read_batches(shop.settings, ["shop"])
    done = redrive_batch(shop.settings, batch, shop.source().template("transactions"))
    assert (done.n_tried, done.n_accepted, done.n_quarantined) == (2, 0, 1)
    assert counts(shop) == (3, 1, 1, 1) and shop.refused() == [(4, "amount_not_a_number")]


# -- Footers and headers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("footer", [2, ["Total", "Datum der"]])
def test_total_rows_are_left_out(shop, footer):
    shop.landed(f'{HEADER}\n{GOOD}\nTotal,,,,5.00\n\n"Datum der Ausgabe: 01.06."\n', footer=footer)
    assert counts(shop) == (3, 1, 0, 2)


def test_a_footer_word_counts_at_the_beginning_of_the_first_filled_cell_only(shop):
    shop.landed(
        f"{HEADER}\n{GOOD}\n,,summe mai,,5\nSummerset,o2,1,2024-05-01,5\nX Total,o3,1,2024-05-01,5\n", footer="SUMME"
    )
    assert counts(shop) == (4, 3, 0, 1)


def test_a_sample_knows_the_footer_only_where_it_holds_the_end(shop):
    shop.write(f"{HEADER}\n{GOOD}\n8,o2,1,2024-05-01,5\nTotal,,,,10\n")
    path = shop.describe({"footer": 1})
    whole, beginning = check_source(path, 3).files[0], check_source(path, 1).files[0]
    assert (whole.n_rows, whole.n_accepted, whole.n_left_out) == (3, 2, 1)
    assert (beginning.n_accepted, beginning.n_left_out) == (beginning.n_rows, 0)
    assert "left out on purpose: 1 rows" in check_source(path).render()


@pytest.mark.parametrize("footer", [0, -1, 101, "", ["Total", ""]])
def test_what_is_no_footer(shop, footer):
    shop.describe({"footer": footer})
    with pytest.raises(UserError, match="footer"):
        shop.source()


def test_the_longest_footer(shop):
    shop.describe({"footer": 100})
    assert shop.source().mapping.tables["transactions"].footer == 100


@pytest.mark.parametrize("n_above", [0, 1, 199])
def test_the_header_is_found_below_any_preamble(shop, n_above):
    preamble = "Export, of the shop\n" * n_above
    shop.landed(f"{preamble}{HEADER.upper()}\n{GOOD}\n,o2,1,2024-05-01,5\n", header="find")
    assert shop.refused() == [(n_above + 3, "customer_id_missing")]
    assert counts(shop) == (2, 1, 1, 0)


def test_a_header_further_down_is_not_looked_for(shop):
    with pytest.raises(UserError, match="names all of the columns") as error:
        shop.landed("who,line\n" * 200 + f"{HEADER}\n{GOOD}\n", header="find")
    assert "line 1 names 2 of them" in error.value.remedy


def test_a_file_with_lines_above_its_header_is_told_where_the_header_stands(shop):
    with pytest.raises(UserError, match="are not in the file") as error:
        shop.landed(f"---\nExport\n\n{HEADER}\n{GOOD}\n")
    assert error.value.remedy == "the header stands in line 4: set `header: find` (or `skip_lines: 3`)"
    for keys in ({"header": "find"}, {"skip_lines": 3}):
        assert shop.landed(f"---\nExport\n\n{HEADER}\n{GOOD}\n", "order_id", **keys) == [("o1",)]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ({"header": "find", "skip_lines": 2}, "both given"),
        ({"header": "find", "columns": dict.fromkeys(COLUMNS, 1)}, "by the names of columns"),
        ({"header": "fnd"}, "header"),
    ],
)
def test_headers_that_cannot_be_found(shop, table, why):
    shop.describe(table)
    with pytest.raises(UserError, match=why):
        shop.source()


# -- Orders over several rows -----------------------------------------------------------------------------------------

ORDERS = "Name,Email,Status,Sub,Off,Back,At,Qty,Price,Sku\n"
SHOPLIKE = {
    "customer_id": "Email",
    "order_id": "Name",
    "line_id": {"numbered": True},
    "occurred_at": "At",
    "amount": "Price",
    "quantity": "Qty",
    "product_id": "Sku",
}


def test_cells_of_an_order_stand_for_all_its_rows(shop):
    content = (
        ORDERS + "#1,a,paid,9,,,2024-05-01,1,5,x\n#1,,,,,,,1,4,y\n#2,,void,,,,2024-05-02,1,5,x\n#2,,,,,,,1,5,y\n"
        "#3,b,paid,,,,2024-05-03,1,7,\n"
    )
    fill = {"within": "Name", "columns": ["Email", "Status", "At"]}
    rows = shop.landed(
        content, "order_id, line_id, customer_id", columns=SHOPLIKE, fill_down=fill, where="Status != void"
    )
    assert rows == [("#1", "1", "a"), ("#1", "2", "a"), ("#3", "1", "b")]
    assert counts(shop) == (5, 3, 0, 2)


def test_without_a_key_the_first_column_opens_a_group(shop):
    content = f"{HEADER}\n7,o1,1,2024-05-01,5\n,,2,,6\n,o2,1,2024-05-02,6\n,,2,,7\n8,o3,1,2024-05-03,1\n"
    shop.landed(content, fill_down={"columns": ["order", "who", "when"]})
    assert shop.query("select order_id, customer_id, amount from ingest.transactions order by amount") == [
        ("o3", "8", Decimal(1)),
        ("o1", "7", Decimal(5)),
        ("o1", "7", Decimal(6)),
    ]
    # The order without a customer does not become the customer's before it.
    assert shop.refused() == [(4, "customer_id_missing"), (5, "customer_id_missing")]


def test_a_column_cannot_be_filled_by_itself(shop):
    shop.describe({"fill_down": {"within": "order", "columns": ["order", "who"]}})
    with pytest.raises(UserError, match="stands in `within` and in `columns`"):
        shop.source()


def test_lines_are_numbered_within_their_order_so_that_a_second_delivery_counts_once(shop):
    columns = {**COLUMNS, "line_id": {"numbered": True}}
    content = "who,order,when,money\n7,o1,2024-05-01,5\n8,o2,2024-05-01,6\n7,o1,2024-05-01,5\n"
    shop.landed(content, columns=columns)
    shop.write(content + "9,o3,2024-05-02,1\n", "sales2.csv")
    shop.land()
    lines = shop.query("select distinct order_id, line_id from ingest.transactions order by all")
    assert lines == [("o1", "1"), ("o1", "2"), ("o2", "1"), ("o3", "1")]


@pytest.mark.parametrize(
    ("table", "why"),
    [
        (
            {"columns": {**{k: v for k, v in COLUMNS.items() if k != "order_id"}, "line_id": {"numbered": True}}},
            "order's",
        ),
        ({"columns": {**COLUMNS, "product_id": {"numbered": True}}}, "only line_id can be numbered"),
        (
            {"columns": {k: v for k, v in COLUMNS.items() if k != "order_id"}, "order_amounts": {"refund": "x"}},
            "order's",
        ),
        ({"order_amounts": {}}, "neither 'discount' nor 'refund'"),
        ({"order_amounts": {"refnd": "x"}}, "unknown key"),
    ],
)
def test_keys_of_orders_that_mean_nothing(shop, table, why):
    shop.describe(table)
    with pytest.raises(UserError, match=why):
        shop.source()


def test_amounts_of_an_order_are_deducted_from_its_rows_to_the_cent(shop):
    content = (
        ORDERS + "#1,a,paid,,1.00,,2024-05-01,1,1,x\n#1,,,,,,,1,1,y\n#1,,,,,,,1,1,z\n"
        "#2,b,paid,,0.01,10.00,2024-05-02,2,5,x\n#2,,,,,,,1,10,y\n"
        "#3,c,paid,,2.00,,2024-05-03,1,0,x\n#3,,,,,,,1,0,y\n"
        "#4,d,paid,,,,2024-05-04,1,3,x\n"
    )
    shop.landed(
        content,
        columns=SHOPLIKE,
        amount_is="unit_price",
        fill_down={"within": "Name", "columns": ["Email", "At"]},
        order_amounts={"discount": "Off", "refund": "Back"},
    )
    sums = shop.query(
        "select order_id, sum(amount), sum(discount_amount), list(amount order by line_id) from ingest.transactions"
        " group by 1 order by 1"
    )
    cents = [(order, total, discount, [float(amount) for amount in each]) for order, total, discount, each in sums]
    assert cents == [
        ("#1", Decimal("2.00"), Decimal("1.00"), [0.67, 0.66, 0.67]),
        ("#2", Decimal("9.99"), Decimal("0.01"), [4.99, 5.0]),
        ("#3", Decimal("-2.00"), Decimal("2.00"), [-1.0, -1.0]),
        ("#4", Decimal("3.00"), Decimal("0.00"), [3.0]),
    ]


def test_amounts_of_an_order_in_cents(shop):
    content = ORDERS + "#1,a,paid,,100,,2024-05-01,1,1000,x\n"
    columns = {**SHOPLIKE, "amount": {"column": "Price", "scale": 0.01}}
    rows = shop.landed(content, "amount, discount_amount", columns=columns, order_amounts={"discount": "Off"})
    assert rows == [(Decimal(9), Decimal(1))]


@pytest.mark.parametrize("off", ["999999999999999.00", "9999999999999999.00", "99999999999"])
def test_an_amount_of_an_order_beyond_belief_refuses_the_order_alone(shop, off):
    content = ORDERS + f"#1,a,paid,,{off},,2024-05-01,1,1,x\n#2,b,paid,,,,2024-05-01,1,1,x\n"
    rows = shop.landed(content, "order_id", columns=SHOPLIKE, order_amounts={"discount": "Off"})
    assert rows == [("#2",)] and shop.refused() == [(2, "order_discount_not_a_number")]


def test_words_for_nothing_are_filled_as_empty_cells_are(shop):
    content = f"{HEADER}\n7,o1,1,2024-05-01,5\nNULL,o1,2,NULL,6\n"
    assert len(shop.landed(content, fill_down={"within": "order", "columns": ["who", "when"]})) == 2


def test_an_order_whose_discount_cannot_be_read_is_refused_whole(shop):
    content = ORDERS + "#1,a,paid,,?,,2024-05-01,1,1,x\n#1,a,,,,,2024-05-01,1,1,y\n#2,b,,,,,2024-05-01,1,1,y\n"
    shop.landed(content, columns=SHOPLIKE, order_amounts={"discount": "Off"})
    assert shop.refused() == [(2, "order_discount_not_a_number"), (3, "order_discount_not_a_number")]


def test_rows_of_orders_are_not_read_again_alone(shop):
    from assets.ingest.batches import read_batches
    from assets.ingest.redrive import redrive_batch

    shop.landed(f"{HEADER}\n{GOOD}\n8,o2,1,2024-05-01,?\n", fill_down={"columns": ["order", "who"]})
    (batch,) = read_batches(shop.settings, ["shop"])
    with pytest.raises(UserError, match="read together with the others of their order"):
        redrive_batch(shop.settings, batch, shop.source().template("transactions"))


# -- The order's total on each of its rows --------------------------------------------------------------------------


def totals(shop, rows: list[str], **table) -> list[tuple]:
    return shop.landed("\n".join([HEADER, *rows]) + "\n", "order_id, line_id, amount", amount_is="order_total", **table)


def test_a_total_that_stands_on_each_row_counts_once(shop):
    found = totals(
        shop, [f"7,o1,{n},2024-05-01,10.00" for n in (1, 2, 3)] + ["7,o2,1,2024-05-01,5", "7,o1,1,2024-05-02,8"]
    )
    parts = sorted((order, float(amount)) for order, _, amount in found)
    assert parts == [("o1", 3.33), ("o1", 3.33), ("o1", 3.34), ("o1", 8.0), ("o2", 5.0)]
    assert shop.refused() == []


def test_rows_without_a_part_in_the_order_bear_nothing_of_its_total(shop):
    rows = ["7,o1,1,2024-05-01,10", "7,o1,2,2024-05-01,10", "7,o1,3,2024-05-01,10", "7,o1,4,2024-05-01,"]
    found = totals(shop, rows, where="line != 2")
    assert [float(amount) for *_, amount in found] == [5.0, 5.0] and shop.refused() == [(5, "amount_missing")]


def test_rows_of_one_order_with_different_totals_are_refused_and_the_remedy_works(shop):
    rows = ["7,o1,1,2024-05-01,10", "7,o1,2,2024-05-01,9.99", "7,o2,1,2024-05-01,5"]
    assert [order for order, *_ in totals(shop, rows)] == ["o2"]
    assert {rule for _, rule in shop.refused()} == {"order_total_differs"}
    assert "amount_is: line_total" in check_source(shop.yaml).render()
    shop.describe({"amount_is": "line_total"})
    shop.land()
    assert shop.query("select sum(amount) from ingest.transactions") == [(Decimal("24.99"),)]


def test_a_refund_of_the_order_comes_off_its_total(shop):
    content = f"{HEADER},back\n7,o1,1,2024-05-01,10,4\n7,o1,2,2024-05-01,10,4\n"
    shop.landed(content, amount_is="order_total", order_amounts={"refund": "back"})
    assert shop.query("select amount from ingest.transactions") == [(3,), (3,)]


def test_a_total_needs_its_order_and_has_discounts_of_the_order_only(shop):
    columns = {name: column for name, column in COLUMNS.items() if name != "order_id"}
    shop.describe({"columns": columns, "amount_is": "order_total"})
    with pytest.raises(UserError, match="no order_id is mapped"):
        shop.source()
    shop.describe(
        {
            "columns": {**COLUMNS, "discount_amount": "line"},
            "amount_is": "order_total",
            "discount_deducted": False,
        }
    )
    with pytest.raises(UserError, match="discount_deducted"):
        shop.source()
