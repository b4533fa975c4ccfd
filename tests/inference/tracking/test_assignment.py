"""The best assignment, as SciPy finds it."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from yolact_pl.inference.tracking.assignment import assign


@settings(max_examples=150, deadline=None)
@given(
    rows=st.integers(0, 9),
    columns=st.integers(0, 9),
    digits=st.sampled_from([1, 6]),  # with one digit there are many ties
    share=st.sampled_from([0.2, 1.0]),
    seed=st.integers(0, 10_000),
)
def test_the_total_is_scipys(rows: int, columns: int, digits: int, share: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    similarity = random.random((rows, columns)).round(digits) * (random.random((rows, columns)) < share)
    pairs = assign(similarity, 0.3)
    gain = np.maximum(similarity - 0.3, 0)
    best = gain[linear_sum_assignment(gain, maximize=True)].sum()
    assert np.isclose(sum(gain[pair] for pair in pairs), best)
    assert all(similarity[pair] > 0.3 for pair in pairs)
    assert len({row for row, _ in pairs}) == len({column for _, column in pairs}) == len(pairs)
    assert pairs == sorted(pairs)


def test_the_best_total_is_not_the_best_pair_first() -> None:
    assert assign(np.array([[0.9, 0.8], [0.85, 0.1]]), 0.0) == [(0, 1), (1, 0)]
