"""Do the files of late mean what the older ones meant? Rules over single files, however long the history is. Days from
the date on do not count: they belong to later nights.

In: the parameters and the date. Out: `Reconciliation`s. What is summed over all of a source stands in
`reconciliations`: there a broken file of yesterday vanishes among the good ones of years.
"""

from datetime import date, timedelta

from assets.shared.intervals import above_chance_sql
from assets.shared.params import Params
from assets.shared.plausibility import (
    CHANGED_IDS,
    DAY_DOUBTS,
    DOUBTS,
    LAST_DAYS,
    MAX_CHANGED_IDS,
    MAX_SCALE_RATIO,
    MIN_FILES,
    MIN_ROWS,
    ONE_SCALE_REMEDY,
    TOTAL_ROWS,
    UNREAD_SIGNS,
    UNUSUAL_SIGN,
    USUAL_AMOUNT,
    DayDoubt,
    Doubt,
    changed_ids_sql,
    ends_sql,
    newest_days_doubted_sql,
    refused_days_sql,
    total_rows_sql,
    unusual_sign_sql,
)
from assets.shared.quoting import literals
from assets.validate.reconciliations import Reconciliation

#: What a line says apart from its numbers in the file.
_CONTENT = "source, day, customer_id, occurred_at, amount, quantity, product_id"

_REPEATED = f"""
with shared_days as (
    select source, day from ingest.batch_days where day < $as_of group by source, day having count(*) > 1
),

-- Lines of one number stand once, whoever delivers them again; days that were replaced do not count.
counted as (
    select
        transactions.batch_id, transactions.source, shared_days.day, transactions.customer_id, transactions.occurred_at,
        transactions.amount, transactions.quantity, transactions.product_id
    from ingest.transactions as transactions
    inner join shared_days
        on transactions.source = shared_days.source and cast(transactions.occurred_at as date) = shared_days.day
    left join ingest.replaced_days as replaced
        on transactions.batch_id = replaced.batch_id and shared_days.day = replaced.day
    where replaced.batch_id is null
        -- Where a person says that rows which come again are second sales, they are.
        and transactions.source not in (select source from ingest.batches where replaces = 'nothing')
    qualify row_number() over (
        partition by transactions.source, shared_days.day, transactions.order_id, transactions.line_id
        order by transactions.batch_id
    ) = 1
),

alike as (
    select batch_id, {_CONTENT}, count(*) as n from counted group by all
),

elsewhere as (
    select batch_id, source, n, sum(n) over (partition by {_CONTENT}) - n as n_elsewhere from alike
)

select
    source || ' ' || coalesce(
        (select max(batches.file) from ingest.batches as batches where batches.batch_id = elsewhere.batch_id), batch_id
    ) as subject,
    cast(sum(least(n, n_elsewhere)) as double) / sum(n) as observed,
    $allowed as expected
from elsewhere
group by source, batch_id
having sum(n) >= {MIN_ROWS}
order by subject
"""


#: Rows of the last days that count, with their file.
_RECENT = """
recent as (
    select transactions.source, batches.file, transactions.batch_id, cast(transactions.occurred_at as date) as day,
        transactions.amount, transactions.quantity, transactions.is_return
    from ingest.transactions as transactions
    inner join ingest.batches as batches on transactions.batch_id = batches.batch_id
    left join ingest.replaced_days as replaced
        on transactions.batch_id = replaced.batch_id and cast(transactions.occurred_at as date) = replaced.day
    where transactions.occurred_at >= $recent and transactions.occurred_at < $as_of and replaced.batch_id is null
    -- A corrected file takes the place of its lines: what they said before is no fault of this night.
    qualify row_number() over (
        partition by transactions.source, cast(transactions.occurred_at as date), transactions.order_id,
            transactions.line_id
        order by batches.loaded_at desc nulls last, transactions.batch_id desc
    ) = 1
)
"""

#: Lines that count, of all days before the date: (subject, file, day, amount).
_LINES = """
select transactions.source as subject, batches.file, cast(transactions.occurred_at as date) as day, transactions.amount
from ingest.transactions as transactions
inner join ingest.batches as batches on transactions.batch_id = batches.batch_id
left join ingest.replaced_days as replaced
    on transactions.batch_id = replaced.batch_id and cast(transactions.occurred_at as date) = replaced.day
where transactions.occurred_at < $as_of and replaced.batch_id is null
"""

#: Rows in quarantine of deliveries and days that count, and how many were accepted.
_REFUSED = """
select held.source as subject, held.day from ingest.quarantined_rows as held
inner join ingest.batches as batches on held.batch_id = batches.batch_id
left join ingest.replaced_days as replaced on held.batch_id = replaced.batch_id and held.day = replaced.day
where batches.entity = 'transactions' and held.day < $as_of and replaced.batch_id is null
"""
_ACCEPTED = """
select days.source as subject, days.day, days.n_rows as n from ingest.batch_days as days
left join ingest.replaced_days as replaced
    on split_part(days.batch_id, '@', 1) = replaced.batch_id and days.day = replaced.day
where days.day < $as_of and replaced.batch_id is null
"""

