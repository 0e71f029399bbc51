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
#: So many files can be compared.
MIN_FILES = 2
#: A file of mostly negative amounts is doubtful where less than this share of the files are so: elsewhere returns come
#: in files of their own.
FILES_OF_RETURNS_SHARE = 1 / 3


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
_IS_MARK = "quantity < 0 and amount > 0 and is_return is null"
#: Pieces that come back are one, two or three; a mark is always the same.
_MARKS = f"count(*) filter (where {_IS_MARK}) / count(*)"
_KINDS = f"count(distinct quantity) filter (where {_IS_MARK})"

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
        "file",
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
        f"case when {_KINDS} = 1 then {_MARKS} else 0 end",
        0.1,
        "of the quantities are one and the same number below zero, such as -1, beside a positive amount: a mark and no"
        " return",
        'say quantity: {column: …, null_values: ["-1"]} with that number; if these rows are returns, returns:'
        " negative_quantity",
    ),
)

#: Different ids of which this share are others without their leading zeros, or were rounded, were changed by a program.
MAX_CHANGED_IDS = 0.05
#: A spreadsheet keeps fifteen digits of a number; of ids with more, all would end with zeros by chance never.
_ROUNDED = "regexp_full_match(customer_id, '[0-9]{15,}0') and length(customer_id) >= 16"


def changed_ids_sql(ids: str) -> str:
    """Query over `ids` (subject, customer_id; each id once a subject): (subject, share of ids that lost their leading
    zeros or their last digits), where there are enough to be judged."""
    bare = "case when regexp_full_match(customer_id, '0*[1-9][0-9]*') then ltrim(customer_id, '0') end"
    return f"""
        select subject, greatest(
            count(*) filter (where n_ways > 1 and starts_with(customer_id, '0')) / count(*),
            case when avg(cast({_ROUNDED} as integer)) > 0.9 then 1 else 0 end
        ) as observed
        from (
            select *, case when bare is null then 1 else count(*) over (partition by subject, bare) end as n_ways
            from (select *, {bare} as bare from ({ids}) as written) as stripped
        ) as judged
        group by subject having count(*) >= {MIN_ROWS}
    """


CHANGED_IDS = (
    "of the customer ids stand there with leading zeros and without them, or end with zeros as numbers do that a"
    " spreadsheet rounded; say customer_id: {column: …, normalise: [leading_zeros]}, or export ids as text"
)


def unusual_sign_sql(rows: str) -> str:
    """Query over `rows` (subject, file, amount): (subject, share of amounts below zero in the file), of files that are
    mostly negative though few others are."""
    return f"""
        select subject, file, below_zero as observed from (
            select *, avg(cast(below_zero > 0.5 as integer)) over (partition by subject) as share_of_files
            from (
                select subject, file, avg(cast(amount < 0 as integer)) as below_zero
                from ({rows}) as sold group by subject, file having count(*) >= {MIN_ROWS}
            ) as files
        ) as compared
        where below_zero > 0.5 and share_of_files < {FILES_OF_RETURNS_SHARE}
    """


UNUSUAL_SIGN = (
    "of its amounts are below zero, which is so in few other files: its signs were turned, or it holds returns alone."
    " In the first case have it exported as before, or give such files a source of their own with amount: {column: …,"
    " negate: true}"
)
