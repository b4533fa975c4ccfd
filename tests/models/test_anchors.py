import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from yolact_pl.models.anchors import Anchors


def test_one_level_by_hand() -> None:
    anchors = Anchors([16], [1, 4])
    # Two columns and one row of 16 px: centres (8, 8), (24, 8). Ratio 4: width 16 x 2, height 16 / 2.
    expected = [[0, 0, 16, 16], [-8, 4, 24, 12], [16, 0, 32, 16], [8, 4, 40, 12]]
    torch.testing.assert_close(anchors([(1, 2)], (16, 32)), torch.tensor(expected, dtype=torch.float32))
    assert anchors.num_per_cell == 2


def test_order_is_level_row_column_octave_ratio() -> None:
    anchors = Anchors([8, 16], [1, 0.25], octaves=2)
    boxes = anchors([(2, 2), (1, 1)], (32, 32))
    assert boxes.shape == (2 * 2 * 4 + 4, 4)
    widths = (boxes[:, 2] - boxes[:, 0]).tolist()
    # Ratio 1/4 has half the width of the scale, and the second octave is sqrt(2) larger.
    root = math.sqrt(2)
    assert widths[:4] == pytest.approx([8, 4, 8 * root, 4 * root])
    assert widths[-4:] == pytest.approx([16, 8, 16 * root, 8 * root])
    centres = (boxes[:16:4, :2] + boxes[:16:4, 2:]) / 2
    assert centres.tolist() == [[8, 8], [24, 8], [8, 24], [24, 24]]


def test_square_anchors_have_the_width_as_height() -> None:
    boxes = Anchors([16], [4], square=True)([(1, 1)], (32, 32))
    assert boxes.tolist() == [[0, 0, 32, 32]]


@pytest.mark.parametrize(
    ("image_size", "expected"),
    [
        (550, [24, 48, 96, 192, 384]),
        (400, [17, 34, 69, 139, 279]),  # 24 x 400 / 550 = 17.45, 34.9, 69.8, 139.6, 279.3
        (700, [30, 61, 122, 244, 488]),  # 24 x 700 / 550 = 30.5, 61.1, 122.2, 244.4, 488.7
        ((1100, 275), [24, 48, 96, 192, 384]),  # the area of 550 x 550
        (1100, [48, 96, 192, 384, 768]),
    ],
)
def test_scales_follow_the_image_size_in_whole_pixels(
    image_size: int | tuple[int, int], expected: list[int]
) -> None:
    anchors = Anchors([24, 48, 96, 192, 384], [1], reference_size=550, image_size=image_size)
    assert [scale for (scale,) in anchors.scales] == expected


def test_reference_size_needs_an_image_size() -> None:
    with pytest.raises(ValueError, match=r"anchors\.reference_size=550 needs anchors\.image_size"):
        Anchors([24], [1], reference_size=550)


@given(
    sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=2, max_size=2),
    image_size=st.tuples(st.integers(1, 999), st.integers(1, 999)),
)
def test_centres_fill_the_image_evenly(sizes: list[tuple[int, int]], image_size: tuple[int, int]) -> None:
    boxes = Anchors([10, 20], [1, 2, 0.5])(sizes, image_size)
    start = 0
    for rows, columns in sizes:
        level = boxes[start : start + rows * columns * 3].view(rows, columns, 3, 4)
        start += rows * columns * 3
        x, y = ((level[..., :2] + level[..., 2:]) / 2).unbind(-1)
        for row in range(rows):
            assert y[row].flatten().tolist() == pytest.approx(
                [(row + 0.5) / rows * image_size[0]] * columns * 3, rel=1e-4, abs=1e-4
            )
        for column in range(columns):
            expected = (column + 0.5) / columns * image_size[1]
            assert x[:, column].flatten().tolist() == pytest.approx([expected] * rows * 3, rel=1e-4, abs=1e-4)
    assert start == len(boxes)


def test_anchors_seen_in_inference_serve_training() -> None:
    anchors = Anchors([16], [1])
    with torch.inference_mode():
        seen = anchors([(2, 2)], (32, 32))
    again = anchors([(2, 2)], (32, 32))
    assert again is seen
    weight = torch.ones(4, requires_grad=True)
    (again * weight).sum().backward()  # refuses tensors made in inference mode
    assert weight.grad is not None


def test_cache_does_not_mix_sizes_and_stays_small() -> None:
    anchors = Anchors([16], [1])
    for width in range(16, 80):
        boxes = anchors([(1, 1)], (16, width))
        assert float(boxes[0, 0] + boxes[0, 2]) == width
    assert len(anchors._cache) <= 16
