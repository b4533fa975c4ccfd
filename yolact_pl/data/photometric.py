"""Photometric distortion of SSD: brightness, contrast, saturation and hue."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class PhotometricDistortion:
    """Each change happens with probability 1/2, contrast either before or after saturation and hue.

    Values are not clipped in between, as published; only the result is, because it goes back to bytes.
    """

    brightness: float = 32.0
    """Largest shift, of 255."""
    contrast: tuple[float, float] = (0.5, 1.5)
    saturation: tuple[float, float] = (0.5, 1.5)
    hue: float = 18.0
    """Largest shift in degrees."""

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Distort [H, W, 3] uint8 RGB; the same number of random numbers is drawn whatever happens."""
        chosen = rng.random(5) < 0.5
        shift = rng.uniform(-self.brightness, self.brightness) if chosen[0] else 0.0
        gain = rng.uniform(*self.contrast) if chosen[1] else 1.0
        saturation = rng.uniform(*self.saturation) if chosen[2] else 1.0
        turn = rng.uniform(-self.hue, self.hue) if chosen[3] else 0.0
        before, after = (gain, 1.0) if chosen[4] else (1.0, gain)
        if image.size == 0:
            return image
        if not (chosen[2] or chosen[3]):
            return _to_bytes(image, gain, shift * gain if chosen[4] else shift * gain)
        pixels = image.astype(np.float32) * np.float32(before) + np.float32(shift * before)
        pixels = change_colours(pixels, saturation, turn)
        return _to_bytes(pixels, after, 0.0)


def change_colours(pixels: np.ndarray, saturation: float, turn: float) -> np.ndarray:
    """Scale the saturation and turn the hue (degrees) of [H, W, 3] float32 RGB."""
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV)
    hsv[..., 1] *= saturation
    hsv[..., 0] = np.mod(hsv[..., 0] + turn, 360)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def _to_bytes(pixels: np.ndarray, gain: float, shift: float) -> np.ndarray:
    """gain x pixels + shift, rounded and clipped to 0..255."""
    if pixels.dtype == np.uint8:
        table = np.clip(np.rint(np.arange(256) * gain + shift), 0, 255).astype(np.uint8)
        return cv2.LUT(pixels, table)
    return np.clip(np.rint(pixels * np.float32(gain) + np.float32(shift)), 0, 255).astype(np.uint8)
