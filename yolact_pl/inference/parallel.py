"""Work in threads beside the network: reading before it, writing after it."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def map_ahead(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int, ahead: int
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
    """
    pool = ThreadPoolExecutor(threads)
    waiting: deque[Future[Result]] = deque()
    try:
        for item in items:
            waiting.append(pool.submit(function, item))
            if len(waiting) >= ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
