"""check-source doubts what the release gate would doubt, and each remedy that it names works when it is tried."""

from datetime import date, timedelta

import pytest
from landed_shop import COLUMNS, HEADER

from assets.ingest.check import check_source
from assets.shared.params import load_params
from assets.shared.plausibility import DAY_DOUBTS, MIN_FILES, MIN_ROWS
from assets.validate.deliveries import delivery_rules
from assets.validate.reconciliations import rows_of_files, run_reconciliations

QUANTITY = {**COLUMNS, "quantity": "qty"}


def rows(amounts, quantities=None) -> str:
    quantities = quantities or ["1"] * len(amounts)
    pairs = enumerate(zip(amounts, quantities, strict=True))
    lines = [f"c{i % 7},o{i},1,2024-05-01,{amount},{quantity}" for i, (amount, quantity) in pairs]
    return "\n".join([f"{HEADER},qty", *lines]) + "\n"


def problems(shop, **table) -> tuple[str, ...]:
    shop.describe(table)
    return check_source(shop.yaml).problems


def test_most_amounts_below_zero(shop):
    shop.write(rows([f"-{i}.5" for i in range(1, MIN_ROWS)] + ["3.5"]))
    (problem,) = problems(shop)
    assert problem.startswith("95% of the amounts are below zero") and "negate: true" in problem
    assert problems(shop, columns={**COLUMNS, "amount": {"column": "money", "negate": True}}) == ()


def test_amounts_of_zero(shop):
    shop.write(rows(["0.00"] * MIN_ROWS))
    assert "map the column that holds the money" in problems(shop)[0]
    assert problems(shop, columns={**COLUMNS, "amount": "qty"}) == ()


def test_a_total_row(shop):
    shop.write(rows([f"{i}.25" for i in range(1, 30)]) + f"Total,,,2024-05-31,{sum(i + 0.25 for i in range(1, 30))},\n")
    columns = {name: ref for name, ref in COLUMNS.items() if name not in ("order_id", "line_id")}
    (problem,) = problems(shop, columns=columns)
    assert problem.startswith("2024-05, sales.csv: one row is the sum of the others") and "footer: [Total]" in problem
    assert problems(shop, columns=columns, footer=["Total"]) == ()
    assert problems(shop, columns=columns, where="who != Total") == ()


def test_a_quantity_of_minus_one_that_is_a_mark(shop):
    shop.write(rows([f"{i}.5" for i in range(1, 41)], ["-1" if i % 5 == 0 else str(i % 9 + 1) for i in range(40)]))
    (problem,) = problems(shop, columns=QUANTITY)
    assert "20% of the quantities are one and the same number below zero, such as -1" in problem
    nothing = {**COLUMNS, "quantity": {"column": "qty", "null_values": ["-1"]}}
    assert problems(shop, columns=nothing) == ()


def test_a_file_in_cents(shop):
    for n in range(MIN_FILES + 1):
        shop.write(
            rows([str((i % 9 + 1) * (100 if n == 0 else 1)) for i in range(MIN_ROWS)]).replace(
                "2024-05-01", f"2024-05-0{n + 1}"
            ),
            f"f{n}.csv",
        )
    (problem,) = problems(shop)
    assert problem.startswith("f0.csv: its median amount") and "scale: 0.01" in problem
    cents = {**COLUMNS, "amount": {"column": "money", "scale": 0.01}}
    assert problems(shop, files="f0.csv", columns=cents) == problems(shop, files=["f1.csv", "f2.csv"]) == ()


@pytest.mark.parametrize("written", ["<5.00>", "5.00 CR", "- 5,00 -", "-EUR5.00"])
def test_refunds_that_would_all_be_refused(shop, written):
    shop.write(rows([f"{i}.5" for i in range(1, 400)] + [f'"{written}"'] * 3))
    (problem,) = problems(shop)
    assert problem.startswith("sales.csv: all 3 amounts with a minus would be refused")
    shop.land()
    assert {rule for _, rule in shop.refused()} == {"amount_sign_not_read"}


def test_a_habit_of_late_is_seen_however_long_the_history(shop):
    """A night is judged by its last days alone."""
    old = [f"c{i % 7},o{i},1,2022-{i % 12 + 1:02}-{i % 28 + 1:02},{i % 9 + 1}.5,1" for i in range(2000)]
    late = [f"c{i % 7},l{i},1,2024-05-{i % 28 + 1:02},-{i % 9 + 1}.5,1" for i in range(MIN_ROWS)]
    shop.write("\n".join([f"{HEADER},qty", *old, *late]) + "\n")
    (problem,) = problems(shop)
    assert problem.startswith("100% of the amounts are below zero, so most lines would be returns in the last days")


