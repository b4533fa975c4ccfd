import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from yolact_pl.geometry.masks import (
    assemble_masks,
    crop_masks,
    crop_windows,
    resize_masks,
    upsample_masks,
)

length = st.integers(1, 40)


def test_assembling_by_hand() -> None:
    prototypes = torch.tensor([[[1.0, 2.0]], [[10.0, 20.0]]])
    coefficients = torch.tensor([[1.0, 0.0], [-1.0, 0.5]])
    expected = torch.tensor([[[1.0, 2.0]], [[4.0, 8.0]]])  # -1 + 5, -2 + 10
    torch.testing.assert_close(assemble_masks(prototypes, coefficients), expected)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(*[st.floats(-5, 15, width=32)] * 4), min_size=1, max_size=4), length, length)
def test_cropping_keeps_pixels_from_one_before_to_one_after_the_box(
    rows: list[tuple[float, ...]], h: int, w: int
) -> None:
    cropped = crop_masks(torch.ones(len(rows), h, w), torch.tensor(rows))
    for mask, row in zip(cropped, torch.tensor(rows), strict=True):
        x1, y1, x2, y2 = row
        left, right, top, bottom = min(x1, x2) - 1, max(x1, x2) + 1, min(y1, y2) - 1, max(y1, y2) + 1
        for y in range(h):
            for x in range(w):
                assert mask[y, x] == float(left <= x < right and top <= y < bottom)


@settings(deadline=None, max_examples=150)
@given(
    st.tuples(length, length),
    st.tuples(st.integers(1, 90), st.integers(1, 90)),
    st.lists(st.tuples(*[st.floats(-10, 50, width=32)] * 4), max_size=5),
    st.integers(0, 99),
)
def test_upsampling_windows_equals_upsampling_all(
    size: tuple[int, int], new_size: tuple[int, int], rows: list[tuple[float, ...]], seed: int
) -> None:
    boxes = torch.tensor(rows).view(-1, 4)
    soft = torch.rand(
        len(rows), *size, generator=torch.Generator().manual_seed(seed)
    ).sqrt()  # mostly above 0.5
    soft = crop_masks(soft, boxes)
    result = upsample_masks(soft, crop_windows(boxes, size), new_size)
    assert result.shape == (len(rows), *new_size)
    assert result.dtype == torch.bool
    if rows:
        whole = F.interpolate(soft[None], new_size, mode="bilinear", align_corners=False)[0]
        certain = (whole - 0.5).abs() > 1e-5  # rounding may decide the rest
        assert torch.equal(result[certain], (whole > 0.5)[certain])


def test_window_and_whole_ways_agree_at_the_published_size() -> None:
    generator = torch.Generator().manual_seed(0)
    boxes = torch.rand(20, 4, generator=generator) * 138
    soft = crop_masks(torch.rand(20, 138, 138, generator=generator).sqrt(), boxes)
    whole = F.interpolate(soft[None], (427, 640), mode="bilinear", align_corners=False)[0] > 0.5
    result = upsample_masks(soft, crop_windows(boxes, (138, 138)), (427, 640))
    assert (result != whole).sum() <= 5  # of 5.5 million


def test_resizing_binary_masks() -> None:
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, :2] = True
    expected = torch.tensor([[[True, True], [False, False]]])  # means of 2 x 2 pixels: 1 and 0
    assert torch.equal(resize_masks(mask, (2, 2)), expected)
    assert resize_masks(mask[:0], (3, 5)).shape == (0, 3, 5)
