import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from yolact_pl.geometry.masks import (
    assemble_masks,
    crop_masks,
    resize_masks,
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


def test_resizing_binary_masks() -> None:
    mask = torch.zeros(1, 4, 4, dtype=torch.bool)
    mask[0, :2] = True
    expected = torch.tensor([[[True, True], [False, False]]])  # means of 2 x 2 pixels: 1 and 0
    assert torch.equal(resize_masks(mask, (2, 2)), expected)
    assert resize_masks(mask[:0], (3, 5)).shape == (0, 3, 5)
