"""Values of more than 8 bits per channel, scaled to bytes."""

from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from yolact_pl.images.completeness import PNG_DEPTH, PNG_START

_BITS_PER_SAMPLE, _MIN_SAMPLE, _MAX_SAMPLE = 258, 280, 281
"""Tags of TIFF."""
_HIGHEST = (255, 1023, 4095, 16383, 65535)
"""Largest values of 8, 10, 12, 14 and 16 bits."""


class ValueRange(NamedTuple):
    """The values that become 0 and 255."""

    low: float
    high: float

    @classmethod
    def of(cls, values: np.ndarray) -> "ValueRange":
        """The range that values of unknown scale use.

        0 to 1 for such floats, 0 to the largest value of 8, 10, 12, 14 or 16 bits, or else to the largest
        value there is; from the least one if that is negative.
        """
        known = np.isfinite(values)
        low, high = float(values.min(where=known, initial=0)), float(values.max(where=known, initial=0))
        if low < 0:
            return cls(low, high)
        if values.dtype.kind == "f" and high < _HIGHEST[0] / 4:
            return cls(0, max(high, 1))
        return cls(0, next((highest for highest in _HIGHEST if high <= highest), high))

    def to_bytes(self, values: np.ndarray) -> np.ndarray:
        """Values as uint8 of the same shape; whole numbers of n bits lose the lower n - 8."""
        span = self.high - self.low
        whole = values.dtype.kind != "f"
        factor = np.float32(256 / (span + 1) if whole else 255 / (span or 1))
        pixels = np.empty(values.shape, np.uint8)
        for row, target in zip(values, pixels, strict=True):  # all at once would take 4 bytes per value
            scaled = np.clip(np.nan_to_num(row), self.low, self.high).astype(np.float32)
            scaled = (scaled - np.float32(self.low)) * factor
            target[:] = np.minimum(scaled if whole else np.rint(scaled), 255)
        return pixels


def deep_values(image: Image.Image, data: bytes | None = None) -> np.ndarray | None:
    """[H, W] or [H, W, 3] RGB values of an image with more than 8 bits per channel; None for others.

    Args:
        image: opened, read if it was not yet.
        data: the content of its file. Pillow itself reads colours of 16 bits as 8.
    """
    if image.mode[0] in "IF":
        image.load()  # numpy would not tell why it cannot be read
        return np.asarray(image)
    if data is None or not _has_deep_channels(image, data):
        return None
    image.load()  # fails where the file is cut off; OpenCV would fill up
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
    values = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    return None if values is None else values[:, :, ::-1]


def stated_range(image: Image.Image) -> ValueRange | None:
    """The range that a TIFF states."""
    tags = getattr(image, "tag_v2", {})
    low, high = tags.get(_MIN_SAMPLE, 0), tags.get(_MAX_SAMPLE)
    low, high = (max(value) if isinstance(value, tuple) else value for value in (low, high))
    return ValueRange(low, high) if high is not None and high > low else None


def _has_deep_channels(image: Image.Image, data: bytes) -> bool:
    if data[:8] == PNG_START:
        return data[PNG_DEPTH] == 16
    bits = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (8,))
    return max(bits) > 8
