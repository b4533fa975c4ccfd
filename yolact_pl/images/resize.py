"""Images at the network's input size: resized bilinearly and not antialiased, as published."""

import cv2
import numpy as np
from numpy.typing import NDArray

from yolact_pl.images.bilinear import bilinear_axis, mix

PADDING = (124, 117, 104)
"""RGB around pictures: ImageNet's mean rounded to bytes, as published for what lies outside of a picture."""


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
    vertical, horizontal = map(bilinear_axis, image.shape[:2], size)
    rows, row_of = np.unique((vertical.before, vertical.after), return_inverse=True)
    before, after = row_of.reshape(2, -1)
    lines = image.take(rows, 0)
    lines = mix(lines.take(horizontal.before, 1), lines.take(horizontal.after, 1), horizontal.weight[:, None])
    return mix(lines.take(before, 0), lines.take(after, 0), vertical.weight[:, None, None])
