"""check-source doubts what the release gate would doubt, and each remedy that it names works when it is tried."""

import pytest
from landed_shop import COLUMNS, HEADER

from assets.ingest.check import check_source
from assets.shared.plausibility import MIN_FILES, MIN_ROWS

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
    assert problem.startswith("sales.csv: one row is the sum of all the others") and "footer: [Total]" in problem
    assert problems(shop, columns=columns, footer=["Total"]) == ()
    assert problems(shop, columns=columns, where="who != Total") == ()


def test_a_quantity_of_minus_one_that_is_a_mark(shop):
    shop.write(rows([f"{i}.5" for i in range(1, 41)], ["-1" if i % 5 == 0 else str(i % 9 + 1) for i in range(40)]))
    (problem,) = problems(shop, columns=QUANTITY)
    assert "20% of the quantities are -1 beside a positive amount" in problem
    nothing = {**COLUMNS, "quantity": {"column": "qty", "null_values": ["-1"]}}
    assert problems(shop, columns=nothing) == ()


def test_a_file_in_cents(shop):
    for n in range(MIN_FILES):
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
    assert problem.startswith("all 3 sampled amounts with a minus would be refused")
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
