"""What a look at a source says before anything is loaded."""

import duckdb
import pytest
from landed_shop import COLUMNS, HEADER, TOYSHOP

from assets.ingest import check as check_module
from assets.ingest.check import check_source
from assets.shared.errors import UserError


def rows(n: int = 60, when: str = "2024-05-{day:02d}", money: str = "5.25", tail: str = "") -> str:
    return "".join(f"{k},o{k},1,{when.format(day=k % 28 + 1)},{money}{tail}\n" for k in range(n))


def check(shop, content, table=None, top=None, **kwargs):
    shop.write(content)
    return check_source(shop.describe(table, top), **kwargs)


def hints(report) -> str:
    return "\n".join([*report.hints, *(hint for file in report.files for hint in file.hints)])


def test_a_good_source(shop):
    report = check(shop, f"{HEADER},color\n{rows(tail=',red')}", {"columns": COLUMNS})
    assert report.ok
    (file,) = report.files
    assert file.unmapped == ("color",)
    assert ("customer_id", "who") in file.mapped
    assert (file.n_rows, file.n_accepted, file.n_customers) == (60, 60, 60)
    assert [float(a) for a in file.amounts] == [5.25, 5.25, 5.25]
    assert report.render().endswith("result: ok, the source can be loaded")


def test_nothing_is_written(shop):
    check(shop, f"{HEADER}\n{rows()}")
    assert list(shop.home.iterdir()) == []


def test_refused_rows_are_shown_with_file_line_and_reason(shop):
    report = check(shop, f"{HEADER}\n{rows(10)}" + ",o,1,2024-05-01,5\n" * 5)
    assert not report.ok
    (rule,) = report.files[0].rules
    assert (rule.rule, rule.n_rows, len(rule.examples)) == ("customer_id_missing", 5, 3)
    text = report.render()
    assert "sales.csv line 12: customer_id is missing" in text
    assert "would be quarantined: 5 rows (33.3%)" in text
    assert "result: not ok" in text


def test_a_few_refused_rows_are_ok(shop):
    assert check(shop, f"{HEADER}\n{rows(200)},o,1,2024-05-01,5\n").ok


@pytest.mark.parametrize(
    ("when", "table", "expected"),
    [
        ("{day:02d}.05.2024 10:15", {}, "look like %d.%m.%Y %H:%M, but the mapping says iso"),
        ("2024-05-{day:02d}", {"date_format": "%d.%m.%Y"}, "look like %Y-%m-%d or"),
        ("05/{day:02d}/2024", {"date_format": "%d/%m/%Y"}, "look like %m/%d/%Y"),
        ("202405{day:02d}", {}, "look like %Y%m%d"),
        ("17145585{day:02d}", {}, "look like unix_seconds"),
        ("454{day:02d}.125", {}, "look like excel_serial"),
    ],
)
def test_guesses_of_dates(shop, when, table, expected):
    report = check(shop, f"{HEADER}\n{rows(when=when)}", table)
    assert not report.ok
    assert expected in hints(report)


def test_dates_that_fit_two_ways(shop):
    content = HEADER + "\n" + "".join(f"{k},o{k},1,0{k % 9 + 1}/0{k % 7 + 1}/2024,5\n" for k in range(60))
    report = check(shop, content, {"date_format": "%d/%m/%Y"})
    assert "fits %d/%m/%Y and %m/%d/%Y alike" in hints(report)


@pytest.mark.parametrize(("n_others", "is_hinted"), [(1, True), (2, False)])
def test_a_date_format_convinces_by_nine_of_ten_values(shop, n_others, is_hinted):
    """Values are counted once each: 18 of 20, and 18 of 21 with another format on the list."""
    values = [*(f"{day:02d}.05.2024" for day in range(1, 19)), "x", *(f"x{k}" for k in range(n_others))]
    content = HEADER + "\n" + "".join(f"{k},o{k},1,{when},5\n" for k, when in enumerate(values))
    found = hints(check(shop, content))
    assert ("look like %d.%m.%Y, but the mapping says iso" in found) == is_hinted
    assert ("86% of the values look like %d.%m.%Y: add it to the list" in found) == (not is_hinted)


@pytest.mark.parametrize(("n_others", "is_hinted"), [(18, True), (19, False)])
def test_a_format_of_more_than_a_twentieth_of_the_values_belongs_on_the_list(shop, n_others, is_hinted):
    content = HEADER + "\n" + "".join(f"{k},o{k},1,x{k},5\n" for k in range(n_others)) + "7,o,1,03.05.2024,5\n"
    assert ("add it to the list in `date_format`" in hints(check(shop, content))) == is_hinted


