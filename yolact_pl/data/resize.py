"""Network inputs as tensors: resized bilinearly and not antialiased, as published."""

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from yolact_pl.images.resize import PADDING


def resize_images(images: Tensor, size: tuple[int, int]) -> Tensor:
    """[B, 3, H, W] to float32 [B, 3, *size] on the images' device, as in prediction."""
    return F.interpolate(images.float(), size, mode="bilinear", align_corners=False)


def fill_up(
    pixels: Tensor, canvas: tuple[int, int], *, top: int = 0, left: int = 0, fill: tuple[int, ...] = PADDING
) -> Tensor:
    """Pad pixels [..., 3, h, w] with one colour to [..., 3, *canvas]; unchanged if they fill it."""
    height, width = pixels.shape[-2:]
    if (height, width) == canvas:
        return pixels
    filled = pixels.new_empty((*pixels.shape[:-2], *canvas))
    filled[:] = pixels.new_tensor(fill)[:, None, None]
    filled[..., top : top + height, left : left + width] = pixels
    return filled


def to_planes(pixels: np.ndarray) -> Tensor:
    """[H, W, 3] to [3, H, W]."""
    planes = np.empty((3, *pixels.shape[:2]), pixels.dtype)
    extract_planes(pixels, planes)
    return torch.from_numpy(planes)


def extract_planes(pixels: np.ndarray, planes: np.ndarray) -> None:
    """Write [H, W, 3] to [3, H, W], which may be a part of a larger array."""
    for channel, plane in enumerate(planes):
        cv2.extractChannel(pixels, channel, plane)
