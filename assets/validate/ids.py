"""Do ids go on? When a system gives its customers new numbers, all the old ones seem to leave and as many new ones to
arrive, and nobody is who they were.

In: days on which customers bought. Out: a `Reconciliation` over the weeks of late: of customers who buy before a week
and after it there are not suddenly far fewer than around other weeks. Rules over single files stand in `deliveries`.
"""

from datetime import date

from assets.shared.errors import UserError
from assets.shared.params import Params
from assets.validate.reconciliations import Reconciliation

#: Weeks that are looked at, and how many weeks before and after one are compared: frequent buyers show within a week.
WEEKS, SPANS = 30, (1, 2, 4, 8)
#: So many customers should have come again, at least, and of them no more than this share may be missing.
MIN_EXPECTED, MAX_MISSING = 20, 0.75
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
        " do not, while as many new ones come, the ids were changed: everybody would seem to leave. Deliver the history"
        " with the new ids, or say that this is right: validate_ids_changed_on=2024-05-01 (several days with commas).",
        holds="at_most",
        values={
            "as_of": as_of_date,
            "first": date.fromordinal(as_of_date.toordinal() - 7 * WEEKS),
            "known": known_changes(params),
        },
    )


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