@pytest.mark.parametrize(("n", "is_hinted"), [(9, False), (10, True)])
def test_ten_dates_that_fit_two_ways_are_enough_to_ask(shop, n, is_hinted):
    content = HEADER + "\n" + "".join(f"{k},o{k},1,{k % 9 + 1:02d}/0{k // 9 + 1}/2024,5\n" for k in range(n))
    assert ("alike: make sure" in hints(check(shop, content, {"date_format": "%d/%m/%Y"}))) == is_hinted


@pytest.mark.parametrize(
    ("money", "table", "expected"),
    [
        ('"5,25"', {}, '`decimal: ","`'),
        ('"1.234,50"', {}, '`decimal: ","` and `thousands: "."`'),
        ('"1,234.50"', {"decimal": ","}, '`decimal: "."` and `thousands: ","`'),
    ],
)
def test_guesses_of_numbers(shop, money, table, expected):
    report = check(shop, f"{HEADER}\n{rows(money=money)}", table)
    assert not report.ok
    assert expected in hints(report)


def test_thousands_that_look_like_decimals(shop):
    content = HEADER + "\n" + "".join(f"{k},o{k},1,2024-05-01,{k % 9 + 1}.{k + 100}\n" for k in range(60))
    assert "three digits after the point" in hints(check(shop, content))


@pytest.mark.parametrize(("n", "n_others", "is_hinted"), [(18, 2, True), (17, 2, False), (17, 3, False), (20, 0, True)])
def test_thousands_are_suspected_from_twenty_amounts_of_which_nine_in_ten_look_so(shop, n, n_others, is_hinted):
    amounts = [*(f"1.{k + 100}" for k in range(n)), *(f"{k}.5" for k in range(n_others))]
    content = HEADER + "\n" + "".join(f"{k},o{k},1,2024-05-01,{money}\n" for k, money in enumerate(amounts))
    assert ("three digits after the point" in hints(check(shop, content))) == is_hinted


@pytest.mark.parametrize(("n_others", "is_hinted"), [(2, True), (3, False)])
def test_a_decimal_sign_convinces_by_nine_of_ten_values(shop, n_others, is_hinted):
    amounts = [*(f'"{k},25"' for k in range(18)), *(f"x{k}" for k in range(n_others))]
    content = HEADER + "\n" + "".join(f"{k},o{k},1,2024-05-01,{money}\n" for k, money in enumerate(amounts))
    assert ('`decimal: ","`' in hints(check(shop, content))) == is_hinted


def test_a_wrong_delimiter_is_a_problem_with_its_remedy(shop):
    report = check(shop, f"{HEADER}\n{rows()}".replace(",", ";"))
    assert not report.ok
    assert "set `delimiter` to ';'" in report.render()


def test_one_broken_file_does_not_hide_the_others(shop):
    shop.write(f"{HEADER}\n{rows()}", "a.csv")
    shop.write(b"", "b.csv")
    report = check_source(shop.describe())
    assert [file.error is None for file in report.files] == [True, False]
    assert "cannot be loaded: b.csv is empty" in report.render()
    assert not report.ok


def test_negative_amounts_though_there_are_no_returns(shop):
    report = check(shop, f"{HEADER}\n{rows()}9,o9x,1,2024-05-01,-5\n", {"returns": "none"})
    assert "`returns: none`, but 1 sampled rows are negative" in hints(report)


def test_a_flag_that_never_says_return(shop):
    columns = {**COLUMNS}
    table = {"columns": columns, "returns": {"flag": {"column": "kind", "values": ["R"]}}}
    report = check(shop, f"{HEADER},kind\n{rows(tail=',S')}", table)
    assert "column 'kind' holds S, and the mapping takes R" in hints(report)


def test_a_shared_customer_id(shop):
    content = f"{HEADER}\n{rows(200)}" + "".join(f"0,x{k},1,2024-05-01,5\n" for k in range(100))
    assert "customer '0' has 34% of the sampled rows" in hints(check(shop, content))


@pytest.mark.parametrize(("n", "is_hinted"), [(50, False), (51, True)])
def test_a_fifth_of_the_rows_may_be_of_one_customer(shop, n, is_hinted):
    """Of 200 others: 50 of 250 is a fifth."""
    content = f"{HEADER}\n{rows(200)}" + "".join(f"x,x{k},1,2024-05-01,5\n" for k in range(n))
    assert ("customer 'x' has" in hints(check(shop, content))) == is_hinted


