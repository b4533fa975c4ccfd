"""One queue in front of a model: the jobs of many clients in order, several at a time."""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


class QueueFull(Exception):
    """As many jobs wait as may."""


class FrameReplaced(Exception):
    """A newer frame of the same stream took the place of a job that waited."""


@dataclass
class _Waiting(Generic[Job, Result]):
    job: Job
    stream: str | None
    result: "asyncio.Future[Result]"


class BatchingQueue(Generic[Job, Result]):
    """Jobs are computed in the order of their arrival, in one thread; those that wait together share a batch.

    All but `compute` runs in one event loop.

    Args:
        compute: jobs to their results.
        batch_size: jobs of a call of `compute`, at most.
        max_waiting: more are refused.
    """

    def __init__(
        self, compute: Callable[[Sequence[Job]], Sequence[Result]], *, batch_size: int, max_waiting: int
    ) -> None:
        self.compute = compute
        self.batch_size = batch_size
        self.max_waiting = max_waiting
        self._waiting: deque[_Waiting[Job, Result]] = deque()
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        """How many jobs wait."""
        return len(self._waiting)

    async def submit(self, job: Job, stream: str | None = None) -> Result:
        """The result of a job, when its turn has come.

        Args:
            job: to compute.
            stream: name of a camera. Of each stream one frame waits at most, the newest.

        Raises:
            QueueFull: at once.
            FrameReplaced: later, if a newer frame of the stream arrives in time.
            Exception: as `compute` raised it.
        """
        new = _Waiting(job, stream, asyncio.get_running_loop().create_future())
        for place, old in enumerate(self._waiting):
            if stream is not None and old.stream == stream:
                self._waiting[place] = new
                if not old.result.done():
                    old.result.set_exception(FrameReplaced())
                break
        else:
            if len(self._waiting) >= self.max_waiting:
                raise QueueFull
            self._waiting.append(new)
            self._arrived.set()
        return await new.result

    async def run(self) -> None:
        """Serve until cancelled."""
        with ThreadPoolExecutor(1, "predict") as thread:
            while True:
                await self._arrived.wait()
                batch = [one for one in self._next() if not one.result.done()]
                if batch:
                    await self._serve(thread, batch)

    def _next(self) -> list[_Waiting[Job, Result]]:
        count = min(self.batch_size, len(self._waiting))
        batch = [self._waiting.popleft() for _ in range(count)]
        if not self._waiting:
            self._arrived.clear()
        return batch

    async def _serve(self, thread: ThreadPoolExecutor, batch: list[_Waiting[Job, Result]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(thread, self.compute, [one.job for one in batch])
        except Exception as error:
            if len(batch) > 1:  # the others are not to fail for one
                for one in batch:
                    await self._serve(thread, [one])
                return
            with suppress(asyncio.InvalidStateError):
                batch[0].result.set_exception(error)
            return
        for one, result in zip(batch, results, strict=True):
            with suppress(asyncio.InvalidStateError):  # its client is gone
                one.result.set_result(result)
