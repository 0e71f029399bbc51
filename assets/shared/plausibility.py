"""Do amounts and quantities mean what they are taken for? Doubts that a look at one file, or at one source's last days,
can raise, with what to change.

In: nothing but SQL aggregates over rows with `amount`, `quantity` and `is_return` (NULL where the sign decides). Out:
`Doubt`s, which `check-source` raises before anything is loaded and the release gate before anything is shown: one home
for both, so that what is called sound is not blocked afterwards. Which rows they are computed over, others know.
"""

from typing import Literal, NamedTuple

from assets.shared.intervals import above_chance_sql

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

#: The newest days are judged each by itself and these together, against the days before them: a change of yesterday
#: vanishes in a file of years.
LAST_DAYS = (3, 7)
_JUDGED_DAYS = max(LAST_DAYS)
#: So many of the files that a doubted day comes from are named.
NAMED_FILES = 3
#: What was so on a day of the weeks before may be so again, and this much more.
USUAL_FACTOR = 1.5
_FAR = f"amount <> 0 and (abs(amount) > {MAX_SCALE_RATIO} * usual or abs(amount) * {MAX_SCALE_RATIO} < usual)"


class DayDoubt(NamedTuple):
    """As `Doubt`, of the newest days of a source. `observed`: SQL aggregate, a share of a day's rows. There is doubt
    above `allowed`, with what chance adds to it where it `is_left_to_chance`, and above what was usual before."""

    rule: str
    observed: str
    allowed: float
    is_left_to_chance: bool
    words: str
    remedy: str


#: What has been loaded stays until its file comes again under the same name; a source of its own is for other files.
EXPORTED_AS_BEFORE = (
    "export it again as before under the same name, which with file_changes: replace takes the place of what was loaded"
)
ONE_SCALE_REMEDY = (
    f"{EXPORTED_AS_BEFORE}; give such files of which nothing was loaded yet a source of their own with amount: "
    "{column: …, scale: 0.01}; if amounts rightly differ so much, say amount_scales: several"
)

DAY_DOUBTS = (
    DayDoubt(
        "last_days_keep_the_scale",
        f"avg(cast({_FAR} as integer))",
        0.05,
        True,
        f"of the amounts are {MAX_SCALE_RATIO:g} times the usual amount of the weeks before, or a part as small: they"
        " are written in another unit, such as cents",
        ONE_SCALE_REMEDY,
    ),
    DayDoubt(
        "last_days_keep_the_sign",
        "avg(cast(amount < 0 as integer))",
        0.5,
        False,
        "of the amounts are below zero, which was so on no day of the weeks before: the signs were turned",
        f"{EXPORTED_AS_BEFORE}; where these are returns, release the night",
    ),
    DayDoubt(
        "last_days_have_amounts",
        "avg(cast(amount = 0 as integer))",
        0.99,
        False,
        "of the amounts are zero, which was so on no day of the weeks before: the amount is missing",
        "have the file exported with its amounts, or map the column that holds them now",
    ),
)


def newest_days_sql(rows: str) -> str:
    """Query over `rows` (subject, day, …): those of the newest days of each subject with `part`, once for their day and
    once for each of `LAST_DAYS` that they are among."""
    spans = ", ".join(map(str, LAST_DAYS))
    return f"""
        select *, cast(day as varchar) as part from ({rows}) as of_days where day > newest - {_JUDGED_DAYS}
        union all
        select of_spans.*, concat('the last ', span.n, ' days') as part from ({rows}) as of_spans
        inner join (select unnest([{spans}]) as n) as span on of_spans.day > of_spans.newest - span.n
    """


def newest_days_doubted_sql(doubt: DayDoubt, rows: str) -> str:
    """Query over `rows` (subject, file, day, amount, newest: the subject's newest day), the weeks that are compared:
    (subject, part, observed share, bound, files in one text). Subjects whose rows are mostly new have nothing to be
    compared with."""
    chance = above_chance_sql(str(doubt.allowed), "count(*)") if doubt.is_left_to_chance else str(doubt.allowed)
    return f"""
        with given as materialized (
            {rows}
        ),

        older as (
            select * from given where day <= newest - {_JUDGED_DAYS}
        ),

        usual_of as (
            select subject, {USUAL_AMOUNT} as usual from older group by subject having count(*) >= {MIN_ROWS}
        ),

        scaled as materialized (
            select given.*, usual_of.usual from given
            inner join usual_of on given.subject = usual_of.subject
        ),

        before as (
            select subject, max(share) as share from (
                select subject, {doubt.observed} as share from scaled where day <= newest - {_JUDGED_DAYS}
                group by subject, day having count(*) >= {MIN_ROWS}
                union all
                select subject, {doubt.observed} as share from scaled where day <= newest - {_JUDGED_DAYS}
                group by subject
            ) as shares group by subject
        ),

        parts as (
            {newest_days_sql("select * from scaled")}
        )

        select parts.subject, parts.part, {doubt.observed} as observed,
            greatest({chance}, least(1, {USUAL_FACTOR} * any_value(before.share))) as bound,
            array_to_string(list_sort(list(distinct file))[:{NAMED_FILES}], ', ') as files
        from parts inner join before on parts.subject = before.subject
        group by parts.subject, parts.part having count(*) >= {MIN_ROWS}
    """


