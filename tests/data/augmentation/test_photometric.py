import colorsys
from itertools import product
from typing import Any, cast

import numpy as np
import pytest

from yolact_pl.data.augmentation.photometric import HsvJitter, PhotometricDistortion

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 15, 3), dtype=np.uint8)


class ScriptedGenerator:
    """Draws the given coins, and of every range the same quantile."""

    def __init__(self, coins: tuple[bool, ...], quantile: float) -> None:
        self.coins, self.quantile = coins, quantile

    def random(self, number: int) -> np.ndarray:
        assert number == len(self.coins)
        return np.where(self.coins, 0.1, 0.9)

    def uniform(self, low: float, high: float) -> float:
        return low + self.quantile * (high - low)


def distort_slowly(pixels: np.ndarray, coins: tuple[bool, ...], quantile: float) -> np.ndarray:
    """Pixel by pixel in floating point, in the published order, never clipped on the way."""
    brightness, contrast, saturation, hue, contrast_first = coins
    gain = 0.5 + quantile if contrast else 1.0
    values = pixels.astype(float)
    if brightness:
        values += -32 + quantile * 64
    if contrast_first:
        values *= gain
    for pixel in values.reshape(-1, 3):
        h, s, v = colorsys.rgb_to_hsv(*pixel)
        s *= 0.5 + quantile if saturation else 1.0
        h += (-18 + quantile * 36) / 360 if hue else 0.0
        pixel[:] = colorsys.hsv_to_rgb(h % 1, s, v)
    if not contrast_first:
        values *= gain
    return values.clip(0, 255)


@pytest.mark.parametrize("quantile", [0.0, 0.2, 0.9, 1.0])
def test_every_combination_equals_the_slow_way(quantile: float) -> None:
    pixels = np.maximum(PIXELS, 33)  # the two conversions disagree about colours below black
    for coins in product((False, True), repeat=5):
        rng = cast("Any", ScriptedGenerator(coins, quantile))
        distorted = PhotometricDistortion()(pixels, rng)
        assert distorted.dtype == np.uint8
        expected = distort_slowly(pixels, coins, quantile)
        assert np.abs(distorted - expected).max() <= 0.52, coins  # rounded once


def test_coins_are_fair_and_independent() -> None:
    grey = np.full((1, 1, 3), 100, np.uint8)
    strong = np.array([[[200, 100, 100]]], np.uint8)
    rng = np.random.default_rng(0)
    greys = np.array([PhotometricDistortion()(grey, rng)[0, 0, 0] for _ in range(2000)])
    colours = np.array(
        [PhotometricDistortion(brightness=0, contrast=(1, 1))(strong, rng)[0, 0] for _ in range(2000)]
    )
    # Grey has no colour to change: it stays unless brightness or contrast hit (3 of 4).
    assert np.mean(greys == 100) == pytest.approx(0.25, abs=0.04)
    # Half of the time red turns towards yellow or violet, seldom by less than the rounding.
    assert np.mean(colours[:, 1] != colours[:, 2]) == pytest.approx(0.5, abs=0.04)
    assert np.mean((colours == [200, 100, 100]).all(axis=1)) == pytest.approx(0.25, abs=0.04)


def test_the_input_is_left_alone() -> None:
    before = PIXELS.copy()
    rng = np.random.default_rng(3)
    for _ in range(20):
        PhotometricDistortion()(PIXELS, rng)
    np.testing.assert_array_equal(PIXELS, before)


def test_parts_of_an_image_are_distorted_as_the_whole() -> None:
    whole = PhotometricDistortion()(PIXELS, np.random.default_rng(5))
    mirrored = PhotometricDistortion()(PIXELS[:, ::-1], np.random.default_rng(5))
    np.testing.assert_array_equal(mirrored, whole[:, ::-1])


class OneDraw:
    """Draws the given numbers of -1..1."""

    def __init__(self, *numbers: float) -> None:
        self.numbers = np.array(numbers)

    def uniform(self, low: float, high: float, count: int) -> np.ndarray:
        assert (low, high, count) == (-1, 1, 3)
        return self.numbers


@pytest.mark.parametrize(
    "draws",
    [(0, 0, 0), (1, 0, 0), (-1, 0, 0), (0, 1, 0), (0, -1, 0), (0, 0, 1), (0, 0, -1), (0.5, -0.3, 0.6)],
)
def test_hsv_jitter_equals_the_slow_way(draws: tuple[float, ...]) -> None:
    # Of all hues: bytes of hue are 2 degrees, which is a 20th of the saturation here.
    hues = np.arange(0, 360, 7.3)
    colours = [colorsys.hsv_to_rgb(hue / 360, 0.4 + 0.2 * (hue % 2), 180) for hue in hues]
    pixels = np.rint(colours)[None].astype(np.uint8)
    jitter = HsvJitter(hue=0.1, saturation=0.7, value=0.4)
    found = jitter(pixels.copy(), cast("Any", OneDraw(*draws)))
    expected = []
    for pixel in pixels[0]:
        h, s, v = colorsys.rgb_to_hsv(*pixel.tolist())
        s, v = min(s * (1 + 0.7 * draws[1]), 1), min(v * (1 + 0.4 * draws[2]), 255)
        expected.append(colorsys.hsv_to_rgb((h + 0.1 * draws[0]) % 1, s, v))
    assert np.abs(found[0] - np.array(expected)).max() <= 6
    assert np.abs(found[0] - np.array(expected)).mean() <= 1.5


def test_hsv_jitter_draws_from_the_whole_range() -> None:
    pixels = np.full((1, 1, 3), (200, 100, 100), np.uint8)
    rng = np.random.default_rng(0)
    values = [HsvJitter(0, 0, 0.25)(pixels.copy(), rng).max() for _ in range(500)]
    assert 149 <= min(values) < 153
    assert 247 < max(values) <= 250
    assert np.mean(values) == pytest.approx(200, abs=4)
    grey = np.full((1, 1, 3), 90, np.uint8)
    assert (HsvJitter(0.5, 1, 0)(grey.copy(), rng) == 90).all()
