"""Similarities against whole masks and loops."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from yolact_pl.inference.tracking.grid_masks import GridMask, grid_masks
from yolact_pl.inference.tracking.similarity import box_iou, cosine, mask_iou, nearness
from yolact_pl.results.masks import SoftMasks

SIDE = 24


def placed(mask: GridMask) -> np.ndarray:
    """The mask on a map with room around it."""
    whole = np.zeros((3 * SIDE, 3 * SIDE), dtype=bool)
    height, width = mask.pixels.shape
    whole[SIDE + mask.y : SIDE + mask.y + height, SIDE + mask.x : SIDE + mask.x + width] = mask.pixels
    return whole


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    sizes=st.lists(st.integers(0, 12), min_size=4, max_size=4),
    move=st.tuples(st.integers(-15, 15), st.integers(-15, 15)),
)
def test_windows_overlap_as_whole_masks_do(seed: int, sizes: list[int], move: tuple[int, int]) -> None:
    random = np.random.default_rng(seed)
    first = GridMask.of(random.random((sizes[0], sizes[1])) < 0.6, 3, 5)
    second = GridMask.of(random.random((sizes[2], sizes[3])) < 0.6, 6, 2).moved(*move)
    a, b = placed(first), placed(second)
    assert first.shared(second) == np.count_nonzero(a & b)
    assert first.iou(second) == np.count_nonzero(a & b) / max(np.count_nonzero(a | b), 1)
    rest = first.without(second)
    assert (placed(rest) == (a & ~b)).all()
    assert rest.area == np.count_nonzero(a & ~b)
    assert (placed(first) == a).all()  # it was not changed


def test_masks_are_compared_only_where_asked() -> None:
    soft = np.zeros((2, 8, 8), dtype=np.float32)
    soft[0, 2:6, 2:6] = soft[1, 2:6, 4:8] = 0.9
    soft[:, 0, 0] = 0.4
    masks = grid_masks(SoftMasks.of(soft, (16, 16)))
    assert masks is not None
    assert [mask.area for mask in masks] == [16, 16]
    iou = mask_iou(masks, masks, np.array([[True, True], [False, True]]))
    np.testing.assert_allclose(iou, [[1, 8 / 24], [0, 1]])


def test_box_iou_by_hand() -> None:
    boxes = np.array([[0.0, 0, 4, 4], [2, 2, 6, 6], [10, 10, 12, 12]])
    np.testing.assert_allclose(box_iou(boxes, boxes[:2]), [[1, 4 / 28], [4 / 28, 1], [0, 0]])
    assert box_iou(boxes[:0], boxes).shape == (0, 3)


def test_cosine_by_hand() -> None:
    first = np.array([[1, 0], [1, 1], [0, 0]], dtype=np.float32)
    second = np.array([[2, 0], [0, 3]], dtype=np.float32)
    np.testing.assert_allclose(cosine(first, second), [[1, 0], [0.5**0.5, 0.5**0.5], [0, 0]], rtol=1e-6)


def test_nearness_falls_with_distance_and_needs_alike_sizes() -> None:
    track = np.array([[0.0, 0, 10, 10]])
    others = np.array([[0.0, 0, 10, 10], [10, 0, 20, 10], [25, 0, 35, 10], [0, 0, 25, 25], [3, 3, 7, 7]])
    near = nearness(track, others, np.array([2.0]))
    np.testing.assert_allclose(near, [[1, 0.5, 0, 0, 0]])
