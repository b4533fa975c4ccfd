"""Concurrent pipeline: stages in threads of their own, connected by bounded queues."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_POLL_SECONDS = 0.1
_READER_SECONDS = 2.0


class Closed(Exception):
    """The other side of a channel has stopped."""


class Channel(Generic[T]):
    """A bounded first-in first-out queue between two threads that either side can close.

    Args:
        size: capacity; `put` blocks while the channel is full.
        newest: `put` drops items that have not been taken yet instead of blocking.
    """

    def __init__(self, size: int, *, newest: bool = False) -> None:
        self.size = size
        self.newest = newest
        self._items: deque[T] = deque()
        self._changed = threading.Condition()
        self._finished = False
        self._abandoned = False

    def put(self, item: T) -> None:
        """Append an item; raises Closed after `abandon`."""
        with self._changed:
            if self.newest:
                self._items.clear()
            self._changed.wait_for(lambda: self._abandoned or len(self._items) < self.size)
            if self._abandoned:
                raise Closed
            self._items.append(item)
            self._changed.notify_all()

    def take(self, count: int = 1, *, give_up: Callable[[], bool] = lambda: False) -> list[T]:
        """The next `count` items; fewer or none at the end of the stream or once `give_up` is true."""
        taken: list[T] = []
        with self._changed:
            while len(taken) < count and not self._abandoned:
                if self._items:
                    taken.append(self._items.popleft())
                    self._changed.notify_all()
                elif self._finished or give_up():
                    break
                else:
                    # With a timeout: a signal that changes `give_up` does not notify the condition.
                    self._changed.wait(_POLL_SECONDS)
        return taken

    def finish(self) -> None:
        """Mark the end of the stream; remaining items can still be taken."""
        with self._changed:
            self._finished = True
            self._changed.notify_all()

    def abandon(self) -> None:
        """Drop all items and unblock both sides."""
        with self._changed:
            self._abandoned = True
            self._items.clear()
            self._changed.notify_all()


def run_pipeline(
    source: Iterable[T],
    work: Callable[[list[T]], Sequence[Any]],
    stages: Sequence[Callable[[Any], Any]],
    *,
    batch_size: int,
    newest: bool = False,
    interrupted: Callable[[], bool] = lambda: False,
) -> None:
    """Process all items of a source in order: batched work, followed by stages for single items.

    The source and each stage run in threads, the work in the calling thread. About one batch is queued before
    the work, one after it, and one item before each further stage, so memory is bounded whichever of them is
    the slowest. Returns when all items are processed.

    Args:
        source: iterated, and closed if it can be, in its own thread.
        work: called with 1 to `batch_size` items.
        stages: the first is called with each result of `work`, the next with each result of the first, ...
        batch_size: largest number of items per call of `work`.
        newest: `work` gets only the newest item; older ones are dropped.
        interrupted: polled by the calling thread between batches and while it waits for one; once true, no
            batch is begun and those in flight are finished.

    Raises:
        Exception: the first one raised by any part, after all threads have ended.
    """
    batch_size = 1 if newest else batch_size
    items: Channel[T] = Channel(batch_size, newest=newest)
    channels: list[Channel[Any]] = [Channel(1 if i else batch_size) for i in range(len(stages))]
    failures: list[BaseException] = []

    def guarded(run: Callable[[], None]) -> None:
        try:
            run()
        except Closed:
            pass
        except BaseException as error:
            failures.append(error)
            for channel in (items, *channels):
                channel.abandon()

    reader = _start("source", lambda: guarded(lambda: _read(source, items)))
    threads = [
        _start(f"stage {i}", lambda i=i: guarded(lambda: _pass_on(stages[i], channels[i : i + 2])))
        for i in range(len(stages))
    ]
    guarded(lambda: _work(work, items, channels[0], batch_size, interrupted))
    items.abandon()
    reader.join(_READER_SECONDS)  # a camera or stream that hangs is abandoned
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _start(name: str, run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run, name=f"pipeline {name}", daemon=True)
    thread.start()
    return thread


def _read(source: Iterable[T], items: Channel[T]) -> None:
    iterator = iter(source)
    try:
        for item in iterator:
            items.put(item)
        items.finish()
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()


def _work(
    work: Callable[[list[T]], Sequence[Any]],
    items: Channel[T],
    results: Channel[Any],
    batch_size: int,
    interrupted: Callable[[], bool],
) -> None:
    while not interrupted() and (batch := items.take(batch_size, give_up=interrupted)):
        for result in work(batch):
            results.put(result)
    results.finish()


def _pass_on(stage: Callable[[Any], Any], channels: Sequence[Channel[Any]]) -> None:
    """Run a stage until its channel is finished; its results go to the next channel, if any."""
    inbox, *outboxes = channels
    while taken := inbox.take():
        result = stage(taken[0])
        for outbox in outboxes:
            outbox.put(result)
    for outbox in outboxes:
        outbox.finish()