def lines_of(n: int, first: int = 0, ids: str = "o") -> str:
    days = [f"c{i % 7},{ids}{i},1,2024-05-{i % 28 + 1:02},{i}.5" for i in range(first, first + n)]
    return "\n".join([HEADER, *days]) + "\n"


@pytest.mark.parametrize(("n_shared", "is_doubted"), [(20, False), (21, True)])
def test_the_same_sales_under_other_numbers(shop, n_shared, is_doubted):
    shop.write(lines_of(100), "a.csv")
    shop.write(lines_of(40, first=100 - n_shared, ids="n"), "b.csv")
    found = problems(shop)
    assert len(found) == is_doubted and (not found or found[0].startswith("b.csv: 52% of its lines stand in another"))


@pytest.mark.parametrize("said", [{"delivery": "full"}, {"delivery": "delta"}, {"corrections": "replace_days"}])
def test_who_says_which_file_counts_is_not_doubted(shop, said):
    shop.write(lines_of(100), "a.csv")
    shop.write(lines_of(110, ids="n"), "b.csv")
    assert problems(shop) and problems(shop, **said) == ()


def test_sales_that_come_again_under_their_own_numbers_are_no_doubt(shop):
    shop.write(lines_of(100), "a.csv")
    shop.write(lines_of(110), "b.csv")
    assert problems(shop) == ()


def test_a_file_that_is_not_complete_yet_is_no_problem_beside_others(shop):
    shop.write(lines_of(30), "a.csv")
    shop.write(lines_of(30, ids="n"), "b.csv.part")
    assert problems(shop) == () and "b.csv.part" in check_source(shop.yaml).render()
    (shop.folder / "a.csv").unlink()
    assert problems(shop) == ("no transaction would be accepted",)


# -- Small and middling businesses with one bad habit: check-source and the gate see it, and the remedy works ---------


