"""Scale, translation and flips of the modern augmentation."""

from typing import Any

import numpy as np
import pytest

from yolact_pl.data.augmentation.modern import ModernAugmentation
from yolact_pl.data.augmentation.window import Window
from yolact_pl.images.placement import MODES, STRETCH, Resize

SIZE = (480, 640)


class OneImage:
    """A set of one image of `SIZE` with one object."""

    def __len__(self) -> int:
        return 1

    def size(self, image: int) -> tuple[int, int]:
        return SIZE

    def boxes(self, image: int) -> np.ndarray:
        return np.array([[100, 100, 300, 300]], np.float32)

    def iscrowd(self, image: int) -> np.ndarray:
        return np.zeros(1, bool)


def windows(resize: Resize, number: int, **options: Any) -> list[Window]:
    rng = np.random.default_rng(0)
    augment = ModernAugmentation(**options)
    canvases = [augment.compose(0, OneImage(), resize, rng) for _ in range(number)]
    assert all(len(canvas.layers) == 1 for canvas in canvases)
    return [canvas.layers[0].window for canvas in canvases]


@pytest.mark.parametrize("mode", MODES)
def test_switched_off_the_image_is_where_evaluation_has_it(mode: str) -> None:
    resize = Resize(mode, (400, 600))
    place = resize.place(SIZE)
    (window,) = windows(resize, 1, flip=0, scale=(1, 1), translate=0)
    corners = window.map_points(np.array([[0, 0], [640, 480]], np.float32), place.canvas)
    expected = [[place.left, place.top], [place.left + place.width, place.top + place.height]]
    np.testing.assert_allclose(corners, expected, atol=1)  # windows have whole source pixels
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    off = ModernAugmentation(hsv=(0, 0, 0))
    np.testing.assert_array_equal(off.recolour(pixels.copy(), np.random.default_rng(0)), pixels)


@pytest.mark.parametrize("mode", MODES)
def test_scale_and_translation_have_their_distributions(mode: str) -> None:
    resize = Resize(mode, (480, 480))
    place = resize.place(SIZE)
    height, width = place.canvas
    drawn = windows(resize, 3000, scale=(0.5, 2), translate=0.2)
    corners = np.stack(
        [window.map_points(np.array([[0, 0], [640, 480]], np.float32), place.canvas) for window in drawn]
    )
    scales = np.log2(np.ptp(corners, axis=1) / (place.width, place.height))
    assert np.abs(np.diff(scales, axis=1)).max() < 0.02  # the aspect ratio stays
    assert scales.mean() == pytest.approx(0, abs=0.03)  # log-uniform in -1..1
    assert scales.var() == pytest.approx(1 / 3, abs=0.03)
    assert np.abs(scales).max() == pytest.approx(1, abs=0.02)
    middle = np.array([place.left + place.width / 2, place.top + place.height / 2])
    shifts = (corners.mean(axis=1) - middle) / (width, height)
    assert np.abs(shifts).max(axis=0) == pytest.approx([0.2, 0.2], abs=0.005)
    assert shifts.mean(axis=0) == pytest.approx([0, 0], abs=0.01)
    assert abs(np.corrcoef(shifts.T)[0, 1]) < 0.06


def test_flips_have_their_probabilities() -> None:
    drawn = windows(Resize(STRETCH, (64, 64)), 2000, flip=0.7, vertical_flip=0.2)
    assert np.mean([window.flip for window in drawn]) == pytest.approx(0.7, abs=0.04)
    assert np.mean([window.vertical_flip for window in drawn]) == pytest.approx(0.2, abs=0.03)
    assert np.mean([window.flip and window.vertical_flip for window in drawn]) == pytest.approx(
        0.14, abs=0.03
    )
    assert not any(window.vertical_flip for window in windows(Resize(STRETCH, (64, 64)), 50))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"flip": 1.5}, "augment.flip=1.5: expected a number from 0 to 1"),
        ({"translate": -0.1}, "augment.translate=-0.1"),
        ({"scale": [1.5, 0.5]}, "augment.scale=.*such as"),
        ({"scale": [0, 1]}, "augment.scale"),
        ({"hsv": [0.1, 2, 0]}, "augment.hsv"),
    ],
)
def test_arguments_out_of_range_are_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ModernAugmentation(**options)
