import numpy as np
import pytest

from tests.results.same import assert_same
from yolact_pl.images.placement import Placement
from yolact_pl.results.detections import Detections
from yolact_pl.results.image_detections import ImageDetections
from yolact_pl.results.input_detections import InputDetections
from yolact_pl.results.masks import SoftMasks


def on_input(count: int = 6) -> InputDetections:
    random = np.random.default_rng(0)
    scores = np.sort(random.random(count, dtype=np.float32))[::-1]
    return InputDetections(
        boxes=random.random((count, 4), dtype=np.float32) * 128,
        scores=scores,
        mask_scores=scores * np.float32(0.5),
        labels=np.arange(count),
        masks=random.random((count, 32, 32), dtype=np.float32),
        input_size=(128, 128),
        prototypes=np.ones((3, 32, 32), dtype=np.float32),
        coefficients=random.random((count, 3), dtype=np.float32),
    )


@pytest.mark.parametrize(
    "rows",
    [3, slice(1, 5, 2), [4, 0], np.array([5, 5, 1]), np.array([True, False] * 3), slice(0, 0)],
    ids=str,
)
def test_rows(rows: object) -> None:
    found = on_input().in_image((30, 50))
    index = np.atleast_1d(np.arange(6)[rows])  # type: ignore[call-overload]
    some = found[rows]  # type: ignore[index]
    assert len(some) == len(index)
    assert some.size == (30, 50)
    expected = Detections.from_masks(
        boxes=found.boxes[index],
        scores=found.scores[index],
        mask_scores=found.mask_scores[index],
        labels=found.labels[index],
        masks=found.masks[index],
    )
    assert_same(some, expected)
    assert found.parts is not None
    assert some.parts is not None
    np.testing.assert_array_equal(some.parts.coefficients, found.parts.coefficients[index])
    np.testing.assert_array_equal(some.parts.boxes, found.parts.boxes[index])


def test_masks_one_by_one_and_their_areas() -> None:
    found = on_input().in_image((33, 70), Placement((128, 128), 10, 0, 60, 128))
    for row, mask in enumerate(found.masks):
        np.testing.assert_array_equal(found.mask(row), mask)
    assert found.masks.any()
    np.testing.assert_array_equal(found.areas, found.masks.sum(axis=(1, 2)))
    assert found.masks is found.masks  # asked for in a loop, they are made once


def test_memory_does_not_grow_with_the_image_until_masks_are_asked_for() -> None:
    found = on_input(100)
    kept = found.in_image((3000, 4000)).small_masks
    assert isinstance(kept, SoftMasks)
    assert sum(patch.nbytes for patch in kept.patches) <= found.masks.nbytes
    assert all(patch.base is None for patch in kept.patches)  # the maps of the batch are free
    result = ImageDetections(found.in_image((300, 400)), ["thing"] * 100, range(100))
    result.draw(np.zeros((300, 400, 3), dtype=np.uint8))
    assert len(result.to_coco()) == len(result.to_polygons()) == len(result.areas) == 100
    assert result.mask(7).shape == (300, 400)
    assert "masks" not in vars(result.detections)  # nobody has asked for all of them


def test_any_numbers_make_a_result() -> None:
    mask = np.zeros((1, 4, 5), dtype=np.bool_)
    mask[0, 1, 2:4] = True
    found = Detections.from_masks(boxes=[[1, 2, 3, 4]], scores=[0.5], labels=[3], masks=mask)
    assert found.boxes.dtype == found.scores.dtype == found.mask_scores.dtype == np.float32
    assert found.labels.dtype == np.int64
    assert (found.mask_scores.tolist(), found.areas.tolist(), found.size) == ([0.5], [2], (4, 5))
    nothing = Detections.from_masks(boxes=[], scores=[], labels=[], masks=mask[:0])
    assert (len(nothing), nothing.boxes.shape, nothing.masks.shape) == (0, (0, 4), (0, 4, 5))
