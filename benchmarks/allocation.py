"""How near the contact plan comes to the best possible one, and how long it takes: `make bench-allocation`.

In: drawn customers with ten actions each, of log-normal worth, who compete for channels, money and two budgets of
actions. Out: printed lines. It runs the function of the night itself (`assets.actions.plan.allocate`).
"""

import argparse
import time

import numpy as np

from assets.actions.plan import PROFIT, Limits, Options, allocate

N_ACTIONS = 10
#: Cost of a contact by channel: e-mail, letter, telephone, text message.
COSTS = (0.02, 0.60, 4.00, 0.06)


def draw_night(n_customers: int, scarcity: float, seed: int = 1) -> tuple[Options, Limits]:
    """Options of `n_customers`, one channel a candidate, and limits of a night; `scarcity` is the contacts a customer
    that the channels have room for."""
    random = np.random.default_rng(seed)
    n = n_customers * N_ACTIONS
    customer = np.repeat(np.arange(n_customers), N_ACTIONS)
    channel = random.choice(4, n, p=(0.6, 0.1, 0.1, 0.2))
    action = np.tile(np.arange(N_ACTIONS), n_customers)
    spend = np.array(COSTS)[channel] + np.where(action < 4, 0.1 * (action + 1), 0.0)
    worth = np.repeat(random.lognormal(0.0, 1.0, n_customers), N_ACTIONS) * random.uniform(0.2, 1.5, n)
    profit = worth - 0.5 * spend
    kept = np.flatnonzero(profit > 0)
    options = Options(
        candidate=np.arange(len(kept)),
        customer=customer[kept],
        channel=channel[kept],
        action=np.where(action < 2, action, -1)[kept],
        profit=profit[kept],
        spend=spend[kept],
        value_at_risk=np.zeros(len(kept)),
        is_held=random.uniform(size=len(kept)) < 0.1,
        kind=np.full(len(kept), PROFIT),
        margin=np.zeros(len(kept)),
    )
    room = n_customers * scarcity
    limits = Limits(
        capacities=tuple(int(room * share) for share in (0.6, 0.05, 0.02, 0.2)),
        budget=0.15 * room,
        care_budget=0.0,
        action_budgets=(0.02 * room, 0.02 * room),
    )
    return options, limits


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, nargs="+", default=[1_000, 20_000, 200_000, 2_000_000])
    parser.add_argument("--scarcity", type=float, nargs="+", default=[0.01, 0.1, 0.5])
    arguments = parser.parse_args()
    for n_customers in arguments.customers:
        for scarcity in arguments.scarcity:
            options, limits = draw_night(n_customers, scarcity)
            began, used = time.perf_counter(), time.process_time()
            found = allocate(options, limits)
            print(
                f"{n_customers:>9,} customers, room for {scarcity:.0%}: {found.profit / found.bound:.4%} of the bound, "
                f"{time.process_time() - used:.1f} s of CPU, {time.perf_counter() - began:.1f} s"
            )


if __name__ == "__main__":
    main()
