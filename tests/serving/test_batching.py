"""The queue in front of the model."""

import asyncio
import threading
from collections.abc import Callable, Sequence

import pytest

from yolact_pl.serving.batching import BatchingQueue, FrameReplaced, QueueFull


def with_queue(test: Callable[..., object], compute: Callable[..., list[int]], **arguments: int) -> None:
    async def run() -> None:
        queue: BatchingQueue[int, int] = BatchingQueue(compute, **arguments)
        running = asyncio.create_task(queue.run())
        await test(queue)  # type: ignore[misc]
        running.cancel()

    asyncio.run(run())


def test_jobs_are_computed_in_order_and_together() -> None:
    batches: list[list[int]] = []

    def compute(jobs: Sequence[int]) -> list[int]:
        batches.append(list(jobs))
        return [10 * job for job in jobs]

    async def test(queue: BatchingQueue[int, int]) -> None:
        assert await asyncio.gather(*map(queue.submit, range(7))) == [10 * k for k in range(7)]

    with_queue(test, compute, batch_size=3, max_waiting=10)
    assert batches == [[0, 1, 2], [3, 4, 5], [6]]


def test_one_that_fails_does_not_fail_the_others() -> None:
    def compute(jobs: Sequence[int]) -> list[int]:
        return [1 // job for job in jobs]

    async def test(queue: BatchingQueue[int, int]) -> None:
        one, two, three = await asyncio.gather(*map(queue.submit, (1, 0, 1)), return_exceptions=True)
        assert (one, three) == (1, 1)
        assert isinstance(two, ZeroDivisionError)

    with_queue(test, compute, batch_size=4, max_waiting=10)


def test_a_frame_that_waits_is_replaced_by_a_newer_one() -> None:
    go, seen = threading.Event(), []

    def compute(jobs: Sequence[int]) -> list[int]:
        go.wait(10)
        seen.extend(jobs)
        return list(jobs)

    async def test(queue: BatchingQueue[int, int]) -> None:
        submitted = []
        for job, stream in ((0, "a"), (1, "a"), (2, None), (3, "b"), (4, "a"), (5, "a")):
            submitted.append(asyncio.create_task(queue.submit(job, stream)))
            await asyncio.sleep(0.01)  # the first one is being computed
        assert len(queue) == 3
        go.set()
        results = await asyncio.gather(*submitted, return_exceptions=True)
        assert [isinstance(result, FrameReplaced) for result in results] == [0, 1, 0, 0, 1, 0]

    with_queue(test, compute, batch_size=1, max_waiting=10)
    assert seen == [0, 5, 2, 3]


def test_a_full_queue_refuses() -> None:
    go = threading.Event()

    def compute(jobs: Sequence[int]) -> list[int]:
        go.wait(10)
        return list(jobs)

    async def test(queue: BatchingQueue[int, int]) -> None:
        submitted = []
        for job in range(3):
            submitted.append(asyncio.create_task(queue.submit(job)))
            await asyncio.sleep(0.01)
        with pytest.raises(QueueFull):
            await queue.submit(3)
        submitted[1].cancel()  # its client is gone
        go.set()
        assert await submitted[2] == 2

    with_queue(test, compute, batch_size=1, max_waiting=2)
