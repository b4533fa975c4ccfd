"""Windows on a part of the input, against one pixel and one corner at a time."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.annotations.test_rasterize import annotate, rectangle
from yolact_pl.data.annotations.rasterize import draw_stencil, rasterize
from yolact_pl.data.augmentation.window import Window
from yolact_pl.images.placement import Placement

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 50, 3), np.uint8)


@st.composite
def placed_windows(draw: st.DrawFn) -> Window:
    """Inside of a picture of 40 x 50 or beyond it, somewhere on an input of up to 64 x 64."""
    canvas = draw(st.integers(4, 64)), draw(st.integers(4, 64))
    height, width = draw(st.integers(1, canvas[0])), draw(st.integers(1, canvas[1]))
    top, left = draw(st.integers(0, canvas[0] - height)), draw(st.integers(0, canvas[1] - width))
    return Window(
        draw(st.integers(-60, 49)),
        draw(st.integers(-60, 39)),
        draw(st.integers(1, 120)),
        draw(st.integers(1, 120)),
        draw(st.booleans()),
        Placement(canvas, top, left, height, width),
        draw(st.booleans()),
        draw(st.booleans()),
    )


def source_of(window: Window, size: tuple[int, int], y: float, x: float) -> tuple[float, float] | None:
    """Where a point of a map (height, width) lies in the source; None if the window is not shown there."""
    placement = window.placement
    assert placement is not None
    y, x = (
        y * placement.canvas[0] / size[0] - placement.top,
        x * placement.canvas[1] / size[1] - placement.left,
    )
    if not (0 <= y < placement.height and 0 <= x < placement.width):
        return None
    y, x = y / placement.height, x / placement.width
    if window.transpose:
        y, x = x, y
    x = 1 - x if window.flip else x
    y = 1 - y if window.vertical_flip else y
    return window.top + y * window.height, window.left + x * window.width


@settings(max_examples=80, deadline=None)
@given(window=placed_windows(), size=st.tuples(st.integers(1, 24), st.integers(1, 24)))
def test_masks_are_sampled_at_pixel_centres(window: Window, size: tuple[int, int]) -> None:
    mask = (PICTURE[:, :, 0] > 120).astype(np.uint8)
    found = window.sample_mask(mask, size)
    for i in range(size[0]):
        for j in range(size[1]):
            place = source_of(window, size, i + 0.5, j + 0.5)
            if place is None:
                assert found[i, j] == 0
                continue
            y, x = place
            if min(abs(y - round(y)), abs(x - round(x))) < 1e-6:  # on a line between pixels either will do
                continue
            inside = 0 <= y < 40 and 0 <= x < 50
            assert found[i, j] == (mask[int(y), int(x)] if inside else 0)


@settings(max_examples=80, deadline=None)
@given(
    window=placed_windows(),
    box=st.tuples(st.floats(0, 49), st.floats(0, 39), st.floats(1, 50), st.floats(1, 40)),
)
def test_boxes_are_where_their_corners_are(window: Window, box: tuple[float, float, float, float]) -> None:
    placement = window.placement
    assert placement is not None
    x1, y1, x2, y2 = min(box[0], box[2]), min(box[1], box[3]), max(box[0], box[2]), max(box[1], box[3])
    found = window.map_boxes(np.array([[x1, y1, x2, y2]], np.float32), placement.canvas)[0]

    # What the window shows of the box, as parts of the window, on the place.
    parts_x = [min(max((x - window.left) / window.width, 0), 1) for x in (x1, x2)]
    parts_y = [min(max((y - window.top) / window.height, 0), 1) for y in (y1, y2)]
    if window.flip:
        parts_x = [1 - parts_x[1], 1 - parts_x[0]]
    if window.vertical_flip:
        parts_y = [1 - parts_y[1], 1 - parts_y[0]]
    if window.transpose:
        parts_x, parts_y = parts_y, parts_x
    expected = [
        placement.left + parts_x[0] * placement.width,
        placement.top + parts_y[0] * placement.height,
        placement.left + parts_x[1] * placement.width,
        placement.top + parts_y[1] * placement.height,
    ]
    np.testing.assert_allclose(found, expected, atol=2e-3)


@settings(max_examples=80, deadline=None)
@given(window=placed_windows())
def test_pixels_are_those_of_the_window_alone_moved_to_its_place(window: Window) -> None:
    placement = window.placement
    assert placement is not None
    part, (rows, columns) = window.cut(PICTURE, placement.canvas)
    alone = dataclasses.replace(window, placement=None)
    expected, (own_rows, own_columns) = alone.cut(PICTURE, (placement.height, placement.width))
    np.testing.assert_array_equal(part, expected)
    assert (rows.start, rows.stop) == (own_rows.start + placement.top, own_rows.stop + placement.top)
    assert columns.start == own_columns.start + placement.left
    assert columns.stop == own_columns.stop + placement.left


def test_the_whole_input_is_as_without_a_placement() -> None:
    mask = (PICTURE[:, :, 0] > 120).astype(np.uint8)
    boxes = np.array([[3, 4, 33.3, 21.7], [-5, 0, 50, 40]], np.float32)
    for flip in (False, True):
        plain = Window(-3, 5, 44, 31, flip)
        placed = dataclasses.replace(plain, placement=Placement.whole((550, 550)))
        np.testing.assert_array_equal(
            placed.sample_mask(mask, (138, 138)), plain.sample_mask(mask, (138, 138))
        )
        np.testing.assert_array_equal(placed.map_boxes(boxes, (550, 550)), plain.map_boxes(boxes, (550, 550)))
        np.testing.assert_array_equal(
            placed.map_points(boxes.reshape(-1, 2), (138, 138)),
            plain.map_points(boxes.reshape(-1, 2), (138, 138)),
        )
        np.testing.assert_array_equal(placed.cut(PICTURE, (550, 550))[0], plain.cut(PICTURE, (550, 550))[0])


@pytest.mark.parametrize("flip", [False, True])
def test_polygons_and_run_lengths_are_drawn_alike_and_not_beside_their_place(
    tmp_path: Path, flip: bool
) -> None:
    outline = rectangle(-20, 10, 200, 110)  # beyond the picture of 120 x 160 on three sides
    full = np.zeros((120, 160), np.uint8)
    cv2.rectangle(full, (0, 10), (159, 109), 1, -1)
    counts = np.diff(np.flatnonzero(np.diff(full.ravel("F"), prepend=0)), prepend=0).tolist()
    counts.append(full.size - sum(counts))
    known = annotate(tmp_path, [[outline], {"size": [120, 160], "counts": counts}])
    # A part of the picture, 80 x 120, on rows 8..40 and columns 16..64 of an input of 64 x 96.
    window = Window(30, 20, 120, 80, flip, Placement((64, 96), 8, 16, 32, 48))
    polygon, code = rasterize(known, np.array([0, 1]), window, [(16, 24)])[0]
    expected = np.zeros((16, 24), bool)
    expected[2:10, 4:16] = True
    np.testing.assert_array_equal(polygon, expected)
    np.testing.assert_array_equal(code, expected)
    for rows in ([0], [1], [0, 1]):  # rows 16..48 of the picture's 10..110, all of its columns
        stencil = draw_stencil(known, np.array(rows), window, (slice(10, 40), slice(16, 60)))
        assert stencil.shape == (30, 44)
        assert stencil.all()
    higher = Window(30, -20, 120, 80, flip, window.placement)  # shows 30 rows of 80 above the object
    stencil = draw_stencil(known, np.array([1, 0]), higher, (slice(10, 40), slice(16, 60)))
    assert not stencil[:10].any()
    assert stencil[10:].all()
