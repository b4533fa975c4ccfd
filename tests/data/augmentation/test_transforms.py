import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from yolact_pl.data.augmentation.transforms import (
    FlipAugmentation,
    NoAugmentation,
    SsdAugmentation,
    crop_canvas,
)
from yolact_pl.data.augmentation.window import Window

SIZE = (480, 640)
NOTHING = np.zeros((0, 4), np.float32), np.zeros(0, bool)
BOXES = np.array([[100, 100, 300, 300], [600, 440, 640, 480]], np.float32)
ORDINARY = np.zeros(2, bool)
NUM_DRAWS = 4000


def draw(augmentation: SsdAugmentation, boxes: np.ndarray, iscrowd: np.ndarray, number: int) -> list[Window]:
    rng = np.random.default_rng(0)
    return [augmentation.window(SIZE, boxes, iscrowd, rng) for _ in range(number)]


def contains(window: Window, x: float, y: float) -> bool:
    return window.left < x < window.left + window.width and window.top < y < window.top + window.height


def test_everything_switched_off_shows_the_picture() -> None:
    augmentation = SsdAugmentation(photometric=False, expand=1, crop=False, mirror=False)
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    for off in (augmentation, NoAugmentation()):
        rng = np.random.default_rng(0)
        assert off.window(SIZE, BOXES, ORDINARY, rng) == Window(0, 0, 640, 480, False)
        np.testing.assert_array_equal(off.recolour(pixels, rng), pixels)


def test_expanding_has_the_published_distribution() -> None:
    windows = draw(SsdAugmentation(crop=False, mirror=False), BOXES, ORDINARY, NUM_DRAWS)
    expanded = [window for window in windows if (window.width, window.height) != (640, 480)]
    ratios = np.array([window.width / 640 for window in expanded])

    assert len(expanded) / NUM_DRAWS == pytest.approx(0.5, abs=0.03)
    assert ratios.min() >= 1
    assert 3.95 < ratios.max() <= 4
    assert ratios.mean() == pytest.approx(2.5, abs=0.06)  # uniform in 1..4
    for window in expanded:  # the picture keeps its shape and lies on the canvas
        assert abs(window.height / 480 - window.width / 640) < 1 / 400
        assert window.left <= 0
        assert window.top <= 0
        assert window.left + window.width >= 639  # whole pixels: sizes and offsets are cut off alike
        assert window.top + window.height >= 479
    room = [(-window.left / (window.width - 640)) for window in expanded if window.width > 700]
    assert np.mean(room) == pytest.approx(0.5, abs=0.03)


def test_cropping_has_the_published_distribution() -> None:
    windows = draw(SsdAugmentation(expand=1, mirror=False), BOXES[:1], ORDINARY[:1], NUM_DRAWS)
    crops = [window for window in windows if (window.width, window.height) != (640, 480)]

    # Five of six modes crop; one of their trials (nearly always) finds the large object's centre.
    assert len(crops) / NUM_DRAWS == pytest.approx(5 / 6, abs=0.012)
    widths = np.array([window.width for window in crops])
    heights = np.array([window.height for window in crops])
    assert 0.3 * 640 - 1 <= widths.min() < 0.33 * 640
    assert 0.3 * 480 - 1 <= heights.min() < 0.33 * 480
    assert widths.max() <= 640
    assert heights.max() <= 480
    assert (heights + 1 >= 0.5 * (widths - 1)).all()
    assert (heights - 1 <= 2 * (widths + 1)).all()
    for window in crops:
        assert contains(window, 200, 200)
        assert window.left >= 0
        assert window.top >= 0
        assert window.left + window.width <= 640
        assert window.top + window.height <= 480


