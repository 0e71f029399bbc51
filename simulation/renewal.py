"""Exact probabilities and counts of a customer's renewal process, by its phases.

A gap is a mixture: with the chance to leave a long exponential time, else a random, regular or clumpy gap. Both are
phase-type, so that the expected number of purchases has a closed form (a matrix exponential), tabulated here.
Source: phase-type renewal processes, e.g. S. Asmussen, Applied Probability and Queues, chapter V.
"""

import math

import numpy as np

from simulation.draws import number
from simulation.population import LEAVE_LEVELS, RHYTHMS, Population

#: Steps of the table a unit of ln(1 + span / FINEST); interpolation between them is good to five digits.
STEPS, FINEST, LONGEST = 24, 0.05, 400.0


def survival(p: Population, rhythm: str, leave: str, age: str) -> str:
    """SQL: probability that a gap lasts longer than `age` (own clock) given the chance to have left."""
    k, q, fast, slow = p.regular_shape, p.clumpy_fast_share, p.clumpy_fast_pace, p.clumpy_slow_pace
    erlang = " + ".join(f"pow({k} * ({age}), {i}) / {math.factorial(i)}" for i in range(k))
    return (
        f"({leave}) * exp(-{number(p.return_pace)} * ({age})) + (1 - ({leave})) * case {rhythm} "
        f"when 0 then exp(-({age})) "
        f"when 1 then exp(-{k} * ({age})) * ({erlang}) "
        f"else {number(q)} * exp(-{number(fast)} * ({age})) + {number(1 - q)} * exp(-{number(slow)} * ({age})) end"
    )


def mean_leave(p: Population, leave_ok: float) -> float:
    """Chance to leave at a purchase of which nothing is known."""
    return p.failure_share * (1 - (1 - leave_ok) * (1 - p.failure_leave)) + (1 - p.failure_share) * leave_ok


def phases(p: Population, rhythm: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(start distribution of a gap, rates of moving on within the gap, rates of buying) over the buying phases."""
    if RHYTHMS[rhythm] == "random":
        return np.array([1.0]), np.zeros((1, 1)), np.array([1.0])
    if RHYTHMS[rhythm] == "regular":
        k = p.regular_shape
        return np.eye(k)[0], k * np.eye(k, k=1), np.r_[np.zeros(k - 1), k]
    return (
        np.array([p.clumpy_fast_share, 1 - p.clumpy_fast_share]),
        np.zeros((2, 2)),
        np.array([p.clumpy_fast_pace, p.clumpy_slow_pace]),
    )


def expected_counts(p: Population, rhythm: int, leave: float, spans: np.ndarray) -> np.ndarray:
    """Expected purchases within each span (own clock) from each phase, the last one being 'has left'.

    Shape (spans, phases + 1). The counts solve m' = Q m + r, m(0) = 0; taken apart by the eigenvalues of Q, which are
    distinct for these gaps and one of which is 0, because the process never ends.
    """
    generator, buy = _generator(p, rhythm, leave)
    values, vectors = np.linalg.eig(generator)
    parts = np.linalg.solve(vectors, buy.astype(complex))
    still = np.abs(values) < 1e-12
    safe = np.where(still, 1.0, values)
    grown = np.where(still[None], spans[:, None], np.expm1(safe[None] * spans[:, None]) / safe[None])
    return (grown * parts[None] @ vectors.T).real


def _generator(p: Population, rhythm: int, leave: float) -> tuple[np.ndarray, np.ndarray]:
    """(Q, r): rates between the phases, a purchase leading to the first phase of the next gap; rates of buying."""
    start, moves, buys = phases(p, rhythm)
    n = len(start) + 1
    start = np.r_[(1 - leave) * start, leave]
    buy = np.r_[buys, p.return_pace]
    generator = np.zeros((n, n))
    generator[:-1, :-1] = moves
    generator -= np.diag(generator.sum(axis=1) + buy)
    generator += np.outer(buy, start)
    return generator, buy


def span_grid() -> np.ndarray:
    """Spans at which the counts are tabulated, from 0."""
    n = math.ceil(STEPS * math.log1p(LONGEST / FINEST)) + 2
    return FINEST * np.expm1(np.arange(n) / STEPS)


def count_table(p: Population):
    """Arrow table: rhythm, leave_level (from 1), step, span, m (counts from each phase; 'left' last), and the same of
    the next step."""
    import pyarrow as pa

    spans = span_grid()
    names = ("rhythm", "leave_level", "step", "span", "next_span", "m", "next_m")
    rows: dict[str, list] = {name: [] for name in names}
    for rhythm in range(len(RHYTHMS)):
        for level, leave_ok in enumerate(LEAVE_LEVELS, start=1):
            counts = expected_counts(p, rhythm, mean_leave(p, leave_ok), spans)
            last = len(spans) - 1
            rows["rhythm"] += [rhythm] * last
            rows["leave_level"] += [level] * last
            rows["step"] += list(range(last))
            rows["span"] += spans[:-1].tolist()
            rows["next_span"] += spans[1:].tolist()
            rows["m"] += counts[:-1].tolist()
            rows["next_m"] += counts[1:].tolist()
    return pa.table(rows)


def phase_weights(p: Population, rhythm: str, leave: str, age: str) -> str:
    """SQL: list of joint probabilities (gap longer than `age`, phase), 'left' last; their sum is the survival."""
    k, q, fast, slow = p.regular_shape, p.clumpy_fast_share, p.clumpy_fast_pace, p.clumpy_slow_pace
    left = f"({leave}) * exp(-{number(p.return_pace)} * ({age}))"
    regular = ", ".join(
        f"(1 - ({leave})) * exp(-{k} * ({age})) * pow({k} * ({age}), {i}) / {math.factorial(i)}" for i in range(k)
    )
    return (
        f"case {rhythm} when 0 then [(1 - ({leave})) * exp(-({age})), {left}] "
        f"when 1 then [{regular}, {left}] "
        f"else [(1 - ({leave})) * {number(q)} * exp(-{number(fast)} * ({age})), "
        f"(1 - ({leave})) * {number(1 - q)} * exp(-{number(slow)} * ({age})), {left}] end"
    )
