"""The pixels of the network's input: resized bilinearly and not antialiased, as published."""

import cv2
import numpy as np
import torch.nn.functional as F
from torch import Tensor

PADDING = (124, 117, 104)
"""RGB around pictures: ImageNet's mean rounded to bytes, as published for what lies outside of a picture."""


def resize_image(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[H, W, 3] to float32 [*size, 3], not rounded, by OpenCV: how pictures are evaluated."""
    return cv2.resize(image.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_LINEAR)


def resize_images(images: Tensor, size: tuple[int, int]) -> Tensor:
    """[B, 3, H, W] to float32 [B, 3, *size] on the images' device: how pictures and video are predicted."""
    return F.interpolate(images.float(), size, mode="bilinear", align_corners=False)


def fill_up(
    pixels: Tensor, canvas: tuple[int, int], *, top: int = 0, left: int = 0, fill: tuple[int, ...] = PADDING
) -> Tensor:
    """Pixels [..., 3, h, w] on an input [..., 3, *canvas] of one colour, unless they fill it already."""
    height, width = pixels.shape[-2:]
    if (height, width) == canvas:
        return pixels
    filled = pixels.new_empty((*pixels.shape[:-2], *canvas))
    filled[:] = pixels.new_tensor(fill)[:, None, None]
    filled[..., top : top + height, left : left + width] = pixels
    return filled
