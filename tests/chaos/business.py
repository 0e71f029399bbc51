"""A small real business for the campaign: a shop whose till delivers one file a night.

In: a number of nights. Out: a source folder that grows by one delivery a night, with late lines, a corrected file and
rows that must be quarantined. The nights lie around the first of August 2024, on which a new model is trained.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path

from tests.integration import shop

#: The night on which the model of a new month is trained.
NEW_MONTH = date(2024, 8, 1)
MOST_NIGHTS = 46
LATE_BY = timedelta(days=3)

#: One line a delivery that no mapping can read: it must be in the quarantine afterwards, once.
UNREADABLE = "c0001,999999,1,2024-07-01 12:00:00,twelve,0.00,1,a\n"


@dataclass(frozen=True)
class Business:
    """The source in `folder`; `nights` are its as-of dates in order."""

    folder: Path
    nights: tuple[date, ...]

    @property
    def yaml(self) -> Path:
        return self.folder / "shop.yml"

    def deliver(self, night: date) -> None:
        """Put the files there that have arrived when the job of `night` starts. The first night has all history;
        every fourth night the file of the night before is delivered again with one amount corrected."""
        lines = _lines()
        if night == self.nights[0]:
            shop.write(self.folder, [line for line in lines if _arrives(line) < night], "sales_history.csv")
            return
        self._write(night, [line for line in lines if _arrives(line) == night - timedelta(days=1)])
        if self.nights.index(night) % 4 == 3:
            before = night - timedelta(days=1)
            again = [line for line in lines if _arrives(line) == before - timedelta(days=1)]
            if again:
                again[0] = replace(again[0], paid=again[0].paid + 1)
            self._write(before, again)

    def _write(self, night: date, lines: list[shop.Line]) -> None:
        unreadable = UNREADABLE.replace("999999", f"9{night:%y%m%d}")
        (self.folder / f"sales_{night}.csv").write_text(
            shop.HEADER + "".join(line.csv() for line in lines) + unreadable
        )


def business(folder: Path, n_nights: int) -> Business:
    """A business with `n_nights` nights, a third of them in the new month or more."""
    n_nights = min(n_nights, MOST_NIGHTS)
    first = NEW_MONTH - timedelta(days=min(n_nights // 2, 20))
    return Business(folder, tuple(first + timedelta(days=n) for n in range(n_nights)))


def _lines() -> list[shop.Line]:
    """Sixty customers who come and go, and one who buys every day, so that no delivery is without its day."""
    daily = [
        shop.Line("daily", 500_001 + 20 * n, 1, datetime.combine(day, time(18)), 5.0, 0.0, 1, "a")
        for n, day in enumerate(shop.FIRST_DAY + timedelta(days=n) for n in range(shop.N_DAYS))
    ]
    return shop.lines(n_customers=60) + daily


def _arrives(line: shop.Line) -> date:
    """The day whose delivery holds a line: its own, or three days later for one line in twenty."""
    own = line.time.date()
    return own + LATE_BY if line.receipt % 20 == 0 else own
