"""A membership business, made in a moment and the same every time: contracts of a quarter, as a `files`
source. Everybody pays in the same rhythm: what shows who leaves is the contract, not the silence."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np

FIRST_DAY = date(2022, 1, 1)
AS_OF = date(2024, 7, 1)

YAML = """
name: club
folder: .
currency: EUR
tables:
  transactions:
    files: payments.csv
    file_changes: replace
    columns:
      customer_id: member
      order_id: payment
      occurred_at: day
      amount: paid
  contracts:
    files: contracts.csv
    file_changes: replace
    columns:
      customer_id: member
      contract_id: contract
      started_on: from
      ends_on: to
      ended_on: ended
"""


@dataclass(frozen=True)
class Term:
    """One term of a contract; `ended`: last day covered where it ended early."""

    member: str
    contract: str
    start: date
    end: date
    ended: date | None

    @property
    def last_day(self) -> date:
        return min(self.end, self.ended) if self.ended else self.end


def terms(n_members: int = 1500, seed: int = 3) -> list[Term]:
    """All terms of all members: most renew, the fickle often do not, some leave early."""
    rng = np.random.default_rng(seed)
    made = []
    for i in range(n_members):
        start = FIRST_DAY + timedelta(int(rng.integers(0, 500)))
        fickle = rng.random() < 0.4
        while start < AS_OF + timedelta(400):
            end = start + timedelta(89)
            early = rng.random() < (0.12 if fickle else 0.02)
            ended = start + timedelta(int(rng.integers(20, 80))) if early else None
            made.append(Term(f"m{i:04d}", f"k{i:04d}", start, end, ended))
            if early or rng.random() < (0.35 if fickle else 0.05):
                break
            start = end + timedelta(1)
    return made


def write(folder: Path, content: list[Term], as_of: date = AS_OF) -> Path:
    """Write the source as it is known on `as_of`; returns the path of its YAML. Members pay every ten days."""
    folder.mkdir(parents=True, exist_ok=True)
    lines, seen = ["member,payment,day,paid"], 0
    rows = ["member,contract,from,to,ended"]
    for term in content:
        day = term.start
        while day <= term.last_day and day < as_of:
            seen += 1
            lines.append(f"{term.member},{seen},{day},{10 + hash_of(term.member) % 40}.00")
            day += timedelta(10)
        if term.start < as_of:
            known = term.ended if term.ended and term.ended < as_of else ""
            rows.append(f"{term.member},{term.contract},{term.start},{term.end},{known}")
    (folder / "payments.csv").write_text("\n".join(lines) + "\n")
    (folder / "contracts.csv").write_text("\n".join(rows) + "\n")
    (folder / "club.yml").write_text(YAML)
    return folder / "club.yml"


def hash_of(member: str) -> int:
    return int(member[1:]) * 7919