_ONE_SCALE = "source not in (select source from ingest.batches where amount_scales = 'several')"

#: Rows of a file that are not left out on purpose.
_WANTED = "(batches.rows_in - batches.rows_left_out)"

#: Has the file rows of the last days?
_IS_OF_LATE = (
    "exists (select 1 from ingest.batch_days as days"
    " where split_part(days.batch_id, '@', 1) = split_part(batches.batch_id, '@', 1)"
    " and days.day >= $recent and days.day < $as_of)"
)

_SCALES = f"""
with {_RECENT},

per_file as (
    select source, file, {USUAL_AMOUNT} as usual
    from recent group by source, file, batch_id having count(*) >= {MIN_ROWS} and max(abs(amount)) > 0
),

counted as (
    select source, file, usual, median(usual) over (partition by source) as middle,
        count(*) over (partition by source) as n_files, sum(usual) over (partition by source) as total
    from per_file where {_ONE_SCALE}
),

-- Of two files each is judged by the other one.
beside_others as (
    select source, file, usual, n_files, case when n_files = 2 then total - usual else middle end as of_others
    from counted
)

select
    source || ' ' || file as subject, greatest(usual / of_others, of_others / usual) as observed,
    {MAX_SCALE_RATIO} as expected
from beside_others where n_files >= {MIN_FILES}
"""


def _plausible(doubt: Doubt, recent: date, as_of_date: date) -> Reconciliation:
    """A doubt as a rule over the last days: each file, or all files of a source together."""
    subject = "source || ' ' || file" if doubt.per == "file" else "source"
    by = "source, file, batch_id" if doubt.per == "file" else "source"
    return Reconciliation(
        doubt.rule,
        "ingest.batches",
        f"with {_RECENT} select {subject} as subject, {doubt.observed} as observed, {doubt.allowed} as expected"
        f" from recent group by {by} having count(*) >= {MIN_ROWS}",
        f"Above {doubt.allowed:g}, {doubt.words}. In the source's YAML: {doubt.remedy}. Then run again: files that are"
        " still in the folder are landed anew.",
        holds="at_most",
        values={"recent": recent, "as_of": as_of_date},
    )


def _of_newest_days(doubt: DayDoubt, recent: date, as_of_date: date) -> Reconciliation:
    """A doubt about the newest days of each source as a rule."""
    which = f" where {_ONE_SCALE}" if doubt.rule == "last_days_keep_the_scale" else ""
    rows = (
        "select source as subject, file, day, amount, max(day) over (partition by source) as newest from ("
        f"with {_RECENT} select source, file, day, amount from recent{which}) as dated"
    )
    return Reconciliation(
        doubt.rule,
        "ingest.batches",
        "select subject || ' ' || part || ' (' || files || ')' as subject, observed, bound as expected"
        f" from ({newest_days_doubted_sql(doubt, rows)}) as judged order by subject",
        f"Of the newest days, each by itself and up to {max(LAST_DAYS)} together, not more than {doubt.allowed:.0%} and"
        f" what was usual before {doubt.words}. In that case: {doubt.remedy}.",
        holds="at_most",
        values={"recent": recent, "as_of": as_of_date},
    )