@pytest.mark.parametrize(("n", "is_hinted"), [(148, False), (149, True)])
def test_a_shared_customer_id_is_looked_for_in_two_hundred_rows(shop, n, is_hinted):
    content = f"{HEADER}\n{rows(n)}" + "".join(f"x,x{k},1,2024-05-01,5\n" for k in range(51))
    assert ("customer 'x' has" in hints(check(shop, content))) == is_hinted


@pytest.mark.parametrize(("n", "is_hinted"), [(100, False), (99, True)])
def test_one_order_of_a_hundred_may_have_two_customers(shop, n, is_hinted):
    content = f"{HEADER}\n" + "".join(f"{k},o{k},1,2024-05-01,5\n" for k in range(n)) + "x,o0,2,2024-05-01,5\n"
    assert ("sampled orders have several customers" in hints(check(shop, content))) == is_hinted


@pytest.mark.parametrize(("day", "is_hinted"), [("2025-05-29", False), ("2025-05-30", True)])
def test_a_day_is_lonely_after_more_than_a_year(shop, day, is_hinted):
    """The last of the others is 28 May 2024: 366 days before, and 367."""
    assert ("days before" in hints(check(shop, f"{HEADER}\n{rows()}9,o9x,1,{day},5\n"))) == is_hinted


def test_a_lonely_late_day(shop):
    report = check(shop, f"{HEADER}\n{rows()}9,o9x,1,2026-05-01,5\n")
    assert "days before 2026-05-01" in hints(report)
    assert "complete_through" in hints(report)


def test_a_day_in_the_future_would_be_quarantined(shop):
    report = check(shop, f"{HEADER}\n{rows()}9,o9x,1,2142-05-01,5\n")
    assert [rule.rule for rule in report.files[0].rules] == ["occurred_at_in_the_future"]
    assert report.files[0].last_day.year == 2024


def test_sales_that_are_all_negative(shop):
    report = check(shop, f"{HEADER}\n{rows(money='-5.25')}")
    assert not report.ok and "100% of the amounts are below zero" in report.problems[0]
    assert check(shop, f"{HEADER}\n{rows()}1,o1x,1,2024-05-01,-5\n").ok


def test_words_that_need_translation(shop):
    shop.write(f"{HEADER}\n{rows()}")
    shop.write("who,way,ok\n1,email,yes\n2,email,no\n", "consents.txt")
    consents = {"files": "consents.txt", "columns": {"customer_id": "who", "channel": "way", "status": "ok"}}
    report = check_source(shop.describe({"files": "sales.csv"}, consents=consents))
    assert "the file says no, yes; translate into granted, denied, withdrawn" in hints(report)


@pytest.mark.parametrize(("n", "is_hinted"), [(19, False), (20, True)])
def test_ids_of_twenty_customers_that_never_meet_are_written_in_another_way(shop, n, is_hinted):
    shop.write(f"{HEADER}\n{rows()}")
    shop.write("who\n" + "".join(f"{k:05d}\n" for k in range(n)), "people.txt")
    people = {"files": "people.txt", "columns": {"customer_id": "who"}}
    report = check_source(shop.describe({"files": "sales.csv"}, customers=people))
    assert ("leading zeros" in hints(report)) == is_hinted


def test_garbled_letters(shop):
    report = check(shop, f"{HEADER}\n{rows()}Jürgen,oj,1,2024-05-01,5\n", {"encoding": "latin-1"})
    assert "`encoding`" in hints(report)


def test_repeated_rows_and_missing_ids_are_said(shop):
    report = check(
        shop,
        f"{HEADER}\n{rows()}{rows(3)}",
        {"columns": {"customer_id": "who", "occurred_at": "when", "amount": "money"}},
    )
    assert "3 sampled rows repeat another row exactly and are kept" in hints(report)
    assert "no line_id is mapped" in hints(report)


def test_only_the_beginning_of_a_long_file_is_read(shop):
    # A field of two lines stands across the sample's end: no mistake of the file.
    content = f'{HEADER},note\n{rows(30, tail=",x")}99,o,1,2024-05-01,5,"up\ndown"\n{rows(30, tail=",x")}'
    report = check(shop, content, {"columns": COLUMNS}, sample_rows=31)
    assert report.ok
    assert report.files[0].is_sample
    assert report.files[0].n_rows == 30
    assert report.files[0].rules == ()


