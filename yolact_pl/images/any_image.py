"""All that counts as an image, as one kind of array."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from yolact_pl.images.image_file import image_pixels, read_image

AnyImage: TypeAlias = str | Path | NDArray[np.uint8] | Image.Image | Tensor
"""A path; an array uint8 [H, W, 3] RGB; a Pillow image of any mode; a tensor [3, H, W] RGB, uint8 in 0..255,
or floating point in 0..1."""
ImageStack: TypeAlias = Sequence[AnyImage]
"""A list or tuple of images, or an array or a tensor with one more dimension in front."""


def is_one_image(images: AnyImage | ImageStack) -> bool:
    """Whether it is an image and not several."""
    if isinstance(images, np.ndarray | Tensor):
        return images.ndim != 4
    return not isinstance(images, list | tuple)


def to_pixels(image: AnyImage, name: str = "image") -> NDArray[np.uint8]:
    """An image as uint8 [H, W, 3] RGB; files and Pillow images are turned upright by their EXIF orientation.

    Args:
        image: see `AnyImage`; it is not changed.
        name: for errors where there is no file name.

    Raises:
        ValueError: of another type, shape or range, or a file that holds no image.
    """
    if isinstance(image, str | Path):
        return read_image(image)
    if isinstance(image, Image.Image):
        return image_pixels(image, name)
    if isinstance(image, Tensor):
        return _tensor_pixels(image, name)
    if not isinstance(image, np.ndarray):
        raise ValueError(
            f"{name} is a {type(image).__name__}: expected a path, a numpy array, a Pillow image or a tensor"
        )
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(
            f"{name} is an array {image.dtype} of shape {tuple(image.shape)}: "
            "expected uint8 of shape (height, width, 3), channels RGB"
        )
    return image


def _tensor_pixels(image: Tensor, name: str) -> NDArray[np.uint8]:
    if image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
        raise ValueError(
            f"{name} is a tensor of shape {tuple(image.shape)}: expected (3, height, width), channels RGB"
        )
    pixels = image.detach().cpu().permute(1, 2, 0)
    if pixels.is_floating_point():
        low, high = pixels.aminmax()
        if not (low >= 0 and high <= 1):  # also where there is a nan
            raise ValueError(
                f"{name} is a floating-point tensor from {float(low):g} to {float(high):g}: expected 0 to 1, "
                "not normalised; values in 0..255 are given as uint8"
            )
        return (pixels.float() * 255).round().byte().numpy()
    if pixels.dtype != torch.uint8:
        raise ValueError(f"{name} is a tensor of {pixels.dtype}: expected uint8, or floating point in 0..1")
    return pixels.numpy()
