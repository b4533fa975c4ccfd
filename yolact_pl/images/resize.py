"""Images at the network's input size: resized bilinearly and not antialiased, as published."""

from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

PADDING = (124, 117, 104)
"""RGB around pictures: ImageNet's mean rounded to bytes, as published for what lies outside of a picture."""


class _Sources(NamedTuple):
    """Where the pixels of a resized image come from, along one axis."""

    before: NDArray[np.int64]
    after: NDArray[np.int64]
    weight: NDArray[np.float32]
    """Of `after`."""


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[H, W, 3] to float32 [*size, 3], not rounded, by OpenCV: how pictures are evaluated."""
    return cv2.resize(image.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def resize_as_torch(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.float32]:
    """[H, W, 3] to float32 [*size, 3], as `data.resize.resize_images`: how pictures are predicted.

    The same but for the rounding of sums. OpenCV places the source pixels more exactly than torch, whose
    float32 coordinates move them by up to 1e-4 pixels.
    """
    if image.shape[:2] == size:
        return image.astype(np.float32)
    vertical, horizontal = (_sources(old, new) for old, new in zip(image.shape, size, strict=False))
    rows, row_of = np.unique((vertical.before, vertical.after), return_inverse=True)
    before, after = row_of.reshape(2, -1)
    lines = image.take(rows, 0)
    lines = _mix(
        lines.take(horizontal.before, 1), lines.take(horizontal.after, 1), horizontal.weight[:, None]
    )
    return _mix(lines.take(before, 0), lines.take(after, 0), vertical.weight[:, None, None])


def _sources(length: int, new_length: int) -> _Sources:
    """Of each new pixel; torch multiplies and subtracts in one step and rounds once, to float32."""
    scale = np.float64(np.float32(length / new_length))
    position = np.maximum((scale * (np.arange(new_length) + 0.5) - 0.5).astype(np.float32), 0)
    before = np.minimum(position.astype(np.int64), length - 1)
    return _Sources(before, np.minimum(before + 1, length - 1), position - before.astype(np.float32))


def _mix(
    first: NDArray[np.uint8] | NDArray[np.float32],
    second: NDArray[np.uint8] | NDArray[np.float32],
    weight: NDArray[np.float32],
) -> NDArray[np.float32]:
    """first + weight x (second - first)."""
    mixed = np.subtract(second, first, dtype=np.float32)
    mixed *= weight
    mixed += first
    return mixed
