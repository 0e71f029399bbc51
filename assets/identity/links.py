"""What a person says of records that are one, or are apart: `person_links.csv` in the home.

In: the file. Out: checked rows. They win over everything that is found.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from assets.shared.errors import UserError

FILE = "person_links.csv"
COLUMNS = ("link", "customer_id", "other_customer_id")
MUST, CANNOT = "must_link", "cannot_link"


@dataclass(frozen=True)
class Link:
    """kind: `must_link` or `cannot_link`. The smaller id comes first."""

    kind: str
    customer_id: str
    other_customer_id: str


def read_links(path: Path) -> list[Link]:
    """The rows of the file, none where it is absent. Raises UserError naming the row for a kind that is unknown, an id
    that is missing, a pair of one id, and rows that contradict each other, also over several links."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise UserError(f"{path}: no column {', '.join(missing)}", f"its first row names {', '.join(COLUMNS)}")
            links = [_link(path, number, row) for number, row in enumerate(reader, 2)]
    except FileNotFoundError:
        return []
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path} cannot be read: {error}", "save it as CSV in UTF-8") from None
    links = list(dict.fromkeys(links))
    refuse_contradictions(links, str(path))
    return links


def _link(path: Path, number: int, row: dict[str, str | None]) -> Link:
    kind, one, other = ((row[name] or "").strip() for name in COLUMNS)
    if kind not in (MUST, CANNOT):
        raise UserError(f"{path}, row {number}: link {kind!r} is unknown", f"write {MUST} or {CANNOT}")
    if not one or not other:
        raise UserError(f"{path}, row {number}: an id is empty", "name both ids, or take the row out")
    if one == other:
        raise UserError(f"{path}, row {number}: {one} twice", "name two ids")
    return Link(kind, *sorted((one, other)))


def refuse_contradictions(links: Sequence[Link], where: str) -> None:
    """Raise UserError where ids that must be one person are said to be apart."""
    groups = Groups()
    for link in links:
        if link.kind == MUST:
            groups.join(link.customer_id, link.other_customer_id)
    for link in links:
        if link.kind == CANNOT and groups.of(link.customer_id) == groups.of(link.other_customer_id):
            raise UserError(
                f"{where}: {link.customer_id} and {link.other_customer_id} are one person by {MUST}, and apart by"
                f" {CANNOT}",
                "take one of these rows out",
            )


class Groups:
    """Ids that belong together; every id is one of its own first."""

    def __init__(self) -> None:
        self._above: dict[str, str] = {}

    def of(self, one: str) -> str:
        """The id that stands for the group of `one`."""
        while (above := self._above.get(one, one)) != one:
            one = above
        return one

    def join(self, one: str, other: str) -> None:
        low, high = sorted((self.of(one), self.of(other)))
        self._above[high] = low
