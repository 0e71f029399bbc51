"""Do amounts and quantities mean what they are taken for? Doubts that a look at one file, or at one source's last days,
can raise, with what to change.

In: nothing but SQL aggregates over rows with `amount`, `quantity` and `is_return` (NULL where the sign decides). Out:
`Doubt`s, which `check-source` raises before anything is loaded and the release gate before anything is shown: one home
for both, so that what is called sound is not blocked afterwards. Which rows they are computed over, others know.
"""

from typing import Literal, NamedTuple

#: Fewest rows that a file or source is judged by.
MIN_ROWS = 20
#: Files whose usual amounts lie further apart than this are not written in one unit: cents, thousands.
MAX_SCALE_RATIO = 30.0
#: SQL aggregate: what a file's amounts usually are, apart from their sign; NULL where all are zero.
USUAL_AMOUNT = "cast(median(abs(amount)) filter (where amount <> 0) as double)"
#: Rules by which an amount is refused because nobody knows whether it is below zero.
UNREAD_SIGNS = ("amount_sign_not_read", "amount_side_unknown")
#: So many files say what is usual.
MIN_FILES = 3


class Doubt(NamedTuple):
    """`observed`: SQL aggregate over the rows of one file, or of one source; above `allowed` there is doubt. `words`
    say what is then the case, `remedy` what to write into the YAML."""

    rule: str
    per: Literal["file", "source"]
    observed: str
    allowed: float
    words: str
    remedy: str


#: The sum of the others to the cent, which no sale is by chance.
_IS_SUM = "max(amount) > 0 and abs(2 * max(amount) - sum(amount)) < 0.01"
#: Where something else than the sign says what a return is, there is nothing to doubt.
_MARKS = "count(*) filter (where quantity = -1 and amount > 0 and is_return is null)"
_OTHERS = "count(*) filter (where quantity < 0 and quantity <> -1 and amount > 0)"

DOUBTS = (
    Doubt(
        "amounts_are_mostly_positive",
        "source",
        "avg(cast(amount < 0 as integer))",
        0.5,
        "of the amounts are below zero, so most lines would be returns",
        "where spending is written as negative amounts, say amount: {column: …, negate: true}",
    ),
    Doubt(
        "amounts_are_not_all_zero",
        "source",
        "avg(cast(amount = 0 as integer))",
        0.99,
        "of the amounts are zero, so no customer has any value",
        "map the column that holds the money",
    ),
    Doubt(
        "no_row_is_the_sum_of_the_others",
        "file",
        f"case when {_IS_SUM} then 1.0 else 0.0 end",
        0.0,
        "one row is the sum of all the others",
        "leave total rows out: footer: [Total], or where: …",
    ),
    Doubt(
        "quantities_below_zero_are_returns",
        "file",
        f"case when {_OTHERS} = 0 then {_MARKS} / count(*) else 0 end",
        0.1,
        "of the quantities are -1 beside a positive amount, and no other is below zero: a mark and no return",
        'say quantity: {column: …, null_values: ["-1"]}; if these rows are returns, returns: negative_quantity',
    ),
)