#: A day of fewer rows, and fewer such days, may have a row that is the sum of the others by chance.
LEAST_SUMMED_ROWS, LEAST_SUMMED_DAYS = 5, 3


def total_rows_sql(rows: str) -> str:
    """Query over `rows` (subject, file, day, amount): (subject, part) where one row is the sum of the others: of a
    file, of a month, or on most days with enough rows."""
    # To the cent, which no sale is by chance.
    is_sum = "max(most) > 0 and abs(2 * max(most) - sum(total)) < 0.01"
    return f"""
        with per_day as (
            select subject, file, day, count(*) as n, sum(amount) as total, max(amount) as most
            from ({rows}) as given group by subject, file, day
        )

        select subject, file as part from per_day
        group by subject, file having sum(n) >= {MIN_ROWS} and {is_sum}
        union all
        select subject, strftime(day, '%Y-%m') as part from per_day
        group by subject, strftime(day, '%Y-%m') having sum(n) >= {MIN_ROWS} and {is_sum}
        union all
        select subject, concat(count(*) filter (is_sum), ' days') as part from (
            select subject, day, {is_sum} as is_sum from per_day
            group by subject, day having sum(n) >= {LEAST_SUMMED_ROWS}
        ) as days
        group by subject having count(*) filter (is_sum) >= greatest({LEAST_SUMMED_DAYS}, count(*) / 2)
    """


TOTAL_ROWS = (
    "one row is the sum of the others; leave total rows out: footer: [Total], where: …, or accounts: {exclude: […]}"
    " with the id that they stand under"
)


def refused_days_sql(refused: str, accepted: str, allowed: str) -> str:
    """Query over `refused` (subject, day; one row each) and `accepted` (subject, day, n: how many), all days of the
    subjects: (subject, part, observed share, bound) of the newest days."""
    return f"""
        with counted as (
            select subject, day, n, 0 as n_refused from ({accepted}) as taken
            union all
            select subject, day, 0, 1 from ({refused}) as held where day is not null
        ),

        dated as (
            select *, max(day) filter (n > 0) over (partition by subject) as newest from counted
        ),

        parts as (
            {newest_days_sql("select * from dated")}
        )

        select subject, part, sum(n_refused) / sum(n + n_refused) as observed,
            {above_chance_sql(allowed, "sum(n + n_refused)")} as bound
        from parts group by subject, part having sum(n + n_refused) > 0
    """


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
    f" In the first case {EXPORTED_AS_BEFORE}; give such files of which nothing was loaded yet a source of their own"
    " with amount: {column: …, negate: true}"
)

#: So many lines at the beginning and at the end of a file are judged by themselves: there stand the newest ones.
END_LINES = (50, 200, 1000)


def ends_sql(held: str, files: str, allowed: str) -> str:
    """Query over `held` (subject, line_number: each refused row) and `files` (subject, rows_in): (subject, share,
    bound) of the ends of files that are at least twice as long. Not of files whose rows stand on several lines."""
    sizes = ", ".join(map(str, END_LINES))
    return f"""
        with ends as (
            select files.subject, sizes.size, greatest(
                count(*) filter (held.line_number <= sizes.size + 1),
                count(*) filter (held.line_number > files.rows_in + 1 - sizes.size)
            ) / sizes.size as observed
            from ({files}) as files
            inner join ({held}) as held on files.subject = held.subject
            inner join (select unnest([{sizes}]) as size) as sizes on files.rows_in >= 2 * sizes.size
            group by files.subject, files.rows_in, sizes.size
            having max(held.line_number) <= files.rows_in + sizes.size
        )
        select subject, max_by(observed, observed - bound) as observed, max_by(bound, observed - bound) as bound from (
            select *, {above_chance_sql(allowed, "size")} as bound from ends
        ) as bounded
        group by subject order by subject
    """
