"""Work in threads beside the network: reading before it, writing after it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    *,
    threads: int,
    ahead: int,
    weigh: Callable[[Item], int] = lambda item: 1,
) -> Iterator[Result]:
    """The results of a function in the order of the items, computed in threads.

    Items are taken in the caller's thread, and only so many that at most `ahead` results wait or are under
    way, so that memory stays bounded. An error of the function is raised in its place. What was not started
    when the caller stops is dropped.

    Args:
        function: called in any of the threads.
        items: one argument each.
        threads: that work at once.
        ahead: at least `threads`, or some of them would have nothing to do.
        weigh: for how many an item counts, at least 1; one that counts for `ahead` or more is taken too, but
            nothing after it before its result is given.
    """
    pool = ThreadPoolExecutor(threads)
    waiting: deque[tuple[Future[Result], int]] = deque()
    load = 0
    try:
        for item in items:
            weight = weigh(item)
            waiting.append((pool.submit(function, item), weight))
            load += weight
            del item  # its memory is not held while the results are looked at
            while load >= ahead and waiting:
                future, weight = waiting.popleft()
                load -= weight
                yield future.result()
        while waiting:
            yield waiting.popleft()[0].result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def batched(
    items: Iterable[Item], batch_size: int, weigh: Callable[[Item], int] = lambda item: 1
) -> Iterator[list[Item]]:
    """Lists of items in their order: as many as weigh up to `batch_size` together, but at least one."""
    batch: list[Item] = []
    load = 0
    for item in items:
        weight = weigh(item)
        if batch and load + weight > batch_size:
            yield batch
            batch, load = [], 0
        batch.append(item)
        load += weight
    if batch:
        yield batch
