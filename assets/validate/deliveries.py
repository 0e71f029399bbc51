"""Do the files of late mean what the older ones meant? Rules over single files, however long the history is. Days from
the date on do not count: they belong to later nights.

In: the parameters and the date. Out: `Reconciliation`s. What is summed over all of a source stands in
`reconciliations`: there a broken file of yesterday vanishes among the good ones of years.
"""

from datetime import date, timedelta

from assets.shared.commands import command
from assets.shared.params import Params
from assets.validate.reconciliations import Reconciliation

#: Fewest rows that a file is judged by.
MIN_ROWS = 20
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


def delivery_rules(as_of_date: date, params: Params) -> list[Reconciliation]:
    """Rules over the files of transactions."""
    recent = as_of_date - timedelta(days=params.validate_compare_days)
    return [
        Reconciliation(
            "quarantine_share_of_a_file",
            "ingest.batches",
            # Three standard deviations are left to chance, which few rows need.
            "select batches.source || ' ' || batches.file as subject,"
            " cast(batches.rows_quarantined as double) / batches.rows_in as observed,"
            " $allowed + 3 * sqrt($allowed * (1 - $allowed) / batches.rows_in) as expected"
            " from ingest.batches as batches where batches.entity = 'transactions' and batches.rows_in > 0 and exists ("
            "select 1 from ingest.batch_days as days"
            " where split_part(days.batch_id, '@', 1) = split_part(batches.batch_id, '@', 1)"
            " and days.day >= $recent and days.day < $as_of)",
            "Few rows of each file of the last days (validate_compare_days) are in quarantine; above"
            " validate_max_file_quarantine_share its format has changed. The rows with their reasons are in"
            f" personal.quarantined_rows of the working warehouse; `{command('quarantine', 'show')}` shows them.",
            holds="at_most",
            values={"allowed": params.validate_max_file_quarantine_share, "recent": recent, "as_of": as_of_date},
        ),
        Reconciliation(
            "lines_are_delivered_once",
            "ingest.batches",
            _REPEATED,
            "Few lines of a file are in another file of the same days too; above validate_max_repeated_share it is a"
            " delivery of the same sales again, which would be counted twice. Say in the source's YAML that a file"
            " replaces the days that it holds (corrections: replace_days), or map ids that come again (order_id,"
            " line_id), and run again: files that are still in the folder are landed anew.",
            holds="at_most",
            values={"allowed": params.validate_max_repeated_share, "as_of": as_of_date},
        ),
        Reconciliation(
            "one_currency",
            "ingest.batches",
            "select coalesce(string_agg(distinct currency, ', ' order by currency), 'no currency') as subject,"
            " count(distinct currency) as observed, 1 as expected from ingest.transactions",
            "All amounts are of one currency, over all sources: they are added up as they are. Convert the others, or"
            " leave them out of the files, and run again.",
            holds="at_most",
        ),
    ]
