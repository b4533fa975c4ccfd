import numpy as np
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from yolact_pl.geometry.masks import crop_masks
from yolact_pl.results.masks import Patch, PixelMasks, SoftMasks, crop_windows

MAP = (9, 12)
length = st.integers(1, 40)
Box = tuple[float, float, float, float]


def cropped(
    soft: np.ndarray, boxes: np.ndarray, size: tuple[int, int], region: Box | None = None
) -> SoftMasks:
    map_size = (soft.shape[1], soft.shape[2])
    whole = (0.0, 0.0, *map(float, map_size))
    return SoftMasks.cropped(soft, crop_windows(boxes, map_size), region or whole, size)


def full(masks: SoftMasks | PixelMasks) -> np.ndarray:
    result = np.zeros((len(masks), *masks.size), dtype=np.bool_)
    for row, mask in enumerate(result):
        patch = masks.patch(row)
        mask[patch.window] = patch.pixels
        if patch.pixels.size:  # the rectangle is the smallest
            assert patch.pixels[[0, -1]].any(axis=1).all()
            assert patch.pixels[:, [0, -1]].any(axis=0).all()
    return result


@settings(deadline=None, max_examples=150)
@given(
    st.tuples(length, length),
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.lists(st.tuples(*[st.floats(-10, 50, width=32)] * 4), max_size=5),
    st.integers(0, 99),
)
def test_masks_are_those_of_interpolating_the_whole_cropped_maps(
    map_size: tuple[int, int], size: tuple[int, int], rows: list[Box], seed: int
) -> None:
    soft = np.sqrt(np.random.default_rng(seed).random((len(rows), *map_size), dtype=np.float32))
    boxes = np.array(rows, dtype=np.float32).reshape(-1, 4)
    found = full(cropped(soft, boxes, size))
    assert found.shape == (len(rows), *size)
    if rows:
        whole = crop_masks(torch.from_numpy(soft), torch.from_numpy(boxes))
        expected = F.interpolate(whole[None], size, mode="bilinear", align_corners=False)[0].numpy()
        certain = np.abs(expected - 0.5) > 1e-5  # rounding may decide the rest
        np.testing.assert_array_equal(found[certain], (expected > 0.5)[certain])


def test_masks_of_the_published_size() -> None:
    random = np.random.default_rng(0)
    boxes = random.random((20, 4), dtype=np.float32) * 138
    soft = np.sqrt(random.random((20, 138, 138), dtype=np.float32))
    masks = cropped(soft, boxes, (427, 640))
    whole = crop_masks(torch.from_numpy(soft), torch.from_numpy(boxes))
    expected = F.interpolate(whole[None], (427, 640), mode="bilinear", align_corners=False)[0] > 0.5
    assert (full(masks) != expected.numpy()).sum() <= 5  # of 5.5 million
    some = np.array([7, 0, 3])
    np.testing.assert_array_equal(full(masks.rows(some)), full(masks)[some])


def sample_slowly(mask: np.ndarray, region: Box, size: tuple[int, int]) -> np.ndarray:
    """One pixel at a time: where its centre lies in the mask, between the four nearest pixels."""
    top, left, height, width = region
    result = np.zeros(size)
    for i, j in np.ndindex(*size):
        y = max(top + (i + 0.5) / size[0] * height - 0.5, 0)
        x = max(left + (j + 0.5) / size[1] * width - 0.5, 0)
        y0, x0 = min(int(y), mask.shape[0] - 1), min(int(x), mask.shape[1] - 1)
        y1, x1 = min(y0 + 1, mask.shape[0] - 1), min(x0 + 1, mask.shape[1] - 1)
        above = mask[y0, x0] * (1 - (x - x0)) + mask[y0, x1] * (x - x0)
        below = mask[y1, x0] * (1 - (x - x0)) + mask[y1, x1] * (x - x0)
        result[i, j] = above * (1 - (y - y0)) + below * (y - y0)
    return result


@settings(max_examples=60, deadline=None)
@given(
    place=st.tuples(st.floats(0, 8), st.floats(0, 11), st.floats(0.3, 9), st.floats(0.3, 12)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    box=st.tuples(st.floats(0, 12), st.floats(0, 9), st.floats(0, 12), st.floats(0, 9)),
    seed=st.integers(0, 99),
)
def test_a_region_is_sampled_as_pixel_by_pixel(
    place: Box, size: tuple[int, int], box: Box, seed: int
) -> None:
    top, left = place[:2]
    region = (top, left, min(place[2], MAP[0] - top), min(place[3], MAP[1] - left))
    boxes = np.array([box], dtype=np.float32)
    soft = np.random.default_rng(seed).random((1, *MAP), dtype=np.float32)
    whole = crop_masks(torch.from_numpy(soft), torch.from_numpy(boxes))[0].numpy()
    expected = sample_slowly(whole, region, size)
    clear = np.abs(expected - 0.5) > 1e-4
    found = full(cropped(soft, boxes, size, region))[0]
    np.testing.assert_array_equal(found[clear], expected[clear] > 0.5)


def test_masks_of_pixels() -> None:
    masks = np.random.default_rng(0).random((5, 9, 14)) < 0.1
    masks[2] = False
    kept = PixelMasks.of(masks)
    np.testing.assert_array_equal(full(kept), masks)
    assert kept.patch(2).pixels.shape == (0, 0)
    assert not np.shares_memory(kept.patch(0).pixels, masks)
    np.testing.assert_array_equal(full(kept.rows(np.array([4, 2]))), masks[[4, 2]])
    assert Patch.trimmed(masks[0], 10, 20).x == kept.patch(0).x + 10
