"""Conversion of any image type to one kind of array."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from yolact_pl.images.depth import ValueRange
from yolact_pl.images.image_file import image_pixels, read_image

if TYPE_CHECKING:
    from torch import Tensor

AnyImage: TypeAlias = "str | Path | NDArray[np.uint8] | Image.Image | Tensor"
"""A path; an array uint8 [H, W, 3] RGB; a Pillow image of any mode; a tensor [3, H, W] RGB, uint8 in 0..255,
or floating point in 0..1."""
ImageStack: TypeAlias = "Sequence[AnyImage] | NDArray[np.uint8] | Tensor"
"""A list or tuple of images, or an array or a tensor with one more dimension in front."""


def is_one_image(images: "AnyImage | ImageStack") -> bool:
    """Whether it is an image and not several."""
    if isinstance(images, list | tuple):
        return False
    return getattr(images, "ndim", 3) != 4


def to_pixels(
    image: AnyImage, name: str = "image", *, value_range: ValueRange | None = None
) -> NDArray[np.uint8]:
    """An image as uint8 [H, W, 3] RGB; files and Pillow images are turned upright by their EXIF orientation.

    Args:
        image: see `AnyImage`; it is not changed.
        name: for errors where there is no file name.
        value_range: of files and Pillow images with more than 8 bits, see `read_image`.

    Raises:
        ValueError: of another type, shape or range, or a file that holds no image.
    """
    if isinstance(image, str | Path):
        return read_image(image, value_range=value_range)
    if isinstance(image, Image.Image):
        return image_pixels(image, name, value_range=value_range)
    if hasattr(image, "detach"):
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


def _tensor_pixels(image: Any, name: str) -> NDArray[np.uint8]:
    """Of a tensor, by its own methods: torch is not imported for those who have none."""
    if image.ndim != 3 or image.shape[0] != 3 or 0 in image.shape:
        raise ValueError(
            f"{name} is a tensor of shape {tuple(image.shape)}: expected (3, height, width), channels RGB"
        )
    on_cpu = image.detach().cpu().permute(1, 2, 0)
    if not image.is_floating_point():
        pixels = on_cpu.numpy()
        if pixels.dtype != np.uint8:
            raise ValueError(
                f"{name} is a tensor of {image.dtype}: expected uint8, or floating point in 0..1"
            )
        return pixels
    pixels = on_cpu.float().numpy()
    low, high = pixels.min(), pixels.max()
    if not (low >= 0 and high <= 1):  # also where there is a nan
        raise ValueError(
            f"{name} is a floating-point tensor from {low:g} to {high:g}: expected 0 to 1, "
            "not normalised; values in 0..255 are given as uint8"
        )
    return np.rint(pixels * np.float32(255)).astype(np.uint8)
