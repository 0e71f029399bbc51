"""A shop of a few hundred customers, made in a moment and the same every time, as a `files` source.

Customers buy at their own rate until they drop out (Schmittlein, Morrison and Colombo 1987), so that there is
something to learn; the days are those of 2024.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

FIRST_DAY = date(2024, 1, 1)
N_DAYS = 240
AS_OF = FIRST_DAY + timedelta(days=N_DAYS)

YAML = """
name: shop
folder: .
currency: EUR
tables:
  transactions:
    files: sales*.csv
    columns:
      customer_id: customer
      order_id: receipt
      line_id: position
      occurred_at: time
      amount: paid
      discount_amount: discount
      quantity: pieces
      category: category
"""

HEADER = "customer,receipt,position,time,paid,discount,pieces,category\n"


@dataclass(frozen=True)
class Line:
    """One line of a receipt."""

    customer: str
    receipt: int
    position: int
    time: datetime
    paid: float
    discount: float
    pieces: int
    category: str

    def csv(self) -> str:
        return (
            f"{self.customer},{self.receipt},{self.position},{self.time:%Y-%m-%d %H:%M:%S},{self.paid:.2f},"
            f"{self.discount:.2f},{self.pieces},{self.category}\n"
        )


def lines(n_customers: int = 320, seed: int = 7) -> list[Line]:
    """All lines of the shop, in order of time."""
    random = np.random.default_rng(seed)
    made, receipt = [], 0
    for n in range(n_customers):
        joined = random.uniform(0, N_DAYS * 0.6)
        rate = random.gamma(2.0, 1 / 22)
        leaves = joined + random.exponential(1 / random.gamma(1.5, 1 / 130))
        spend = random.lognormal(3, 0.5)
        day = joined
        while day < min(leaves, N_DAYS):
            receipt += 1
            time = datetime.combine(FIRST_DAY, datetime.min.time()) + timedelta(days=int(day), hours=9 + receipt % 9)
            for position in range(1, 2 + int(random.poisson(0.7))):
                paid = round(float(spend * random.lognormal(0, 0.3)), 2)
                discount = round(paid * 0.1, 2) if random.random() < 0.3 else 0.0
                made.append(Line(f"c{n:04d}", receipt, position, time, paid, discount, 1, "abcde"[receipt % 5]))
            day += random.exponential(1 / rate)
    return sorted(made, key=lambda line: (line.time, line.receipt, line.position))


def write(folder: Path, content: list[Line], name: str = "sales.csv") -> Path:
    """Write the source into `folder`; returns the path of its YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(HEADER + "".join(line.csv() for line in content))
    yaml = folder / "shop.yml"
    yaml.write_text(YAML)
    return yaml
