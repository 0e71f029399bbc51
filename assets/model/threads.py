"""How many threads fitting and prediction take, so that the same seed gives the same bits on any machine."""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

#: Rows above which trees are fitted on all cores: there their work outweighs their meetings.
MANY_ROWS = 200_000


@contextmanager
def one_thread() -> Iterator[None]:
    """Fitting and prediction on one thread. Split sums of linear algebra differ in their last bits with the number of
    threads. And meeting after each of a hundred small trees costs threads more than they save: on two idle cores two
    threads save a quarter of the time, on two busy ones they take five times as long."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1):
        yield


def threads_for_trees(n_rows: int) -> AbstractContextManager:
    """All cores for trees on more than `MANY_ROWS` rows. Trees sum each column's histogram on one thread and keep the
    order of rows in splits, so that threads change no bit of them; linear algebra is not so careful and keeps to
    one."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(limits={"openmp": os.cpu_count() or 1}) if n_rows > MANY_ROWS else nullcontext()