def test_of_many_files_the_first_and_the_last_are_read(shop, monkeypatch):
    monkeypatch.setattr(check_module, "WHOLE_FILES", 9)
    for k in range(10):
        shop.write(f"{HEADER}\n{rows()}", f"{k}.csv")
    report = check_source(shop.describe())
    assert [file.file for file in report.files] == ["0.csv", "1.csv", "2.csv", "7.csv", "8.csv", "9.csv"]
    assert "4 more files were not looked at" in report.render()


def test_parquet_is_checked_too(shop):
    duckdb.connect().execute(
        f"""copy (select i as who, i as "order", 1 as line, '31/12/2023' as "when", 5.5 as money
        from range(50) t(i)) to '{shop.folder}/sales.parquet' (format parquet)"""
    )
    assert "look like %d/%m/%Y" in hints(check_source(shop.describe()))


def test_a_wrong_yaml_is_the_callers_error(shop):
    with pytest.raises(UserError, match="unknown key"):
        check_source(shop.describe({"delimter": ";"}))


def test_the_toy_shop_passes_and_names_its_seven_bad_rows():
    report = check_source(TOYSHOP / "toyshop.yml")
    assert report.ok
    sales = report.files[0]
    assert (sales.n_rows, sales.n_rows - sales.n_accepted, sales.n_returns) == (1865, 7, 66)
    assert {rule.rule for rule in sales.rules} == {
        "amount_not_a_number",
        "customer_id_missing",
        "duplicate_different_content",
        "duplicate_same_content",
        "malformed_quotes",
        "occurred_at_not_a_date",
        "wrong_number_of_columns",
    }


def test_a_file_that_changed_its_format_is_a_problem_however_many_are_good(shop):
    shop.write(f"{HEADER}\n{rows(4000)}", "old.csv")
    shop.write(f"{HEADER}\n{rows(60)}" + "1,o,1,2024-05-01,\n" * 40, "new.csv")
    report = check_source(shop.describe())
    (problem,) = report.problems
    assert problem.startswith("new.csv: 40.0% of its sampled rows") and "validate_max_file_quarantine_share" in problem


@pytest.mark.parametrize(("codes", "problems"), [(("EUR", "EUR"), 0), (("EUR", ""), 0), (("EUR", "USD"), 1)])
def test_several_currencies_are_a_problem(shop, codes, problems):
    first, second = (rows(30, tail=f",{code}") for code in codes)
    content = first + second.replace(",o", ",p")
    report = check(shop, f"{HEADER},code\n{content}", {"columns": COLUMNS | {"currency": "code"}})
    assert len([p for p in report.problems if "several currencies (EUR, USD)" in p]) == problems
    assert report.ok == (not problems)


@pytest.mark.parametrize(
    ("written", "is_lost"),
    [("4.01E+15", True), ("4,01E+15", True), ("4E+15", True), ("4.01E+1", False), ("E+15", False), ("12E+15", False)],
)
@pytest.mark.parametrize("column", ["customer_id", "order_id"])
def test_an_id_that_a_spreadsheet_rounded_is_refused(shop, column, written, is_lost):
    who, order = (f'"{written}"', "o") if column == "customer_id" else ("c", f'"{written}"')
    report = check(shop, f"{HEADER}\n" + "".join(f"{who},{order},{k},2024-05-01,5.25\n" for k in range(30)))
    (file,) = report.files
    assert [rule.rule for rule in file.rules] == ([f"{column}_lost_digits"] if is_lost else [])
    assert report.ok != is_lost
    assert not is_lost or "export it as text: " in file.rules[0].examples[0][1]


@pytest.mark.parametrize(("n_files", "left_out"), [(6, []), (7, ["d3.csv"]), (9, ["d3.csv", "d4.csv", "d5.csv"])])
def test_of_many_files_the_first_and_the_last_three_are_looked_at(shop, monkeypatch, n_files, left_out):
    monkeypatch.setattr(check_module, "WHOLE_FILES", 6)
    names = [f"d{n}.csv" for n in range(n_files)]
    for number, name in enumerate(names):
        shop.write(f"{HEADER}\n" + rows(30, money=f"{number}.25").replace(",o", f",o{number}-"), name)
    report = check_source(shop.describe())
    assert [file.file for file in report.files] == [name for name in names if name not in left_out]
    assert report.files_not_sampled == len(left_out)
    assert report.ok and ("--all" in report.render()) == bool(left_out)
    assert check_source(shop.yaml, whole=True).files_not_sampled == 0


