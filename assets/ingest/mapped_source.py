"""What a source described by a YAML says of itself, wherever its rows come from.

In: its mapping, and the span of its transactions. Out: its name, tables and expectations, and the as-of dates that it
allows. Where its rows are does not belong here (`file_source`, `postgres_source`).
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from assets.ingest.extract_guard import Expectation
from assets.ingest.mapping.accounts import Accounts
from assets.ingest.mapping.source import SourceMapping
from assets.ingest.spans import Span
from assets.shared.commands import command
from assets.shared.errors import UserError


@dataclass(frozen=True)
class MappedSource:
    """A source with a YAML."""

    mapping: SourceMapping

    @property
    def name(self) -> str:
        return self.mapping.name

    @property
    def entities(self) -> tuple[str, ...]:
        return tuple(self.mapping.tables)

    @property
    def time_zone(self) -> str | None:
        return self.mapping.time_zone

    @property
    def accounts(self) -> Accounts:
        return self.mapping.accounts_of("transactions")

    @property
    def is_matched(self) -> bool:
        return self.mapping.identity == "match"

    @property
    def expects(self) -> Expectation | None:
        return self.mapping.expects

    @property
    def complete_through(self) -> date | None:
        return self.mapping.complete_through

    def bounds_within(self, span: Span | None) -> tuple[date, date]:
        """(First, last) as-of date of a source whose transactions cover `span`: the day after its first day, and the
        day after its last complete one. Raises UserError when there is none."""
        if span is None:
            raise UserError(
                f"source {self.name}: no transaction has a valid date",
                f"run `{command('check-source', self.mapping.path)}`; it shows what the dates look like",
            )
        first, last = span
        if self.complete_through is not None:
            last = min(last, self.complete_through)
        if last < first:
            raise UserError(
                f"{self.mapping.path}: complete_through {last} is before the first transaction day {first}",
                "correct complete_through, or remove it",
            )
        # Today is not over: what it has sold so far is no complete day.
        today = datetime.now(ZoneInfo(self.time_zone or "UTC")).date()
        return first + timedelta(days=1), max(min(last + timedelta(days=1), today), first + timedelta(days=1))