def day_file(n_customers: int, day: int, ids: str = "C{:03}", amount: str = "{}.50", pieces: str = "1") -> str:
    n_rows = max(MIN_ROWS, n_customers // 3)
    lines = [
        f"{ids.format((i * 7 + day) % n_customers)},o{day}-{i},1,2024-05-{day:02},{amount.format(i % 40 + 3)},{pieces}"
        for i in range(n_rows)
    ]
    return "\n".join([f"{HEADER},qty", *lines]) + "\n"


def gate(shop, **table) -> set[str]:
    """The rules of the release gate that block the night of what is landed."""
    shop.describe({"columns": QUANTITY, **table})
    shop.land()
    rules = [rule for rule in delivery_rules(date(2024, 5, 31), load_params()) if rule.severity == "blocking"]
    return {found.rule for found in run_reconciliations(shop.rebuilt(), rules) if not found.passed}


@pytest.mark.parametrize("n_customers", [80, pytest.param(2000, marks=pytest.mark.campaign)])
@pytest.mark.parametrize(
    ("bad", "rule", "words", "remedy"),
    [
        ({"amount": "-{}.50"}, "files_are_of_one_sign", "d04.csv: 100% of its amounts are below zero", None),
        ({"amount": "0.00"}, "amounts_are_not_all_zero", "d04.csv: 100% of the amounts are zero", None),
        ({"amount": "{}50"}, "amounts_are_of_one_scale", "d04.csv: its median amount", None),
        (
            {"pieces": "-99"},
            "quantities_below_zero_are_returns",
            "d04.csv: 100% of the quantities are one and the same number below zero",
            {"columns": {**COLUMNS, "quantity": {"column": "qty", "null_values": ["-99"]}}},
        ),
        (
            {"ids": "{}"},
            "ids_keep_their_digits",
            "of the customer ids stand there with leading zeros and without them",
            {"columns": {**QUANTITY, "customer_id": {"column": "who", "normalise": "leading_zeros"}}},
        ),
    ],
)
def test_one_bad_file_of_four(shop, n_customers, bad, rule, words, remedy):
    others = {"ids": "{:06}"} if "ids" in bad else {}
    for day in range(1, 5):
        shop.write(day_file(n_customers, day, **{**others, **(bad if day == 4 else {})}), f"d{day:02}.csv")
    found = problems(shop, columns=QUANTITY)
    assert len(found) == 1 and words in found[0]
    assert gate(shop) - {doubt.rule for doubt in DAY_DOUBTS} == {rule}
    if remedy is None:
        # It is no matter of keys: the file is exported as before.
        shop.write(day_file(n_customers, 4), "d04.csv")
        remedy = {}
    assert problems(shop, **{"columns": QUANTITY, **remedy}) == () and gate(shop, **remedy) == set()


@pytest.mark.parametrize("n_customers", [80, 2000])
def test_ids_that_a_spreadsheet_rounded(shop, n_customers):
    shop.write(day_file(n_customers, 1, ids="401288888888{:04}0"))
    assert "end with zeros as numbers do that a spreadsheet rounded" in problems(shop)[0]
    assert gate(shop) == {"ids_keep_their_digits"}
    shop.write(day_file(n_customers, 1, ids="401288888888{:04}7"))
    assert problems(shop, file_changes="replace") == () and gate(shop, file_changes="replace") == set()


def test_returns_that_come_in_files_of_their_own_are_no_doubt(shop):
    for day in range(1, 5):
        shop.write(day_file(80, day), f"sales_{day}.csv")
        shop.write(day_file(80, day + 10, amount="-{}.50"), f"returns_{day}.csv")
    assert not any("few other files" in problem for problem in problems(shop))


@pytest.mark.parametrize(("n_bad", "is_doubted"), [(2, False), (3, True)])
def test_refunds_of_one_file_that_are_all_refused(shop, n_bad, is_doubted):
    for day in range(1, 4):
        extra = "".join(f"C001,r{day}-{i},1,2024-05-{day:02},-5.00,1\n" for i in range(n_bad))
        shop.write(day_file(900, day) + (extra.replace("-5.00", "5.00 CR") if day == 3 else extra), f"d{day}.csv")
    assert bool(problems(shop)) == is_doubted and bool(gate(shop)) == is_doubted
    amount = {"column": "money", "replace": {" CR": "-"}}
    assert problems(shop, columns={**QUANTITY, "amount": amount}) == ()


@pytest.mark.parametrize("is_newest_first", [False, True])
@pytest.mark.parametrize(("n_bad", "seen_by"), [(8, set()), (9, {"days"}), (12, {"days", "lines"})])
def test_the_newest_lines_of_a_long_export(shop, is_newest_first, n_bad, seen_by):
    """A quarter and more of a small shop's yesterday, of 35 lines, in an export of its whole history."""
    lines = [f"c{i % 7},o{i},1,2024-05-{i * 28 // 1000 + 1:02},{i % 9 + 1}.5,1" for i in range(1000)]
    lines[-n_bad:] = [line.replace(".5,1", "_5,1") for line in lines[-n_bad:]]
    shop.write("\n".join([f"{HEADER},qty", *(lines[::-1] if is_newest_first else lines)]) + "\n")
    assert bool(problems(shop)) == bool(seen_by)
    assert gate(shop) == {f"quarantine_share_of_the_newest_{part}" for part in seen_by}


# -- The newest days of one export of all history ---------------------------------------------------------------------


def history(change, days: int = 40, per_day: int = 30) -> str:
    """Sales of 3.50 to 32.50 on days up to 2024-05-30; `change` makes a line (day back, number, amount) another one."""
    lines = []
    for back in range(days, 0, -1):
        for i in range(per_day):
            day = date(2024, 5, 31) - timedelta(days=back)
            lines.append(f"c{i % 7},o{back}-{i},1,{day},{change(back, i, f'{i % 30 + 3}.50')},1")
    return "\n".join([f"{HEADER},qty", *lines]) + "\n"


def in_cents(amount: str) -> str:
    return amount.replace(".", "")


NEWEST_DAYS = [
    (lambda back, i, amount: in_cents(amount) if back <= 2 else amount, "keep_the_scale"),
    (lambda back, i, amount: in_cents(amount) if back <= 2 and i % 4 == 0 else amount, "keep_the_scale"),
    (lambda back, i, amount: in_cents(amount) if back > 2 else amount, "keep_the_scale"),
    (lambda back, i, amount: f"-{amount}" if back == 1 else amount, "keep_the_sign"),
    (lambda back, i, amount: "0.00" if back == 1 else amount, "have_amounts"),
]


@pytest.mark.parametrize("per_day", [30, pytest.param(12, marks=pytest.mark.campaign)])
@pytest.mark.parametrize(("change", "rule"), NEWEST_DAYS)
def test_newest_days_that_are_unlike_the_weeks_before(shop, change, rule, per_day):
    """All lines or those of one till of four; a shop with fewer lines a day is judged by its last days together."""
    shop.write(
        history(lambda back, i, amount: change(back if per_day == 30 else -(-back // 3), i, amount), per_day=per_day)
    )
    (problem,) = problems(shop)
    assert (
        problem.startswith(("2024-05-", "the last ")) and "(sales.csv): " in problem and "of the amounts are" in problem
    )
    assert gate(shop) == {f"last_days_{rule}"}


def test_a_doubt_about_newest_days_names_three_files_at_most(shop):
    shop.write(history(lambda back, i, amount: amount if back > 7 else ""))
    for back in range(7, 0, -1):
        day = date(2024, 5, 31) - timedelta(days=back)
        lines = "".join(f"c{i},n{back}-{i},1,{day},{i % 30 + 3}50,1\n" for i in range(7))
        shop.write(f"{HEADER},qty\n{lines}", f"day{8 - back}.csv")
    columns = {**COLUMNS, "quantity": "qty"}
    shop.describe({"columns": columns, "files": "*.csv", "where": "money is not empty"})
    assert any(
        problem.startswith("the last 7 days (day1.csv, day2.csv, day3.csv): ")
        for problem in check_source(shop.yaml).problems
    )


def test_amounts_that_rightly_differ_are_declared(shop):
    shop.write(history(NEWEST_DAYS[0][0]))
    assert "amount_scales: several" in problems(shop)[0]
    assert problems(shop, amount_scales="several") == () and gate(shop, amount_scales="several") == set()


def test_files_that_rightly_differ_are_declared(shop):
    """Wholesale beside retail: the remedy that both name works, and without it cents are still seen."""
    shop.write(day_file(80, 1), "retail.csv")
    shop.write(day_file(80, 2, amount="{}00.50"), "wholesale.csv")
    assert all("amount_scales: several" in problem for problem in problems(shop))
    assert gate(shop) == {"amounts_are_of_one_scale"}
    assert problems(shop, amount_scales="several") == () and gate(shop, amount_scales="several") == set()


def test_what_comes_again_each_month_is_usual(shop):
    """Salaries of one day a month beside small spending; a day of returns each week."""
    shop.write(history(lambda back, i, amount: "3000.00" if back in (1, 31) and i % 2 else amount))
    assert problems(shop) == () and gate(shop) == set()
    shop.write(history(lambda back, i, amount: f"-{amount}" if back % 7 == 1 else amount))
    assert problems(shop) == () and gate(shop, file_changes="replace") == set()


@pytest.mark.parametrize(
    ("day_of_total", "n_days", "is_doubted"), [(range(40), 40, True), (range(19), 40, False), ([], 40, False)]
)
def test_total_rows_of_days_under_an_id(shop, day_of_total, n_days, is_doubted):
    total = f"{sum(i % 30 + 3.5 for i in range(11)):.2f}"
    shop.write(history(lambda back, i, amount: total if i == 11 and back in day_of_total else amount, n_days, 12))
    columns = {**COLUMNS, "customer_id": "who"}
    assert bool(problems(shop, columns=columns)) == is_doubted
    assert gate(shop) == ({"no_row_is_the_sum_of_the_others"} if is_doubted else set())


def test_the_total_row_of_a_month_long_ago(shop):
    """It is seen by the month, however many lines surround it and however old it is; leaving its id out mends it."""
    lines = history(lambda back, i, amount: amount, days=120)
    of_march = [float(line.split(",")[4]) for line in lines.splitlines()[1:] if ",2024-03-" in line]
    shop.write(lines + f"ALL,sum,1,2024-03-31,{sum(of_march):.2f},1\n")
    assert problems(shop)[0].startswith("2024-03: one row is the sum of the others")
    assert gate(shop) == {"no_row_is_the_sum_of_the_others"}
    shop.describe({"columns": QUANTITY}, {"accounts": {"exclude": ["ALL"]}})
    assert check_source(shop.yaml).problems == ()


def test_refused_rows_of_sales_are_not_hidden_by_another_table(shop):
    """3 % of the sales, 1.5 % of both tables together."""
    shop.write(history(lambda back, i, amount: "x" if i == 0 and back > 7 else amount))
    shop.write("who\n" + "\n".join(f"c{i}" for i in range(1200)) + "\n", "people.txt")
    people = {"files": "people.txt", "columns": {"customer_id": "who"}}
    shop.describe({"files": "*.csv"}, customers=people)
    assert "of the sampled rows of transactions would be quarantined" in check_source(shop.yaml).problems[0]
    shop.land()
    (rule,) = [rule for rule in rows_of_files(load_params()) if rule.name == "quarantine_share"]
    (found,) = run_reconciliations(shop.rebuilt(), [rule])
    assert not found.passed and "shop transactions: 0.0275" in found.observed and "shop: " not in found.observed


def test_dates_that_cannot_be_read_count_on_the_day_beside_them(shop):
    shop.write(history(lambda back, i, amount: amount).replace(",2024-05-30,", ",30.05.24,", 12))
    assert any("of the rows would be quarantined" in problem for problem in problems(shop))
    assert "quarantine_share_of_the_newest_days" in gate(shop)


def test_refused_lines_here_and_there_are_no_change_of_format(shop):
    lines = [f"c{i % 7},o{i},1,2024-05-{i * 28 // 1000 + 1:02},{'x' if i % 60 == 0 else 5}.5,1" for i in range(1000)]
    shop.write("\n".join([f"{HEADER},qty", *lines]) + "\n")
    assert problems(shop) == () and gate(shop) == set()