def delivery_rules(as_of_date: date, params: Params) -> list[Reconciliation]:
    """Rules over the files of transactions."""
    recent = as_of_date - timedelta(days=params.validate_compare_days)
    return [
        *(_plausible(doubt, recent, as_of_date) for doubt in DOUBTS),
        *(_of_newest_days(doubt, recent, as_of_date) for doubt in DAY_DOUBTS),
        Reconciliation(
            "no_row_is_the_sum_of_the_others",
            "ingest.batches",
            f"select subject || ' ' || part as subject, 1 as observed, 0 as expected from ({total_rows_sql(_LINES)}) as"
            " found order by subject",
            f"In no file and no month, and on few days, {TOTAL_ROWS}. Then run again: files that are still in the"
            " folder are landed anew.",
            holds="at_most",
            values={"as_of": as_of_date},
        ),
        Reconciliation(
            "quarantine_share_of_the_newest_days",
            "ingest.batches",
            "select subject || ' ' || part as subject, observed, bound as expected from ("
            + refused_days_sql(_REFUSED, _ACCEPTED, "$allowed")
            + ") as judged order by subject",
            f"Of the newest days, each by itself and up to {max(LAST_DAYS)} together, few rows are in quarantine; above"
            " validate_max_file_quarantine_share and chance their format has changed. The command `quarantine show`"
            " prints the rows with their reasons.",
            holds="at_most",
            values={"allowed": params.validate_max_file_quarantine_share, "as_of": as_of_date},
        ),
        Reconciliation(
            "amounts_are_of_one_scale",
            "ingest.batches",
            _SCALES,
            f"The median amount of no file is {MAX_SCALE_RATIO:g} times that of the others of the last days, or a"
            f" part as small: it is written in another unit, such as cents. In that case: {ONE_SCALE_REMEDY}.",
            holds="at_most",
            values={"recent": recent, "as_of": as_of_date},
        ),
        Reconciliation(
            "files_are_of_one_sign",
            "ingest.batches",
            f"with {_RECENT} select subject || ' ' || file as subject, observed, 0.5 as expected from ("
            f"{unusual_sign_sql('select source as subject, file, amount from recent')}) as found",
            f"Above 0.5, {UNUSUAL_SIGN}. Or release the night, if these are returns.",
            holds="at_most",
            values={"recent": recent, "as_of": as_of_date},
        ),
        Reconciliation(
            "ids_keep_their_digits",
            "ingest.batches",
            f"select subject, observed, {MAX_CHANGED_IDS} as expected from ("
            + changed_ids_sql("select distinct source as subject, customer_id from ingest.transactions")
            + ") as found",
            f"Above {MAX_CHANGED_IDS:g}, {CHANGED_IDS}. Then run again: files that are still in the folder are landed"
            " anew.",
            holds="at_most",
        ),
        Reconciliation(
            "refunds_are_read",
            "ingest.quarantined_rows",
            # Of each file of late: years of refunds that were read say nothing of yesterday's.
            f"with {_RECENT}, held as (select source, batch_id, count(*) as n from ingest.quarantined_rows"
            f" where rule in {literals(UNREAD_SIGNS)} group by source, batch_id)"
            " select held.source || ' ' || held.batch_id as subject, held.n as observed, 2 as expected from held"
            " where not exists (select 1 from ingest.transactions as sold where sold.batch_id = held.batch_id"
            " and sold.amount < 0) and (exists (select 1 from recent where recent.batch_id = held.batch_id)"
            " or not exists (select 1 from ingest.transactions as sold where sold.batch_id = held.batch_id))",
            "Amounts with a minus are not all refused: sales would be shown without their refunds. See how they are"
            " written (personal.quarantined_rows of the working warehouse), and say it: replace, strip, sign.",
            holds="at_most",
            values={"recent": recent, "as_of": as_of_date},
        ),
        Reconciliation(
            "quarantine_share_of_a_file",
            "ingest.batches",
            # Something is left to chance, which few rows need.
            "select batches.source || ' ' || batches.file as subject,"
            f" cast(batches.rows_quarantined as double) / {_WANTED} as observed,"
            f" {above_chance_sql('$allowed', _WANTED)} as expected"
            f" from ingest.batches as batches where batches.entity = 'transactions' and {_WANTED} > 0"
            f" and {_IS_OF_LATE}",
            "Few rows of each file of the last days (validate_compare_days) are in quarantine; above"
            " validate_max_file_quarantine_share its format has changed. The rows with their reasons are in"
            " personal.quarantined_rows of the working warehouse, and the command `quarantine show` prints them.",
            holds="at_most",
            values={"allowed": params.validate_max_file_quarantine_share, "recent": recent, "as_of": as_of_date},
        ),
        Reconciliation(
            "quarantine_share_of_the_newest_lines",
            "ingest.batches",
            ends_sql(
                "select source || ' ' || batch_id as subject, line_number from ingest.quarantined_rows",
                "select batches.source || ' ' || batches.batch_id as subject, batches.rows_in"
                f" from ingest.batches as batches where batches.entity = 'transactions' and {_IS_OF_LATE}",
                "$allowed",
            ),
            "Few of the first and last 50, 200 and 1,000 lines of a long file are in quarantine: there stand the newest"
            " ones, whose format may have changed (validate_max_file_quarantine_share). The rows with their reasons are"
            " what the command `quarantine show` prints.",
            holds="at_most",
            values={"allowed": params.validate_max_file_quarantine_share, "recent": recent, "as_of": as_of_date},
        ),
        Reconciliation(
            "lines_are_delivered_once",
            "ingest.batches",
            _REPEATED,
            "Few lines of a file are in another file of the same days too; above validate_max_repeated_share it is a"
            " delivery of the same sales again, which would be counted twice. Say in the source's YAML that files are"
            " full exports (delivery: full), or that a file replaces the days that it holds (corrections:"
            " replace_days), or map ids that come again (order_id, line_id); or, if these are second sales,"
            " delivery: delta. Then run again: files that are still in the folder are landed anew.",
            holds="at_most",
            values={"allowed": params.validate_max_repeated_share, "as_of": as_of_date},
        ),
        Reconciliation(
            "full_exports_lose_no_rows",
            "ingest.batches",
            "select source || ' ' || file as subject, rows_gone as observed, 0 as expected from ingest.batches"
            " where rows_replaced > 0 order by subject",
            "A newer full export (delivery: full) holds what the one before held of its days. Rows that it does not"
            " hold are gone from the numbers; the earlier file's batch is kept, superseded, in raw/.",
            holds="at_most",
            severity="warning",
        ),
        Reconciliation(
            "one_currency",
            "ingest.batches",
            "select coalesce(string_agg(distinct currency, ', ' order by currency), 'no currency') as subject,"
            " count(distinct currency) as observed, 1 as expected from ingest.transactions",
            "All amounts are of one currency, over all sources: they are added up as they are. Convert them by"
            " their rates (base_currency and rates in the source's YAML), or leave the others out with where, and run"
            " again.",
            holds="at_most",
        ),
    ]
