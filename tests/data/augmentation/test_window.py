from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parity.weights import image as recipe_image
from yolact_pl.data.augmentation.window import Window
from yolact_pl.geometry.masks import resize_masks

RECORDED = Path(__file__).parents[2] / "parity" / "transforms_a.npz"
PICTURE = recipe_image(5, 60, 80)
SMALL = PICTURE[:40, :50]

windows = st.builds(
    Window,
    left=st.integers(-120, 49),
    top=st.integers(-120, 39),
    width=st.integers(1, 200),
    height=st.integers(1, 200),
    flip=st.booleans(),
    vertical_flip=st.booleans(),
)
sizes = st.tuples(st.integers(1, 90), st.integers(1, 90))


def show_step_by_step(source: np.ndarray, window: Window, fill: float) -> np.ndarray:
    """Paste into a canvas, cut out, mirror: the published order. The window's own size, not resized."""
    height, width = source.shape[:2]
    margin = 330  # beyond all windows above
    canvas = np.full((height + 2 * margin, width + 2 * margin, *source.shape[2:]), fill, source.dtype)
    canvas[margin : margin + height, margin : margin + width] = source
    top, left = window.top + margin, window.left + margin
    shown = canvas[top : top + window.height, left : left + window.width]
    shown = shown[::-1] if window.vertical_flip else shown
    return np.ascontiguousarray(shown[:, ::-1] if window.flip else shown)


def unpack(recorded: dict[str, np.ndarray], key: str) -> np.ndarray:
    shape = recorded[f"{key}_shape"]
    return np.unpackbits(recorded[f"{key}_packed"])[: shape.prod()].reshape(shape)


@settings(max_examples=60, deadline=None)
@given(
    left=st.integers(0, 79),
    top=st.integers(0, 59),
    right=st.integers(1, 80),
    bottom=st.integers(1, 60),
    size=sizes,
    flip=st.booleans(),
)
def test_a_window_inside_is_cropped_resized_and_mirrored(
    left: int, top: int, right: int, bottom: int, size: tuple[int, int], flip: bool
) -> None:
    window = Window(
        min(left, right - 1), min(top, bottom - 1), max(right - left, 1), max(bottom - top, 1), flip
    )
    part, (rows, columns) = window.cut(PICTURE, size)

    expected = cv2.resize(show_step_by_step(PICTURE, window, 0), (size[1], size[0]))
    assert (rows, columns) == (slice(0, size[0]), slice(0, size[1]))
    np.testing.assert_allclose(part, expected.astype(float), atol=1)  # mirrored first, ties round otherwise


@settings(max_examples=100, deadline=None)
@given(window=windows, size=sizes)
def test_a_window_that_reaches_outside_equals_expanding_cropping_mirroring_and_resizing(
    window: Window, size: tuple[int, int]
) -> None:
    part, (rows, columns) = window.cut(SMALL, size)
    shown = np.full((*size, 3), 77, np.uint8)
    shown[rows, columns] = part

    canvas = show_step_by_step(SMALL, window, 77)
    expected = cv2.resize(canvas, (size[1], size[0]))
    # How much of each pixel comes from the picture. At the seam, where it is neither all nor nothing, the
    # canvas is not mixed into the picture: the only difference.
    inside = show_step_by_step(np.ones(SMALL.shape[:2], np.float32), window, 0)
    inside = cv2.resize(inside, (size[1], size[0]))
    difference = np.abs(shown.astype(int) - expected).max(axis=2)
    assert (difference[inside == 0] == 0).all()
    assert (difference[inside == 1] <= 4).all()  # warpAffine knows positions to 1/32 pixel
    assert rows.stop - rows.start == part.shape[0]
    assert columns.stop - columns.start == part.shape[1]
    filled = np.zeros(size, bool)
    filled[rows, columns] = True
    assert filled[inside > 0.76].all()  # at a corner a pixel whose centre is not shown has up to 3/4
    assert not filled[inside < 0.24].any()


@settings(max_examples=40, deadline=None)
@given(window=windows, size=sizes)
def test_a_transposed_window_shows_the_transpose(window: Window, size: tuple[int, int]) -> None:
    transposed = replace(window, transpose=True)
    part, (rows, columns) = window.cut(SMALL, size)
    found, (found_rows, found_columns) = transposed.cut(SMALL, size[::-1])
    np.testing.assert_array_equal(found, part.transpose(1, 0, 2))
    assert (found_rows, found_columns) == (columns, rows)
    assert transposed.reduction(size[::-1]) == window.reduction(size)


@settings(max_examples=60, deadline=None)
@given(window=windows, size=sizes)
def test_masks_are_sampled_at_pixel_centres(window: Window, size: tuple[int, int]) -> None:
    mask = (SMALL[:, :, 0] > 120).astype(np.uint8)
    expected = np.zeros(size, np.uint8)
    for i in range(size[0]):
        for j in range(size[1]):
            column = size[1] - 1 - j if window.flip else j
            row = size[0] - 1 - i if window.vertical_flip else i
            y = window.top + (2 * row + 1) * window.height // (2 * size[0])
            x = window.left + (2 * column + 1) * window.width // (2 * size[1])
            if 0 <= y < 40 and 0 <= x < 50:
                expected[i, j] = mask[y, x]
    np.testing.assert_array_equal(window.sample_mask(mask, size), expected)


