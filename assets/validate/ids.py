"""Do ids go on? When a system gives its customers new numbers, all the old ones seem to leave and as many new ones to
arrive, and nobody is who they were.

In: days on which customers bought, and the alias tables that say which id stands for which. Out: `Reconciliation`s:
over the weeks of late, of customers who buy before a week and after it there are not suddenly far fewer than around
other weeks; and what alias tables say can be true. Rules over single files stand in `deliveries`.
"""

from datetime import date, timedelta

from assets.shared.errors import UserError
from assets.shared.params import Params
from assets.shared.plausibility import MIN_ROWS
from assets.validate.reconciliations import Reconciliation

#: Weeks that are looked at, and how many weeks before and after one are compared: frequent buyers show within a week.
WEEKS, SPANS = 30, (1, 2, 4, 8)
#: So many customers should have come again, at least, and of them no more than this share may be missing.
MIN_EXPECTED, MAX_MISSING = 20, 0.75
#: Where more of the old ids than this go on buying, or name nobody, the alias table is not what it is taken for.
MAX_DOUBTFUL_CHANGES = 0.5
#: More customers than this say no more; the others are left aside by a hash, old ids and new ones alike.
MAX_CUSTOMERS = 20_000

_GOING_ON = f"""
with bought as (
    select distinct customer_id, date_diff('day', day, $as_of) as days_ago
    from features.customer_day
    where day >= $first and day < $as_of and n_orders > 0
),

weeks as (
    select distinct customer_id, (days_ago - 1) // 7 as week
    from bought
    where hash(customer_id) % greatest(1, (select count(distinct customer_id) from bought) // {MAX_CUSTOMERS}) = 0
),

spans as (
    select span, split from (select unnest([{", ".join(map(str, SPANS))}]) as span), range(1, {WEEKS}) as splits(split)
    where split >= span and split <= {WEEKS} - span
),

around as (
    select
        spans.span, spans.split, weeks.customer_id,
        bool_or(weeks.week >= spans.split) as was_before, bool_or(weeks.week < spans.split) as came_after
    from spans
    inner join weeks on weeks.week >= spans.split - spans.span and weeks.week < spans.split + spans.span
    group by all
),

counted as (
    select
        span, split, count(*) filter (where was_before and came_after) as n_both,
        least(count(*) filter (where was_before), count(*) filter (where came_after)) as n_least
    from around group by span, split
),

expected_of as (
    select
        *, n_least * median(n_both / n_least) over (partition by span) as n_expected,
        cast($as_of as date) - cast(7 * split as integer) as changed_on
    from counted where n_least > 0
)

select
    'ids from ' || changed_on || ' on' as subject, max(1 - n_both / n_expected) as observed, {MAX_MISSING} as expected
from expected_of
where n_expected >= {MIN_EXPECTED} and not exists (
    select 1 from (select unnest(cast($known as date[])) as day) as known
    where abs(date_diff('day', known.day, expected_of.changed_on)) <= 7 * expected_of.span
)
group by changed_on
order by changed_on
"""


def ids_go_on(as_of_date: date, params: Params) -> Reconciliation:
    """The rule. Raises UserError for `validate_ids_changed_on` that holds no days."""
    return Reconciliation(
        "ids_go_on",
        "features.customer_day",
        _GOING_ON,
        "Customers who bought before a week come again after it, as around other weeks. Where most of those who should"
        " do not, while as many new ones come, the ids were changed: everybody would seem to leave. Say which id became"
        " which in a table customer_aliases of the source's YAML (docs/connecting-a-source.md, New customer ids), or"
        " deliver the history with the new ids, or say that this is right: validate_ids_changed_on=2024-05-01 (several"
        " days with commas).",
        holds="at_most",
        values={
            "as_of": as_of_date,
            "first": date.fromordinal(as_of_date.toordinal() - 7 * WEEKS),
            "known": known_changes(params),
        },
    )


#: Changes with a day before the last days, and whether the old id went on buying in these.
_GOING_ON_UNDER_OLD = """
from ingest.id_changes as changes
left join (
    select transactions.customer_id, max(cast(transactions.occurred_at as date)) as last_day
    from ingest.transactions as transactions
    where transactions.occurred_at >= $recent and transactions.occurred_at < $as_of
        and transactions.customer_id in (select old_customer_id from ingest.id_changes)
    group by transactions.customer_id
) as bought on changes.old_customer_id = bought.customer_id and bought.last_day > changes.valid_from
where changes.valid_from < $as_of
"""


def alias_rules(as_of_date: date, params: Params) -> list[Reconciliation]:
    """What must be true of alias tables, and what is doubtful."""
    recent = {"recent": as_of_date - timedelta(days=params.validate_compare_days), "as_of": as_of_date}
    return [
        Reconciliation(
            "id_changes_have_an_end",
            "features.customer_day",
            "select old_customer_id || ' becomes ' || next_customer_id as subject, 1 as observed, 0 as expected"
            " from ingest.id_changes where is_circular order by old_customer_id",
            "No alias leads round in a circle (a becomes b, b becomes a): nobody can say which id holds now, and these"
            " are not applied. Remove the rows that hold no more from the alias table, and run again.",
            rows_sql="select old_customer_id, next_customer_id from ingest.id_changes where is_circular",
        ),
        Reconciliation(
            "old_ids_have_ended",
            "features.customer_day",
            "select changes.old_customer_id || ' bought on ' || bought.last_day as subject, 1 as observed,"
            f" 0 as expected {_GOING_ON_UNDER_OLD} and bought.customer_id is not null order by subject",
            "Ids that were replaced buy no more after the day. Those that did in the last days (validate_compare_days)"
            " count for the new id, as where one till still has the old list. If the old id was given to somebody else,"
            " remove it from the alias table.",
            holds="at_most",
            severity="warning",
            values=recent,
        ),
        Reconciliation(
            "most_old_ids_have_ended",
            "features.customer_day",
            "select 'old ids that go on buying' as subject, count(bought.customer_id) / count(*) as observed,"
            f" {MAX_DOUBTFUL_CHANGES} as expected {_GOING_ON_UNDER_OLD} having count(*) >= {MIN_ROWS}",
            "Most ids that were replaced buy no more: else old and new ids have changed places in the alias table, or"
            " its day is wrong. Correct the mapping of customer_aliases (old_customer_id, customer_id, valid_from), and"
            " run again.",
            holds="at_most",
            values=recent,
        ),
        Reconciliation(
            "aliases_name_customers",
            "features.customer_day",
            "select 'aliases that name nobody' as subject, count(*) filter (where seen.customer_id is null) / count(*)"
            f" as observed, {MAX_DOUBTFUL_CHANGES} as expected from ingest.id_changes as changes"
            " left join features.customer_features as seen on changes.customer_id = seen.customer_id"
            f" having count(*) >= {MIN_ROWS}",
            "Most aliases name an id that bought or joined. Where they do not, the table writes ids otherwise than the"
            " sales do: leading zeros, a prefix, or a hash that only one of the two has.",
            holds="at_most",
            severity="warning",
        ),
    ]


def known_changes(params: Params) -> list[str]:
    """The days of `validate_ids_changed_on`, as ISO texts."""
    days = [text.strip() for text in params.validate_ids_changed_on.split(",") if text.strip()]
    for text in days:
        try:
            date.fromisoformat(text)
        except ValueError:
            raise UserError(
                f"validate_ids_changed_on: {text!r} is no day", "write days as 2024-05-01, several with commas"
            ) from None
    return days
