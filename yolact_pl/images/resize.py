"""Images at the network's input size: resized bilinearly and not antialiased, as published."""

import cv2
import numpy as np

PADDING = (124, 117, 104)
"""RGB around pictures: ImageNet's mean rounded to bytes, as published for what lies outside of a picture."""


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[H, W, 3] to float32 [*size, 3], not rounded, by OpenCV: how pictures are evaluated."""
    return cv2.resize(image.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