@pytest.mark.parametrize(("size", "least"), [((138, 138), 0.96), ((69, 69), 0.95)])
def test_sampled_masks_agree_with_resizing_twice(size: tuple[int, int], least: float) -> None:
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:480, :640]
    ious = []
    for _ in range(60):
        centre, radii = rng.uniform((100, 100), (540, 380)), rng.uniform(25, 120, 2)
        mask = (((x - centre[0]) / radii[0]) ** 2 + ((y - centre[1]) / radii[1]) ** 2 < 1).astype(np.uint8)
        left, top = rng.integers(-300, 60, 2).tolist()
        window = Window(left, top, 640 - left + 50, 480 - top + 50, bool(rng.random() < 0.5))
        sampled = window.sample_mask(mask, size).astype(bool)
        canvas = show_step_by_step(mask, window, 0)
        slow = resize_masks(torch.from_numpy(cv2.resize(canvas, (550, 550)))[None], size)[0].numpy()
        ious.append((sampled & slow).sum() / (sampled | slow).sum())
    assert np.mean(ious) > least


def test_the_whole_picture_equals_the_recorded_resize_of_the_training_pipeline() -> None:
    with np.load(RECORDED, allow_pickle=False) as file:
        recorded = dict(file)
    whole = Window.whole((427, 640))
    for n in (1, 5):
        boxes = whole.map_boxes(recorded[f"resize{n}_in_boxes"], (550, 550))
        np.testing.assert_allclose(boxes, recorded[f"resize{n}_out_boxes"], atol=1e-4)

    masks, resized = unpack(recorded, "resize5_in_masks"), unpack(recorded, "resize5_out_masks")
    slow = resize_masks(torch.from_numpy(resized), (138, 138)).numpy()
    sampled = np.stack([whole.sample_mask(mask, (138, 138)) for mask in masks]).astype(bool)
    # Both see the centre of each of 138 x 138 pixels; the slow way rounds twice, which moves outlines a bit.
    assert (sampled != slow).mean(axis=(1, 2)).max() < 0.004


def test_boxes_are_shifted_scaled_mirrored_and_clipped() -> None:
    window = Window(left=-10, top=20, width=100, height=50, flip=True)
    boxes = np.array([[0, 30, 40, 45], [80, 0, 200, 60]], np.float32)
    # x: 10..50 of 100 is 20..100 of 200, mirrored 100..180; y: 10..25 of 50 is 20..50 of 100.
    # x: 90..210 is 180..420, mirrored -220..20, clipped 0..20; y: -20..40 is -40..80, clipped 0..80.
    expected = [[100, 20, 180, 50], [0, 0, 20, 80]]
    np.testing.assert_allclose(window.map_boxes(boxes, (100, 200)), expected, atol=1e-4)
    assert window.map_boxes(np.zeros((0, 4), np.float32), (100, 200)).shape == (0, 4)


@settings(max_examples=60, deadline=None)
@given(window=windows, size=sizes, x=st.integers(0, 49), y=st.integers(0, 39))
def test_boxes_move_with_the_pixels(window: Window, size: tuple[int, int], x: int, y: int) -> None:
    marked = np.zeros((40, 50), np.uint8)
    marked[y, x] = 1
    rows, columns = np.nonzero(window.sample_mask(marked, size))
    x1, y1, x2, y2 = window.map_boxes(np.array([[x, y, x + 1, y + 1]], np.float32), size)[0]
    assert (columns + 0.5 >= x1 - 1e-3).all()
    assert (columns + 0.5 <= x2 + 1e-3).all()
    assert (rows + 0.5 >= y1 - 1e-3).all()
    assert (rows + 0.5 <= y2 + 1e-3).all()


def test_visible_share_of_boxes() -> None:
    window = Window(-10, 20, 40, 30)  # to x 30, y 50
    boxes = np.array([[20, 40, 40, 80], [0, 25, 9, 30], [30, 0, 50, 60], [-10, 0, 30, 80]], np.float32)
    np.testing.assert_allclose(window.visible_share(boxes), [1 / 8, 1, 0, 3 / 8])
    assert window.visible_share(boxes[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("centre", "contained"),
    [
        ((10, 20), False),
        ((20, 10), False),
        ((40, 20), False),
        ((20, 40), False),
        ((11, 20), True),
        ((20, 11), True),
        ((39, 20), True),
        ((20, 39), True),
    ],
)
def test_a_centre_on_the_edge_is_not_contained(centre: tuple[int, int], contained: bool) -> None:
    x, y = centre
    boxes = np.array([[x - 7, y - 3, x + 7, y + 3]], np.float32)
    assert Window(10, 10, 30, 30).contains_centres(boxes).tolist() == [contained]
    assert Window(10, 10, 30, 30).contains_centres(boxes[:0]).shape == (0,)
