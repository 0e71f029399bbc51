"""The best prediction that anybody could make who knows how the business works, but not its customers' own parameters.

In: the generator's tables. Out: for each asked customer, date and horizon the probability of no purchase, and the
expected number of purchases, averaged over the latent classes by their posterior given the customer's attributes, its
purchases, complaints, survey answers and contacts so far. Exact, because the classes are what the generator draws from:

    P(class | history) ∝ weight(class) × Π density(gap | class) × survival(time since the last purchase | class)

No pandas and no threads: arrays of a chunk of customers, summed in a fixed order.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import duckdb
import numpy as np

from simulation.population import LEAVE_LEVELS, RESPONSES, RHYTHMS, Population
from simulation.renewal import FINEST, STEPS, expected_counts, mean_leave, span_grid

#: Customers at a time: bounds the memory of (dates × customers × classes).
CHUNK = 500


@dataclass(frozen=True)
class Histories:
    """What is on record of some customers, as arrays. Purchases are sorted by customer and time; `first` is each
    customer's first row among them. contacted: (customers, campaigns)."""

    customer: np.ndarray
    join_b: np.ndarray
    pace_factor: np.ndarray
    hazard_factor: np.ndarray
    agrees: np.ndarray
    contacted: np.ndarray
    first: np.ndarray
    owner: np.ndarray
    b: np.ndarray
    next_b: np.ndarray
    day: np.ndarray
    next_day: np.ndarray
    evidence: np.ndarray

    def of(self, chosen: np.ndarray) -> "Histories":
        """The part of some of the customers (sorted numbers)."""
        who = np.searchsorted(self.customer, chosen)
        ends = np.r_[self.first[1:], len(self.owner)]
        lengths = ends[who] - self.first[who]
        first = np.r_[0, np.cumsum(lengths)[:-1]].astype(int)
        rows = np.arange(lengths.sum()) - np.repeat(first - self.first[who], lengths)
        return Histories(
            self.customer[who],
            self.join_b[who],
            self.pace_factor[who],
            self.hazard_factor[who],
            self.agrees[who],
            self.contacted[who],
            first,
            np.repeat(np.arange(len(who)), lengths),
            self.b[rows],
            self.next_b[rows],
            self.day[rows],
            self.next_day[rows],
            self.evidence[rows],
        )


@dataclass(frozen=True)
class Campaigns:
    day: np.ndarray
    c0: np.ndarray
    c1: np.ndarray
    multiplier: np.ndarray  # (campaigns, responses)


@dataclass(frozen=True)
class Moment:
    """A date to predict from, with its horizons: business day and time of it and of each end."""

    day: int
    b: float
    ends: tuple[tuple[int, int, float], ...]  # (horizon, day, business time)
    counts: bool  # also the expected number of purchases


@dataclass(frozen=True)
class Prediction:
    customer: np.ndarray
    horizon: int
    p_no_purchase: np.ndarray
    expected_orders: np.ndarray | None


def read_campaigns(con: duckdb.DuckDBPyConnection, p: Population) -> Campaigns:
    rows = con.execute("select day, c0, c1, action from campaigns order by campaign").fetchnumpy()
    multipliers = np.array([[1.0, a.persuadable, a.sleeping_dog] for a in p.actions])
    return Campaigns(
        np.asarray(rows["day"]),
        np.asarray(rows["c0"]),
        np.asarray(rows["c1"]),
        multipliers[np.asarray(rows["action"], dtype=int)].reshape(-1, 3),
    )


def sample(con: duckdb.DuckDBPyConnection, n: int) -> np.ndarray:
    """Numbers of `n` customers who ever bought, chosen by hash."""
    rows = con.execute(
        "select customer from customers where not never_buys "
        "order by bits_person(customer + 8796093022208), customer limit ?",
        [n],
    ).fetchnumpy()
    return np.sort(np.asarray(rows["customer"]))


