import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yolact_pl.geometry.masks import crop_masks, crop_windows, resize_region, upsample_masks

MASK = (9, 12)


def sample_slowly(
    mask: np.ndarray, region: tuple[float, float, float, float], size: tuple[int, int]
) -> np.ndarray:
    """One pixel at a time: where its centre lies in the mask, between the four nearest pixels."""
    top, left, height, width = region
    result = np.zeros(size)
    for i in range(size[0]):
        for j in range(size[1]):
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
    place: tuple[float, float, float, float],
    size: tuple[int, int],
    box: tuple[float, float, float, float],
    seed: int,
) -> None:
    top, left = place[:2]
    region = (top, left, min(place[2], MASK[0] - top), min(place[3], MASK[1] - left))
    boxes = torch.tensor([box])
    soft = torch.rand((1, *MASK), generator=torch.Generator().manual_seed(seed))
    soft = crop_masks(soft, boxes)
    expected = sample_slowly(soft[0].numpy(), region, size)

    np.testing.assert_allclose(resize_region(soft, region, size)[0], expected, atol=1e-4)
    found = upsample_masks(soft, crop_windows(boxes, MASK), size, region)[0].numpy()
    clear = np.abs(expected - 0.5) > 1e-4
    np.testing.assert_array_equal(found[clear], expected[clear] > 0.5)


def test_the_whole_as_a_region_is_the_whole() -> None:
    soft = torch.rand((3, 20, 30), generator=torch.Generator().manual_seed(0))
    windows = torch.tensor([[0.0, 0, 30, 20]] * 3)
    whole = upsample_masks(soft, windows, (77, 55))
    assert torch.equal(upsample_masks(soft, windows, (77, 55), (0, 0, 20, 30)), whole)
