"""Which days a source's transactions cover, from what is landed and from a scan of the dates of what is not.

In: extracts, or a source whose files may be gone. Out: first and last day. What follows for as-of dates belongs to
`mapped_source`.
"""

from datetime import date

from assets.ingest.batches import read_all_batches, read_batches
from assets.ingest.conversion import convert_records
from assets.ingest.engine import landing_connection
from assets.ingest.extracts import Extract, content_of
from assets.ingest.known_content import KnownContent
from assets.shared.settings import Settings
from assets.shared.warehouse import fetch_row

#: (first day, last day)
Span = tuple[date, date]


def landed_span(settings: Settings, source: str) -> Span | None:
    """First and last day of all active transactions, whether their files are still there or not."""
    return _span([day for b in read_batches(settings, [source], "transactions") for day, _ in b.all_days])


def day_span(extract: Extract, settings: Settings) -> Span | None:
    """First and last day of the extract's transactions: from its batch where it is landed, else from a scan of its
    date column alone. None when it holds no valid date. Raises FileRefused for a file that cannot be used."""
    batch_id = content_of(extract, KnownContent.of_home(settings)).batch_id
    known = read_all_batches(settings, [extract.source], extract.entity)
    for batch in known:
        if batch.batch_id == batch_id:
            return _span([day for day, _ in batch.all_days])
    return _scanned_span(extract, settings)


def _scanned_span(extract: Extract, settings: Settings) -> Span | None:
    event = extract.canonical.event
    assert event is not None, "transactions have their moment"
    # Only what the date needs: everything else of a row may be as bad as it likes.
    only_dates = extract.table.model_copy(
        update={
            "columns": {event: extract.table.columns[event]},
            "returns": "by_sign",
            "amount_is": "line_total",
            "discount_deducted": True,
            "exact_duplicates": "keep",
            "order_amounts": None,
        }
    )
    with landing_connection(settings) as con:
        convert_records(con, extract.read(con), extract.canonical, only_dates, extract.reading("scan"))
        first, last = fetch_row(con, f"select min({event}), max({event}) from converted where rule is null")
    return (first.date(), last.date()) if first is not None else None


def _span(days: list[str]) -> Span | None:
    return (date.fromisoformat(min(days)), date.fromisoformat(max(days))) if days else None
