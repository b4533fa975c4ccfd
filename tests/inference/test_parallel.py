import itertools
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from yolact_pl.inference.parallel import batched, map_ahead


def identity(item: int) -> int:
    return item


def test_results_are_in_order_whichever_is_ready_first() -> None:
    def slow_first(item: int) -> int:
        time.sleep(0.05 if item == 0 else 0)
        return 10 * item

    assert list(map_ahead(slow_first, range(9), threads=3, ahead=5)) == [10 * i for i in range(9)]


def test_threads_work_at_once() -> None:
    meeting = threading.Barrier(3, timeout=5)
    assert len(list(map_ahead(lambda _: meeting.wait(), range(6), threads=3, ahead=3))) == 6


def test_an_error_comes_in_its_place() -> None:
    def refuse(item: int) -> int:
        if item == 2:
            raise ValueError("two")
        return item

    results = map_ahead(refuse, range(9), threads=2, ahead=4)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(ValueError, match="two"):
        next(results)


@given(st.lists(st.integers(1, 9), max_size=30), st.integers(2, 6))
def test_few_are_held_and_a_heavy_one_lets_nothing_follow(weights: list[int], ahead: int) -> None:
    held: list[int] = []

    def items() -> Iterator[int]:
        for number, weight in enumerate(weights):
            held.append(weight)
            # What was there before this one was taken weighs less than `ahead`.
            assert sum(held[:-1]) < ahead
            yield number

    results = []
    for result in map_ahead(identity, items(), threads=2, ahead=ahead, weigh=lambda number: weights[number]):
        results.append(result)
        held.pop(0)
    assert results == list(range(len(weights)))


@given(st.lists(st.integers(1, 9)), st.integers(1, 6))
def test_batches_are_as_large_as_allowed(weights: list[int], batch_size: int) -> None:
    batches = list(batched(weights, batch_size, weigh=identity))
    assert [weight for batch in batches for weight in batch] == weights
    assert all(len(batch) == 1 or sum(batch) <= batch_size for batch in batches)
    for batch, following in itertools.pairwise(batches):
        assert sum(batch) + following[0] > batch_size