@pytest.mark.parametrize(("limit", "n_read"), [("WHOLE_FILES", 6), ("WHOLE_BYTES", 6)])
def test_few_and_small_files_are_read_whole(shop, monkeypatch, limit, n_read):
    """What is not looked at may be what stops the night."""
    for number in range(7):
        text = rows(30, money="x" if number == 3 else f"{number}.25").replace(",o", f",o{number}-")
        shop.write(f"{HEADER}\n{text}", f"d{number}.csv")
    shop.describe()
    assert not check_source(shop.yaml).ok
    sizes = [path.stat().st_size for path in shop.folder.iterdir()]
    bounds = {"WHOLE_FILES": 7, "WHOLE_BYTES": sum(sizes)}
    monkeypatch.setattr(check_module, limit, bounds[limit])
    assert len(check_source(shop.yaml).files) == 7
    monkeypatch.setattr(check_module, limit, bounds[limit] - 1)
    assert len(check_source(shop.yaml).files) == n_read


PAIR = "who,when,out,in\n"


def test_an_amount_that_stands_in_another_column_is_a_debit_and_a_credit(shop):
    columns = {"customer_id": "who", "occurred_at": "when", "amount": "out"}
    lines = "".join(
        f"{k},2024-05-{k % 28 + 1:02d},{'5.25' if k % 3 else ''},{'' if k % 3 else '7.10'}\n" for k in range(30)
    )
    found = hints(check(shop, PAIR + lines, {"columns": columns}))
    assert "amount: {debit: out, credit: in}" in found
    assert check(shop, PAIR + lines, {"columns": columns | {"amount": {"debit": "out", "credit": "in"}}}).ok


@pytest.mark.parametrize(("n_missing", "is_hinted"), [(2, False), (3, True)])
def test_three_rows_without_an_amount_are_enough_to_share_something(shop, n_missing, is_hinted):
    columns = {"customer_id": "who", "occurred_at": "when", "amount": "out"}
    lines = "".join(f"{k},2024-05-{k % 28 + 1:02d},5.25,\n" for k in range(30))
    lines += "".join(f"{k},2024-05-01,,7.10\n" for k in range(n_missing))
    assert ("credit: in" in hints(check(shop, PAIR + lines, {"columns": columns}))) == is_hinted


@pytest.mark.parametrize(("n_both", "is_hinted"), [(3, True), (4, False)])
def test_a_number_that_stands_beside_the_amount_too_is_no_other_half(shop, n_both, is_hinted):
    columns = {"customer_id": "who", "occurred_at": "when", "amount": "out"}
    lines = "".join(f"{k},2024-05-{k % 28 + 1:02d},5.25,{'1' if k < n_both else ''}\n" for k in range(30))
    lines += "".join(f"{k},2024-05-01,,7.10\n" for k in range(10))
    assert ("credit: in" in hints(check(shop, PAIR + lines, {"columns": columns}))) == is_hinted


def kinds(n_payouts: int, n_others: int = 30, kind: str = "payout", of_others: str = "charge") -> str:
    lines = "".join(f"{k},2024-05-{k % 28 + 1:02d},5.25,{of_others}\n" for k in range(n_others))
    return "who,when,paid,Entry Type\n" + lines + f",2024-05-02,50,{kind}\n" * n_payouts


def test_rows_without_a_customer_of_a_kind_of_their_own_are_left_out_by_their_kind(shop):
    columns = {"customer_id": "who", "occurred_at": "when", "amount": "paid"}
    content = kinds(4) + ",2024-05-03,2,bank's fee\n" * 2
    found = hints(check(shop, content, {"columns": columns}))
    where = "'Entry Type' not in ([bank's fee], payout)"
    assert f'where: "{where}"' in found
    report = check(shop, content, {"columns": columns, "where": where})
    assert report.ok
    assert report.files[0].n_left_out == 6


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (kinds(2), "too few"),
        (kinds(4, of_others="payout"), "the kind is that of sales too"),
        (kinds(4, kind=""), "no kind at all"),
    ],
)
def test_rows_without_a_customer_that_share_no_kind_are_not_explained(shop, content, why):
    columns = {"customer_id": "who", "occurred_at": "when", "amount": "paid"}
    assert "where:" not in hints(check(shop, content, {"columns": columns})), why


@pytest.mark.parametrize(("n_kinds", "is_hinted"), [(5, True), (6, False)])
def test_a_column_of_many_values_is_no_kind_of_row(shop, n_kinds, is_hinted):
    columns = {"customer_id": "who", "occurred_at": "when", "amount": "paid"}
    content = kinds(0) + "".join(f",2024-05-02,50,k{at}\n" * 2 for at in range(n_kinds))
    assert ("where:" in hints(check(shop, content, {"columns": columns}))) == is_hinted
