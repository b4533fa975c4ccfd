import colorsys
from itertools import product
from typing import Any, cast

import numpy as np
import pytest

from yolact_pl.data.augmentation.photometric import PhotometricDistortion

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