def test_no_crop_is_rejected_for_a_low_overlap() -> None:
    # The box fills the picture, so its IoU with a crop is the crop's share of the picture. If the least
    # overlaps of 0.3, 0.7 and 0.9 counted, shares below 0.3 would come from two of six modes only.
    box = np.array([[0, 0, 640, 480]], np.float32)
    windows = draw(SsdAugmentation(expand=1, mirror=False), box, ORDINARY[:1], NUM_DRAWS)
    shares = np.array([window.width * window.height / (640 * 480) for window in windows])
    # Counted directly: of uniform sizes in 0.3..1 with an aspect of 1/2..2, placed uniformly so that they
    # cover the picture's centre, the part with a share below 0.3.
    rng = np.random.default_rng(1)
    width, height, x, y = rng.uniform((0.3, 0.3, 0, 0), 1, (200_000, 4)).T
    allowed = np.abs(np.log(height * 480 / (width * 640))) < np.log(2)
    left, top = x * (1 - width), y * (1 - height)
    allowed &= (left < 0.5) & (left + width > 0.5) & (top < 0.5) & (top + height > 0.5)
    small = (width * height)[allowed] < 0.3
    assert np.mean(shares < 0.3) == pytest.approx(5 / 6 * small.mean(), abs=0.02)


@settings(max_examples=100, deadline=None)
@given(
    boxes=st.lists(st.tuples(*[st.integers(0, 99)] * 4), min_size=1, max_size=4),
    crowds=st.lists(st.booleans(), min_size=4, max_size=4),
    height=st.integers(2, 120),
    width=st.integers(2, 120),
    seed=st.integers(0, 99),
)
def test_a_crop_shows_the_centre_of_an_object_that_is_no_crowd(
    boxes: list[tuple[int, ...]], crowds: list[bool], height: int, width: int, seed: int
) -> None:
    scale = np.array([width, height, width, height]) / 100
    corners = np.array(boxes, np.float32)
    corners = np.concatenate(
        (np.minimum(corners[:, :2], corners[:, 2:]), np.maximum(corners[:, :2], corners[:, 2:]) + 1), 1
    )
    corners = corners * scale
    iscrowd = np.array(crowds[: len(boxes)])
    canvas = Window(-5, -5, width + 10, height + 10)
    crop = crop_canvas(canvas, corners, iscrowd, np.random.default_rng(seed))

    assert canvas.left <= crop.left < crop.left + crop.width <= canvas.left + canvas.width
    assert canvas.top <= crop.top < crop.top + crop.height <= canvas.top + canvas.height
    objects = [((b[0] + b[2]) / 2, (b[1] + b[3]) / 2) for b in corners[~iscrowd].tolist()]
    assert not objects or any(contains(crop, x, y) for x, y in objects)


def test_crowds_do_not_attract_crops() -> None:
    windows = draw(SsdAugmentation(expand=1, mirror=False), BOXES, np.array([False, True]), 500)
    assert all(contains(window, 200, 200) for window in windows)
    assert not all(contains(window, 620, 460) for window in windows)


@pytest.mark.parametrize(("boxes", "iscrowd"), [NOTHING, (BOXES, np.ones(2, bool))])
def test_pictures_without_objects_are_cropped_anywhere(boxes: np.ndarray, iscrowd: np.ndarray) -> None:
    windows = draw(SsdAugmentation(expand=1), boxes, iscrowd, 600)
    whole = sum(window.width == 640 and window.height == 480 for window in windows)
    assert whole / 600 == pytest.approx(1 / 6, abs=0.05)
    assert min(window.left + window.width for window in windows) < 260
    assert max(window.left for window in windows) > 380


def test_pictures_too_narrow_for_any_crop_stay_whole() -> None:
    # At most 30 of 100 wide and at least 3 x 100 high: the aspect ratio is never below 2.
    rng = np.random.default_rng(0)
    box = np.array([[10, 100, 90, 900]], np.float32)
    assert crop_canvas(Window(0, 0, 100, 1000), box, ORDINARY[:1], rng) == Window(0, 0, 100, 1000)


@pytest.mark.parametrize("augmentation", [SsdAugmentation(), FlipAugmentation()])
def test_half_of_the_pictures_are_mirrored(augmentation: SsdAugmentation) -> None:
    flips = [window.flip for window in draw(augmentation, BOXES, ORDINARY, 2000)]
    assert np.mean(flips) == pytest.approx(0.5, abs=0.04)


def test_equal_generators_give_equal_samples() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    results = []
    for _ in range(2):
        rng = np.random.default_rng((7, 3, 11))
        windows = [SsdAugmentation().window(SIZE, BOXES, ORDINARY, rng) for _ in range(5)]
        results.append((windows, SsdAugmentation().recolour(pixels.copy(), rng)))
    assert results[0][0] == results[1][0]
    np.testing.assert_array_equal(results[0][1], results[1][1])
    assert len(set(results[0][0])) > 1