def read_histories(con: duckdb.DuckDBPyConnection, p: Population, chosen: np.ndarray, n_campaigns: int) -> Histories:
    """The records of the chosen customers (sorted numbers)."""
    import pyarrow as pa

    con.register("chosen", pa.table({"customer": chosen}))
    people = con.execute(
        "select customer, join_b, region, age, household, agrees_email "
        "from customers semi join chosen using (customer) order by customer"
    ).fetchnumpy()
    bought = con.execute(
        "select customer, b, coalesce(next_b, 'inf') as next_b, day, coalesce(next_day, 32767) as next_day, evidence "
        "from orders semi join chosen using (customer) order by customer, n"
    ).fetchnumpy()
    touched = con.execute(
        "select customer, campaign from contacts semi join chosen using (customer) where not is_held_out"
    ).fetchnumpy()
    con.unregister("chosen")
    customer = np.asarray(people["customer"])
    contacted = np.zeros((len(customer), n_campaigns), dtype=bool)
    contacted[np.searchsorted(customer, touched["customer"]), np.asarray(touched["campaign"], dtype=int)] = True
    owner = np.searchsorted(customer, bought["customer"])
    region, age, household = (np.asarray(people[c], dtype=int) for c in ("region", "age", "household"))
    return Histories(
        customer=customer,
        join_b=np.asarray(people["join_b"], dtype=float),
        pace_factor=np.exp(
            np.array(p.pace_by_region)[region] + np.array(p.pace_by_age)[age] + p.pace_by_household * (household - 2)
        ),
        hazard_factor=np.exp(np.array(p.leave_by_region)[region] + np.array(p.leave_by_age)[age]),
        agrees=np.asarray(people["agrees_email"], dtype=bool),
        contacted=contacted,
        first=np.searchsorted(owner, np.arange(len(customer))),
        owner=owner,
        b=np.asarray(bought["b"], dtype=float),
        next_b=np.asarray(bought["next_b"], dtype=float),
        day=np.asarray(bought["day"], dtype=int),
        next_day=np.asarray(bought["next_day"], dtype=int),
        evidence=np.asarray(bought["evidence"], dtype=int),
    )


def predict(
    p: Population, h: Histories, campaigns: Campaigns, moments: list[Moment]
) -> Iterator[tuple[Moment, Prediction]]:
    """Predictions of every customer with a purchase before each moment, moment by moment and horizon by horizon."""
    grid = _Grid(p, h)
    # Log likelihoods of what happened before each moment, for each of the slow dimensions (fading × response).
    slow = [(f, y) for f in range(len(p.fade_weights)) for y in range(3 if h.contacted.any() else 1)]
    done = np.array(
        [np.bincount(h.owner, weights=h.next_day < moment.day, minlength=len(h.customer)) for moment in moments]
    ).astype(int)
    likelihood = np.empty((len(slow), len(moments), len(h.customer), grid.size))
    clocks = []
    for i, (f, y) in enumerate(slow):
        clock = _Clock(p, h, campaigns, f, y)
        clocks.append(clock)
        gaps = grid.log_density(clock)
        running = np.concatenate([np.zeros((1, grid.size)), np.cumsum(gaps, axis=0)])
        for j in range(len(moments)):
            likelihood[i, j] = running[h.first + done[j]] - running[h.first]
    shares = _response_shares(p) if h.contacted.any() else (1.0,)
    weights = np.array([np.log(p.fade_weights[f]) + np.log(shares[y]) for f, y in slow])
    for j, moment in enumerate(moments):
        seen = np.flatnonzero(h.day[np.minimum(h.first, len(h.day) - 1)] < moment.day)
        last = h.first[seen] + done[j, seen]
        yield from _at(p, h, grid, clocks, weights, likelihood[:, j][:, seen], moment, seen, last, campaigns)


def _response_shares(p: Population) -> tuple[float, float, float]:
    """By kind of response, as in RESPONSES."""
    return 1 - p.persuadable_share - p.sleeping_dog_share, p.persuadable_share, p.sleeping_dog_share


class _Clock:
    """Effective time of all customers under one kind of fading and of response."""

    def __init__(self, p: Population, h: Histories, campaigns: Campaigns, fade: int, response: int):
        self.p, self.h, self.campaigns = p, h, campaigns
        self.onset, self.length, self.response = p.fade_onsets[fade], p.fade_lengths[fade], response

    def faded(self, b: np.ndarray, who: np.ndarray) -> np.ndarray:
        since = b - self.h.join_b[who]
        return np.minimum(since, self.onset) + self.length * -np.expm1(-np.maximum(since - self.onset, 0) / self.length)

    def between(self, start: np.ndarray, end: np.ndarray, who: np.ndarray, before: int = 1 << 30) -> np.ndarray:
        """Effective time from `start` to `end` under the contacts of campaigns before a day."""
        total = self.faded(end, who) - self.faded(start, who)
        c = self.campaigns
        for g in range(len(c.day)):
            if c.multiplier[g, self.response] != 1 and c.day[g] < before:
                total = total + self.h.contacted[who, g] * (c.multiplier[g, self.response] - 1) * (
                    self.faded(np.clip(end, c.c0[g], c.c1[g]), who) - self.faded(np.clip(start, c.c0[g], c.c1[g]), who)
                )
        return total

    def added(self, g: int, end: np.ndarray, who: np.ndarray, response: int) -> np.ndarray:
        """Effective time that a contact of campaign g adds until `end` for one kind of response."""
        c = self.campaigns
        return (c.multiplier[g, response] - 1) * (
            self.faded(np.minimum(end, c.c1[g]), who) - self.faded(np.full_like(end, c.c0[g]), who)
        )

    def log_speed(self, b: np.ndarray, who: np.ndarray) -> np.ndarray:
        """Log of effective time per business time at `b`."""
        c = self.campaigns
        multiplier = np.ones(len(b))
        for g in range(len(c.day)):
            inside = self.h.contacted[who, g] & (b >= c.c0[g]) & (b < c.c1[g])
            multiplier = np.where(inside, c.multiplier[g, self.response], multiplier)
        return np.log(multiplier) - np.maximum(b - self.h.join_b[who] - self.onset, 0) / self.length


