import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from yolact_pl.results.input_detections import InputDetections
from yolact_pl.results.masks import SoftMasks
from yolact_pl.results.refined_boxes import mask_rectangles, refined_boxes

length = st.integers(1, 12)
GROWTH = 40


def pixel_rectangles(masks: SoftMasks) -> np.ndarray:
    """Around the masks as they are drawn at the image's size."""
    patches = [masks.patch(row) for row in range(len(masks))]
    return np.array([(p.x, p.y, p.x + p.pixels.shape[1], p.y + p.pixels.shape[0]) for p in patches])


def grown(soft: np.ndarray, window: tuple[int, int, int, int]) -> SoftMasks:
    h, w = soft.shape
    windows = np.array([window])
    return SoftMasks.cropped(soft[None], windows, (0.0, 0.0, float(h), float(w)), (GROWTH * h, GROWTH * w))


@settings(deadline=None, max_examples=80)
@given(length, length, st.integers(0, 999), st.booleans())
def test_rectangles_are_those_of_the_masks_as_drawn(h: int, w: int, seed: int, separable: bool) -> None:
    random = np.random.default_rng(seed)
    if separable:  # somewhere 1: then the rectangle is exact, otherwise a bound
        columns, rows = random.random(w), random.random(h)
        soft = np.outer(rows / rows.max(), columns / columns.max()).astype(np.float32)
    else:
        soft = random.random((h, w), dtype=np.float32)
    x, y = random.integers(0, w), random.integers(0, h)
    masks = grown(soft, (x, y, random.integers(x, w) + 1, random.integers(y, h) + 1))
    found, drawn = mask_rectangles(masks)[0], pixel_rectangles(masks)[0]
    if drawn[2] == 0:  # less than a pixel of the image, or nothing
        assert np.isnan(found).all() or min(found[2:] - found[:2]) < 2 or not separable
        return
    assert (found[:2] <= drawn[:2] + 1).all()
    assert (found[2:] >= drawn[2:] - 1).all()
    if separable and masks.patches[0].max() == 1:
        np.testing.assert_allclose(found, drawn, atol=2)  # pixels of the image miss the middle of the map's


def test_a_refined_box_is_the_mean_and_an_empty_mask_changes_nothing() -> None:
    soft = np.zeros((2, 8, 8), dtype=np.float32)
    soft[0, 2:5, 3:6] = 1.0
    boxes = np.float32([[20, 14, 50, 44], [10, 10, 30, 30]])
    masks = SoftMasks.of(soft, (80, 80))
    np.testing.assert_allclose(mask_rectangles(masks)[0], [30, 20, 60, 50])  # 1/2 is crossed between centres
    np.testing.assert_allclose(refined_boxes(boxes, masks), [[25, 17, 55, 47], [10, 10, 30, 30]])


def test_what_is_asked_for_decides_over_boxes_and_nothing_else() -> None:
    soft = np.zeros((1, 8, 8), dtype=np.float32)
    soft[0, 2:5, 3:6] = 1.0
    ones = np.ones(1, dtype=np.float32)
    found = InputDetections(np.float32([[8, 4, 25, 21]]), ones, ones, np.zeros(1, np.int64), soft, (32, 32))
    plain = found.in_image((64, 64), whole_pixels=False)
    refined = found.in_image((64, 64), whole_pixels=False, refine_boxes=True)
    np.testing.assert_allclose(plain.boxes, [[16, 8, 50, 42]])
    np.testing.assert_allclose(refined.boxes, [[20, 12, 49, 41]])
    np.testing.assert_array_equal(plain.masks, refined.masks)
    cut = found.in_image((61, 61), refine_boxes=True).boxes
    np.testing.assert_array_equal(cut, np.trunc(cut))
