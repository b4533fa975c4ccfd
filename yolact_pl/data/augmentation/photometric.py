"""Random colours: the distortion of SSD, and the jitter of hue, saturation and value."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class PhotometricDistortion:
    """Each change has probability 1/2; contrast comes either before or after saturation and hue.

    Intermediate values are not clipped, as published; only the final bytes are.
    """

    brightness: float = 32.0
    """Largest shift, of 255."""
    contrast: tuple[float, float] = (0.5, 1.5)
    saturation: tuple[float, float] = (0.5, 1.5)
    hue: float = 18.0
    """Largest shift in degrees."""

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Distort [H, W, 3] uint8 RGB."""
        chosen = rng.random(5) < 0.5
        shift = rng.uniform(-self.brightness, self.brightness) if chosen[0] else 0.0
        gain = rng.uniform(*self.contrast) if chosen[1] else 1.0
        saturation = rng.uniform(*self.saturation) if chosen[2] else 1.0
        turn = rng.uniform(-self.hue, self.hue) if chosen[3] else 0.0
        if not (chosen[2] or chosen[3]):
            return scale_and_shift(image, gain, shift * gain, cv2.CV_8U)
        before, after = (gain, 1.0) if chosen[4] else (1.0, gain)
        pixels = scale_and_shift(image, before, shift * before, cv2.CV_32F)
        return scale_and_shift(change_colours(pixels, saturation, turn), after, 0.0, cv2.CV_8U)


@dataclass(frozen=True)
class HsvJitter:
    """Turns the hue, scales saturation and value, as YOLO's do since YOLOv3."""

    hue: float = 0.015
    """Largest turn, of the full circle."""
    saturation: float = 0.7
    """Largest change of the factor 1."""
    value: float = 0.4

    def __call__(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Change [H, W, 3] uint8 RGB, which is overwritten."""
        turn, *gains = rng.uniform(-1, 1, 3) * (self.hue, self.saturation, self.value) + (0, 1, 1)
        pixels = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL, dst=image)
        hue, *others = cv2.split(pixels)
        hue += np.uint8(round(256 * turn) % 256)  # bytes wrap around as hues do
        for plane, gain in zip(others, gains, strict=True):
            cv2.convertScaleAbs(plane, plane, gain)
        return cv2.cvtColor(cv2.merge((hue, *others), pixels), cv2.COLOR_HSV2RGB_FULL, dst=pixels)


def scale_and_shift(pixels: np.ndarray, gain: float, shift: float, depth: int) -> np.ndarray:
    """gain x pixels + shift at an OpenCV depth; bytes are rounded and clipped to 0..255."""
    return cv2.addWeighted(pixels, gain, pixels, 0.0, shift, dtype=depth)


def change_colours(pixels: np.ndarray, saturation: float, turn: float) -> np.ndarray:
    """Scale the saturation and turn the hue (degrees) of [H, W, 3] float32 RGB, which is overwritten."""
    hsv = cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV, dst=pixels)
    # Hue + turn and saturation x factor in one pass; converting back takes angles above 360, not below 0.
    change = np.array([[1, 0, 0, turn % 360], [0, saturation, 0, 0], [0, 0, 1, 0]], np.float32)
    hsv = cv2.transform(hsv, change, dst=hsv)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB, dst=hsv)