class _Grid:
    """The fast dimensions: rate × leaving × rhythm, flattened in this order to `size` classes."""

    def __init__(self, p: Population, h: Histories):
        self.p, self.h = p, h
        rates = np.array(p.rate_classes())
        hazards = np.array(p.leave_hazards)
        self.shape = (len(rates), len(hazards), len(RHYTHMS))
        self.size = int(np.prod(self.shape))
        self.pace = p.rate_scale * rates[None] * h.pace_factor[:, None]
        odds = np.log(hazards[None, None] * h.hazard_factor[:, None, None] / self.pace[:, :, None])
        # As SQL rounds: halves away from zero.
        steps = (odds + 8.0) / 0.16
        self.level = np.clip(np.sign(steps) * np.floor(np.abs(steps) + 0.5), 0, len(LEAVE_LEVELS) - 1).astype(int)
        ok = np.array(LEAVE_LEVELS)[self.level]
        failed = 1 - (1 - ok) * (1 - p.failure_leave)
        silent = p.silent_failure_share
        self.leave = np.stack([silent * failed + (1 - silent) * ok, failed, ok])  # by evidence 0, 1, 2
        weight = np.multiply.outer(np.outer(np.full(len(rates), 1 / len(rates)), p.leave_weights), p.rhythm_weights)
        # A class of no weight gets next to none, not minus infinity, which would make not-a-numbers.
        self.log_weight = np.log(np.maximum(weight, 1e-300)).ravel()

    def log_density(self, clock: _Clock) -> np.ndarray:
        """(purchases, classes): log density of the gap after each purchase; 0 for gaps that are still open."""
        h, p = self.h, self.p
        closed = np.isfinite(h.next_b)
        result = np.zeros((len(h.b), self.size))
        who, start, end = h.owner[closed], h.b[closed], h.next_b[closed]
        pace = self.pace[who]
        age = pace * clock.between(start, end, who)[:, None]
        leave = self.leave[h.evidence[closed], who]
        k, q = p.regular_shape, p.clumpy_fast_share
        fast, slow = p.clumpy_fast_pace, p.clumpy_slow_pace
        factorial = float(np.prod(np.arange(1, k)))
        rhythm = np.stack(
            [
                np.exp(-age),
                k**k / factorial * age ** (k - 1) * np.exp(-k * age),
                q * fast * np.exp(-fast * age) + (1 - q) * slow * np.exp(-slow * age),
            ],
            axis=-1,
        )
        left = p.return_pace * np.exp(-p.return_pace * age)
        mixed = leave[..., None] * left[:, :, None, None] + (1 - leave)[..., None] * rhythm[:, :, None, :]
        speed = np.log(pace) + clock.log_speed(end, who)[:, None]
        result[closed] = (np.log(np.maximum(mixed, 1e-300)) + speed[:, :, None, None]).reshape(len(who), self.size)
        return result

    def fold(self, mass: np.ndarray, leave: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mass of the classes (customers, classes) folded over what survival is linear in: (customers, rates) of those
        who have left, (customers, rates, rhythms) of those who have not."""
        mass = mass.reshape(len(mass), *self.shape)
        gone = np.einsum("crl,crlh->cr", leave, mass)
        return gone, mass.sum(axis=2) - np.einsum("crl,crlh->crh", leave, mass)

    def phases(self, age: np.ndarray) -> tuple[np.ndarray, list[list[np.ndarray]]]:
        """For own times since the last purchase (customers, rates): chance of no return yet for those who have left;
        and by rhythm the chance of no purchase yet in each phase, for those who have not."""
        p, k = self.p, self.p.regular_shape
        erlang = [np.exp(-k * age)]
        for i in range(1, k):
            erlang.append(erlang[-1] * (k * age) / i)
        return np.exp(-p.return_pace * age), [
            [np.exp(-age)],
            erlang,
            [
                p.clumpy_fast_share * np.exp(-p.clumpy_fast_pace * age),
                (1 - p.clumpy_fast_share) * np.exp(-p.clumpy_slow_pace * age),
            ],
        ]

    def silent(self, folded: tuple[np.ndarray, np.ndarray], age: np.ndarray) -> np.ndarray:
        """(customers): mass of the classes times the probability that the gap lasts beyond `age`."""
        gone, staying = folded
        left, rhythms = self.phases(age)
        total = (gone * left).sum(axis=1)
        for rhythm, parts in enumerate(rhythms):
            total += (staying[:, :, rhythm] * sum(parts)).sum(axis=1)
        return total

    def counted(
        self,
        tables: list[np.ndarray],
        mass: np.ndarray,
        age: np.ndarray,
        leave: np.ndarray,
        span: np.ndarray,
        level: np.ndarray,
    ) -> np.ndarray:
        """(customers): mass times the probability that the gap lasts beyond `age`, times expected purchases in
        `span`."""
        spans = span_grid()
        step = np.minimum(np.floor(np.log1p(span / FINEST) * STEPS).astype(int), len(spans) - 2)
        part = ((span - spans[step]) / (spans[step + 1] - spans[step]))[:, :, None, None]
        mass = mass.reshape(len(mass), *self.shape)
        left, rhythms = self.phases(age)
        total = np.zeros(len(age))
        for rhythm, parts in enumerate(rhythms):
            weights = (
                np.stack([*((1 - leave) * x[:, :, None] for x in parts), leave * left[:, :, None]], axis=-1)
                * mass[:, :, :, rhythm, None]
            )
            low = tables[rhythm][level, step[:, :, None]]
            high = tables[rhythm][level, step[:, :, None] + 1]
            total += (weights * (low + (high - low) * part)).sum(axis=(1, 2, 3))
        return total


@cache
def count_tables(p: Population) -> list[np.ndarray]:
    """By rhythm, (leave levels, spans, phases + 1): expected purchases."""
    return [
        np.stack([expected_counts(p, rhythm, mean_leave(p, ok), span_grid()) for ok in LEAVE_LEVELS])
        for rhythm in range(len(RHYTHMS))
    ]


def _at(p, h, grid, clocks, weights, likelihood, moment, seen, last, campaigns) -> Iterator[tuple[Moment, Prediction]]:
    """Average over the posterior at one moment. likelihood: (slow, seen, classes)."""
    if not len(seen):
        return
    leave = grid.leave[h.evidence[last], seen]
    pace, level = grid.pace[seen], grid.level[seen]
    start, here = h.b[last], np.full(len(seen), moment.b)
    logs = likelihood + weights[:, None, None] + grid.log_weight
    mass = np.exp(logs - logs.max(axis=(0, 2), keepdims=True))
    folded = [grid.fold(m, leave) for m in mass]
    ages = [pace * c.between(start, here, seen, moment.day)[:, None] for c in clocks]
    now = sum(grid.silent(f, age) for f, age in zip(folded, ages, strict=True))
    tables = count_tables(p) if moment.counts else None
    for horizon, end_day, end_b in moment.ends:
        there = np.full(len(seen), end_b)
        coming = [g for g in range(len(campaigns.day)) if moment.day <= campaigns.day[g] < end_day]
        chance = p.contact_probability * h.agrees[seen] if coming else np.zeros(len(seen))
        silence, orders = np.zeros(len(seen)), np.zeros(len(seen))
        for i, clock in enumerate(clocks):
            plain = pace * clock.between(start, there, seen, moment.day)[:, None]
            variants = [(1 - chance, plain)]
            if coming:
                # Of somebody who was never contacted nothing is known of the response: all kinds, by their share.
                kinds = [clock.response] if h.contacted.any() else range(len(RESPONSES))
                variants += [
                    (
                        chance * (_response_shares(p)[y] if len(kinds) > 1 else 1.0),
                        plain + pace * clock.added(coming[0], there, seen, y)[:, None],
                    )
                    for y in kinds
                ]
            for share, end_age in variants:
                silence += share * grid.silent(folded[i], end_age)
                if tables is not None:
                    orders += share * grid.counted(tables, mass[i], ages[i], leave, end_age - ages[i], level)
        yield moment, Prediction(h.customer[seen], horizon, silence / now, None if tables is None else orders / now)
