"""Threads that hand items on: order, bounds, and an end in every case."""

import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolact_pl.inference.video.pipeline import Channel, Closed, run_pipeline

pytestmark = pytest.mark.timeout(30)


@settings(max_examples=30, deadline=None)
@given(count=st.integers(0, 20), batch_size=st.integers(1, 6), num_stages=st.integers(1, 4))
def test_all_items_pass_in_order(count: int, batch_size: int, num_stages: int) -> None:
    batches, arrived = [], []

    def work(batch: list[int]) -> list[int]:
        batches.append(len(batch))
        return [item * 10 for item in batch]

    stages = [*([lambda item: item + 1] * (num_stages - 1)), arrived.append]
    run_pipeline(range(count), work, stages, batch_size=batch_size)
    assert arrived == [item * 10 + num_stages - 1 for item in range(count)]
    full, rest = divmod(count, batch_size)
    assert batches == [batch_size] * full + [rest] * (rest > 0)


def test_few_items_are_held_while_the_last_stage_is_slow() -> None:
    given_out, arrived, most = 0, 0, 0

    def source() -> Iterator[int]:
        nonlocal given_out
        for item in range(60):
            given_out += 1
            yield item

    def slow(item: int) -> None:
        nonlocal arrived, most
        time.sleep(0.004)
        most = max(most, given_out - arrived)
        arrived += 1

    run_pipeline(source(), lambda batch: batch, [lambda item: item, slow], batch_size=3)
    # 3 wait and 1 is being put, 3 in the work, 3 wait behind it, then 1 + 1 + 1
    assert arrived == 60
    assert most <= 4 + 3 + 3 + 3


def test_stages_work_at_the_same_time() -> None:
    """Each of the four parts waits until all four are busy: one after the other would break the barrier."""
    barrier = threading.Barrier(4, timeout=10)

    def source() -> Iterator[int]:
        for item in range(4):
            if item == 3:
                barrier.wait()
            yield item

    def when(number: int, item: int) -> int:
        if item == number:
            barrier.wait()
        return item

    run_pipeline(
        source(),
        lambda batch: [when(2, item) for item in batch],
        [lambda item: when(1, item), lambda item: when(0, item)],
        batch_size=1,
    )


def test_newest_drops_what_came_meanwhile() -> None:
    working = threading.Event()
    seen: list[int] = []

    def source() -> Iterator[int]:
        yield 0
        working.wait(10)  # until 0 is being worked on
        yield from range(1, 50)

    def work(batch: list[int]) -> list[int]:
        working.set()
        time.sleep(0.2)
        return batch

    run_pipeline(source(), work, [seen.append], batch_size=4, newest=True)
    assert seen == [0, 49]


@pytest.mark.parametrize("place", ["source", "work", "stage 0", "stage 1"])
def test_an_error_anywhere_ends_all_and_is_raised(place: str) -> None:
    closed = threading.Event()

    def fail_at(here: str, item: int) -> int:
        if here == place and item == 7:
            raise ValueError(f"planted in {here}")
        return item

    def source() -> Iterator[int]:
        try:
            for item in range(10**9):
                yield fail_at("source", item)
        finally:
            closed.set()

    before = threading.active_count()
    with pytest.raises(ValueError, match=f"planted in {place}"):
        run_pipeline(
            source(),
            lambda batch: [fail_at("work", item) for item in batch],
            [lambda item: fail_at("stage 0", item), lambda item: fail_at("stage 1", item)],
            batch_size=4,
        )
    assert closed.is_set()
    assert threading.active_count() == before


def test_an_interruption_completes_what_was_begun() -> None:
    begun: list[int] = []
    arrived: list[int] = []

    def work(batch: list[int]) -> list[int]:
        begun.extend(batch)
        return batch

    run_pipeline(
        iter(range(10**9)), work, [arrived.append], batch_size=2, interrupted=lambda: len(begun) >= 6
    )
    assert arrived == begun == [0, 1, 2, 3, 4, 5]


def test_an_interruption_ends_the_wait_for_a_source_that_hangs() -> None:
    release = threading.Event()
    arrived: list[int] = []

    def source() -> Iterator[int]:
        yield 1
        release.wait(20)

    start = time.monotonic()
    run_pipeline(
        source(),
        lambda batch: batch,
        [arrived.append],
        batch_size=1,
        interrupted=lambda: time.monotonic() > start + 0.3,
    )
    release.set()
    assert arrived == [1]
    assert time.monotonic() - start < 10


def test_a_channel_that_was_abandoned_takes_nothing_and_gives_nothing() -> None:
    channel: Channel[int] = Channel(2)
    channel.put(1)
    channel.abandon()
    assert channel.take() == []
    with pytest.raises(Closed):
        channel.put(2)
